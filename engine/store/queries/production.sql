-- name: Candidates :many
SELECT cf FROM person p
WHERE p.cf > sqlc.arg(after) AND p.assisted_from <> '' AND p.assisted_from <= sqlc.arg(today)
  AND (p.assisted_until = '' OR p.assisted_until >= sqlc.arg(today))
  AND (p.died = '' OR p.died > sqlc.arg(today))
  AND NOT EXISTS (
    SELECT 1 FROM card c WHERE c.cf = p.cf AND c.state NOT IN ('revoked', 'expired', 'replaced') AND c.expires >= sqlc.arg(today)
  )
ORDER BY p.cf LIMIT sqlc.arg(most);

-- name: NextInSeries :one
INSERT INTO series (name, last) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET last = series.last + excluded.last
RETURNING last;

-- name: PutException :exec
INSERT INTO production_exception (cf, reason, field, since) VALUES ($1, $2, $3, $4)
ON CONFLICT (cf) DO UPDATE SET reason = excluded.reason, field = excluded.field;

-- name: DropException :exec
DELETE FROM production_exception WHERE cf = $1;

-- name: ListExceptions :many
SELECT * FROM production_exception WHERE cf > $1 ORDER BY cf LIMIT $2;

-- name: InsertBatch :execrows
INSERT INTO batch (id, state, cards, chips, made, spoiled, created_at, order_signature, certificates_signature, keys_sum, receipt_sum, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1)
ON CONFLICT DO NOTHING;

-- name: UpdateBatch :execrows
UPDATE batch SET state = $2, cards = $3, chips = $4, made = $5, spoiled = $6, created_at = $7, order_signature = $8,
  certificates_signature = $9, keys_sum = $10, receipt_sum = $11, version = version + 1
WHERE id = $1 AND version = $12;

-- name: GetBatch :one
SELECT * FROM batch WHERE id = $1;

-- name: ListBatches :many
SELECT * FROM batch ORDER BY created_at, id;

-- name: ListOpenBatches :many
SELECT * FROM batch WHERE state <> 'sent' ORDER BY created_at, id;

-- name: PutItem :exec
INSERT INTO batch_item (batch, card, chip, job, certificate, personal, spki, refused, outcome)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (batch, card) DO UPDATE SET chip = excluded.chip, job = excluded.job, certificate = excluded.certificate,
  personal = excluded.personal, spki = excluded.spki, refused = excluded.refused, outcome = excluded.outcome;

-- name: ListItems :many
SELECT * FROM batch_item WHERE batch = $1 AND card > $2 ORDER BY card LIMIT $3;

-- name: SeriesLast :one
SELECT last FROM series WHERE name = $1;

-- name: CountExceptions :one
SELECT COUNT(*) FROM production_exception;

-- name: CountItems :many
SELECT outcome, chip, COUNT(*) AS n FROM batch_item WHERE batch = $1 GROUP BY outcome, chip ORDER BY outcome, chip;
