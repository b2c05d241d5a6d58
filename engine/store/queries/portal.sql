-- name: PutSession :exec
INSERT INTO portal_session (key, body, began, seen) VALUES ($1, $2, $3, $4);

-- name: GetSession :one
SELECT * FROM portal_session WHERE key = $1;

-- name: TouchSession :exec
UPDATE portal_session SET seen = $2 WHERE key = $1;

-- name: DeleteSession :exec
DELETE FROM portal_session WHERE key = $1;

-- name: DeleteSessionsBefore :execrows
DELETE FROM portal_session WHERE began < $1;
