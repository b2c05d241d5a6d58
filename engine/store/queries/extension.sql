-- name: AddExtension :execrows
INSERT INTO extension (id, card, state, old_serial, new_serial, until, room, opened_at, issued_at, written_at, ended_at, session, session_ends, proved, nonce, challenge, script, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 1)
ON CONFLICT DO NOTHING;

-- name: PutExtension :execrows
UPDATE extension SET state = sqlc.arg(state), new_serial = sqlc.arg(new_serial), until = sqlc.arg(until), room = sqlc.arg(room), issued_at = sqlc.arg(issued_at),
written_at = sqlc.arg(written_at), ended_at = sqlc.arg(ended_at), session = sqlc.arg(session), session_ends = sqlc.arg(session_ends), proved = sqlc.arg(proved),
nonce = sqlc.arg(nonce), challenge = sqlc.arg(challenge), script = sqlc.arg(script), version = version + 1
WHERE id = sqlc.arg(id) AND version = sqlc.arg(version);

-- name: ExtensionsOf :many
SELECT * FROM extension WHERE card = $1 ORDER BY opened_at DESC, id DESC;

-- name: ExtensionBySession :one
SELECT * FROM extension WHERE session = $1;

-- name: ListExtensions :many
SELECT * FROM extension WHERE id > $1 ORDER BY id LIMIT $2;

-- name: PurgeExtensions :execrows
DELETE FROM extension WHERE (state = 'confirmed' OR state = 'abandoned') AND ended_at < $1;
