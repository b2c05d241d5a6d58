-- name: AddTrustList :exec
INSERT INTO trust_list (id, list, hash, sequence, issued, next_update, state, body, asked_by, at, decided_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: MoveTrustList :execrows
UPDATE trust_list SET state = $1, decided_at = $2 WHERE id = $3 AND state = $4;

-- name: TrustListHeads :many
SELECT id, list, hash, sequence, issued, state FROM trust_list WHERE state = 'current' OR state = 'waiting' ORDER BY list, state;

-- name: TrustListBody :one
SELECT body FROM trust_list WHERE id = $1;

-- name: TrustListHistory :many
SELECT id, list, hash, sequence, issued, next_update, state, asked_by, at, decided_at FROM trust_list WHERE list = $1 ORDER BY sequence DESC, at DESC LIMIT $2;
