-- name: InsertApproval :exec
INSERT INTO approval (id, kind, subject, content, note, state, asked_by, office, asked_at, expires, decided_by, decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', 0);

-- name: MoveApproval :execrows
UPDATE approval SET state = sqlc.arg(state), decided_by = sqlc.arg(decided_by), decided_at = sqlc.arg(decided_at)
WHERE id = sqlc.arg(id) AND state = sqlc.arg(was);

-- name: GetApproval :one
SELECT * FROM approval WHERE id = $1;

-- name: ApprovalsBySubject :many
SELECT * FROM approval WHERE kind = $1 AND subject = $2 ORDER BY asked_at DESC, id;

-- name: ApprovalsByState :many
SELECT * FROM approval WHERE state = $1 AND expires > $2 ORDER BY asked_at, id LIMIT $3;

-- name: InsertParameter :exec
INSERT INTO parameter (name, valid_from, value, approval, at) VALUES ($1, $2, $3, $4, $5);

-- name: Parameters :many
SELECT * FROM parameter ORDER BY name, valid_from DESC, at DESC;

-- name: ParameterOn :many
SELECT value FROM parameter WHERE name = $1 AND valid_from <= $2 ORDER BY valid_from DESC, at DESC LIMIT 1;

-- name: PurgeApprovals :execrows
DELETE FROM approval WHERE expires < $1;
