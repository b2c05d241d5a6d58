-- name: GetDraft :one
SELECT * FROM counter_draft WHERE id = $1;

-- name: InsertDraft :execrows
INSERT INTO counter_draft (id, operator, office, body, version, touched_at)
VALUES ($1, $2, $3, $4, 1, $5)
ON CONFLICT DO NOTHING;

-- name: UpdateDraft :execrows
UPDATE counter_draft SET body = $2, touched_at = $3, version = version + 1
WHERE id = $1 AND version = $4;

-- name: DeleteDraft :execrows
DELETE FROM counter_draft WHERE id = $1;

-- name: DeleteOldDrafts :execrows
DELETE FROM counter_draft WHERE touched_at < $1;

-- name: NextProtocol :one
INSERT INTO counter_protocol (year, last) VALUES ($1, 1)
ON CONFLICT (year) DO UPDATE SET last = counter_protocol.last + 1
RETURNING last;

-- name: InsertAct :execrows
INSERT INTO counter_act (protocol, kind, request, card, operator, office, at, printed_at, handed_at, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING;

-- name: GetAct :one
SELECT * FROM counter_act WHERE protocol = $1;

-- name: GetActByRequest :one
SELECT * FROM counter_act WHERE request = $1;

-- name: ListActsByCard :many
SELECT * FROM counter_act WHERE card = $1 ORDER BY at DESC, protocol DESC;

-- name: ListActs :many
SELECT * FROM counter_act WHERE protocol > $1 ORDER BY protocol LIMIT $2;

-- name: ListOpenActs :many
SELECT * FROM counter_act WHERE office = $1 AND handed_at = 0 ORDER BY at, protocol LIMIT $2;

-- name: ListActsOfOperator :many
SELECT * FROM counter_act WHERE operator = $1 AND office = $2 AND at >= $3 AND at < $4 ORDER BY at, protocol LIMIT $5;

-- name: MarkPrinted :execrows
UPDATE counter_act SET printed_at = $2 WHERE protocol = $1 AND printed_at = 0;

-- name: MarkHandedOver :execrows
UPDATE counter_act SET handed_at = $2 WHERE protocol = $1 AND handed_at = 0;

-- name: GetTries :one
SELECT * FROM counter_tries WHERE subject = $1;

-- name: PutTries :exec
INSERT INTO counter_tries (subject, failures, last_at, until) VALUES ($1, $2, $3, $4)
ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at, until = excluded.until;

-- name: DeleteTries :exec
DELETE FROM counter_tries WHERE subject = $1;

-- name: UseTOTP :execrows
INSERT INTO counter_totp (account, step) VALUES ($1, $2)
ON CONFLICT (account) DO UPDATE SET step = excluded.step WHERE counter_totp.step < excluded.step;

-- name: DeleteOldTries :execrows
DELETE FROM counter_tries WHERE last_at < $1;

-- name: AddLink :exec
INSERT INTO counter_link (holder, representative, kind, since, protocol, ended_at, until, by_registry) VALUES ($1, $2, $3, $4, $5, 0, $6, $7)
ON CONFLICT (holder, representative, kind) DO UPDATE SET since = excluded.since, protocol = excluded.protocol, until = excluded.until,
  by_registry = excluded.by_registry, ended_at = 0,
  why = CASE WHEN excluded.by_registry = 1 THEN counter_link.why ELSE '' END
WHERE counter_link.ended_at > 0 OR (excluded.by_registry = 0 AND (counter_link.by_registry = 1 OR counter_link.until <> excluded.until));

-- name: ListLinks :many
SELECT * FROM counter_link WHERE holder = $1 ORDER BY since, representative;

-- name: ListWards :many
SELECT * FROM counter_link WHERE representative = $1 ORDER BY since, holder;

-- name: ListOpenLinks :many
SELECT * FROM counter_link WHERE ended_at = 0 AND holder > $1 ORDER BY holder, representative LIMIT $2;

-- name: EndLink :exec
UPDATE counter_link SET ended_at = $4, why = $5 WHERE holder = $1 AND representative = $2 AND kind = $3 AND ended_at = 0;

-- name: PurgeEvidence :execrows
UPDATE counter_act SET body = ''
WHERE LENGTH(body) > 0 AND counter_act.at < $1 AND card IN (SELECT id FROM card WHERE card.ended_at > 0 AND card.ended_at < $1);

-- name: PurgeLinks :execrows
DELETE FROM counter_link WHERE ended_at > 0 AND ended_at < $1;
