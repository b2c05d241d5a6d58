-- name: PutHeld :exec
INSERT INTO portal_held (key, body, until) VALUES ($1, $2, $3)
ON CONFLICT (key) DO UPDATE SET body = excluded.body, until = excluded.until;

-- name: GetHeld :one
SELECT * FROM portal_held WHERE key = $1 AND until > $2;

-- name: DeleteHeld :execrows
DELETE FROM portal_held WHERE key = $1;

-- name: PruneHeld :execrows
DELETE FROM portal_held WHERE until <= $1;
