-- name: InsertPaper :execrows
INSERT INTO archive_paper (id, act, person, kind, type, size, by_whom, at, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO NOTHING;

-- name: ListPapers :many
SELECT id, act, person, kind, type, size, by_whom, at FROM archive_paper WHERE act = $1 ORDER BY at, id;

-- name: GetPaper :one
SELECT * FROM archive_paper WHERE id = $1;

-- name: GetPaperKey :one
SELECT wrapped FROM archive_key WHERE person = $1;

-- name: InsertPaperKey :execrows
INSERT INTO archive_key (person, wrapped, at) VALUES ($1, $2, $3) ON CONFLICT (person) DO NOTHING;

-- name: DeletePaperKey :exec
DELETE FROM archive_key WHERE person = $1;

-- name: DeletePapersOf :execrows
DELETE FROM archive_paper WHERE person = $1;

-- name: ListPapersOf :many
SELECT id, act, person, kind, type, size, by_whom, at FROM archive_paper WHERE person = $1 ORDER BY at, id;

-- name: ListOverdue :many
SELECT DISTINCT person FROM archive_paper WHERE kind = $1 AND at < $2 AND person > $3 ORDER BY person LIMIT $4;

-- name: DeletePapersBefore :execrows
DELETE FROM archive_paper WHERE person = $1 AND kind = $2 AND at < $3;

-- name: InsertDue :exec
INSERT INTO archive_due (protocol, kind, office, card, at, done_at) VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT (protocol, kind) DO NOTHING;

-- name: SettleDue :exec
UPDATE archive_due SET done_at = $3 WHERE protocol = $1 AND kind = $2 AND done_at = 0;

-- name: ListDue :many
SELECT * FROM archive_due WHERE office = $1 AND done_at = 0 ORDER BY at, protocol, kind LIMIT $2;

-- name: ListDueOf :many
SELECT * FROM archive_due WHERE protocol = $1 AND done_at = 0 ORDER BY kind;

-- name: ListDueIn :many
SELECT * FROM archive_due WHERE office = $1 AND done_at = 0 AND at >= $2 AND at < sqlc.arg(until) ORDER BY at, protocol, kind;

-- name: DeleteSettled :execrows
DELETE FROM archive_due WHERE done_at > 0 AND done_at < $1;
