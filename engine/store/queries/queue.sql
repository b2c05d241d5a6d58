-- name: Add :execrows
INSERT INTO effect (key, kind, card, body, state, held, attempts, created_at, next_at, lease_until, ended_at, last_error)
VALUES (sqlc.arg(key), sqlc.arg(kind), sqlc.arg(card), sqlc.arg(body), 'pending', 0, 0, sqlc.arg(created_at), sqlc.arg(next_at), 0, 0, '')
ON CONFLICT (key) DO NOTHING;

-- name: Get :one
SELECT * FROM effect WHERE key = $1;

-- name: Due :many
SELECT * FROM effect
WHERE kind = sqlc.arg(kind) AND state = 'pending' AND next_at <= sqlc.arg(now)
ORDER BY next_at, key LIMIT sqlc.arg(n);

-- name: Lost :many
SELECT * FROM effect
WHERE kind = sqlc.arg(kind) AND state = 'leased' AND lease_until <= sqlc.arg(now)
ORDER BY key LIMIT sqlc.arg(n);

-- name: Leased :many
SELECT * FROM effect WHERE state = 'leased' ORDER BY key;

-- name: Ripe :many
SELECT * FROM effect
WHERE kind = sqlc.arg(kind) AND state = 'uncertain' AND ended_at <= sqlc.arg(before)
ORDER BY key LIMIT sqlc.arg(n);

-- name: Lease :execrows
UPDATE effect SET state = 'leased', attempts = attempts + 1, lease_until = sqlc.arg(lease_until)
WHERE key = sqlc.arg(key) AND state = 'pending' AND attempts = sqlc.arg(attempts);

-- name: Settle :execrows
UPDATE effect SET state = sqlc.arg(state), next_at = sqlc.arg(next_at), ended_at = sqlc.arg(ended_at), lease_until = 0, last_error = sqlc.arg(last_error)
WHERE key = sqlc.arg(key) AND state = sqlc.arg(was) AND attempts = sqlc.arg(attempts);

-- name: Finish :execrows
UPDATE effect SET state = 'done', held = 0, body = NULL, ended_at = sqlc.arg(ended_at), lease_until = 0, last_error = ''
WHERE key = sqlc.arg(key) AND state = sqlc.arg(was) AND attempts = sqlc.arg(attempts);

-- name: FinishHeld :execrows
UPDATE effect SET state = 'done', held = 1, ended_at = sqlc.arg(ended_at), lease_until = 0, last_error = ''
WHERE key = sqlc.arg(key) AND state = sqlc.arg(was) AND attempts = sqlc.arg(attempts);

-- name: Release :execrows
UPDATE effect SET held = 0, body = NULL
WHERE key = sqlc.arg(key) AND state = 'done' AND held = 1;

-- name: Drop :execrows
UPDATE effect SET state = 'dropped', held = 0, body = NULL, ended_at = sqlc.arg(ended_at), lease_until = 0, last_error = sqlc.arg(last_error)
WHERE key = sqlc.arg(key) AND state <> 'dropped' AND state <> 'bounced' AND (state <> 'done' OR held = 1);

-- name: Bounce :execrows
UPDATE effect SET state = 'bounced', body = NULL, ended_at = sqlc.arg(ended_at), lease_until = 0, last_error = sqlc.arg(last_error)
WHERE key = sqlc.arg(key) AND held = 0 AND attempts > 0 AND state IN ('done', 'uncertain', 'pending');

-- name: List :many
SELECT key, kind, card, state, held, attempts, created_at, next_at, lease_until, ended_at, last_error FROM effect
WHERE (CAST(sqlc.arg(state) AS TEXT) = '' OR state = CAST(sqlc.arg(state) AS TEXT))
  AND (CAST(sqlc.arg(kind) AS TEXT) = '' OR kind = CAST(sqlc.arg(kind) AS TEXT))
  AND (CAST(sqlc.arg(card) AS TEXT) = '' OR card = CAST(sqlc.arg(card) AS TEXT))
  AND key > sqlc.arg(after)
ORDER BY key LIMIT sqlc.arg(n);

-- name: Counts :many
SELECT kind, state, COUNT(*) AS n FROM effect GROUP BY kind, state ORDER BY kind, state;

-- name: Page :many
SELECT * FROM effect WHERE key > sqlc.arg(after) ORDER BY key LIMIT sqlc.arg(n);
