-- name: Next :one
UPDATE audit_head SET idx = idx + 1 WHERE id = 1 RETURNING idx, hash;

-- name: SetHead :execrows
UPDATE audit_head SET hash = sqlc.arg(hash) WHERE id = 1 AND idx = sqlc.arg(idx);

-- name: Write :exec
INSERT INTO audit_record (idx, at, act, actor, office, card, person, detail, prev, hash)
VALUES (sqlc.arg(idx), sqlc.arg(at), sqlc.arg(act), sqlc.arg(actor), sqlc.arg(office), sqlc.arg(card), sqlc.arg(person), sqlc.arg(detail), sqlc.arg(prev), sqlc.arg(hash));

-- name: Head :one
SELECT idx, hash FROM audit_head WHERE id = 1;

-- name: Page :many
SELECT * FROM audit_record WHERE idx > sqlc.arg(after) ORDER BY idx LIMIT sqlc.arg(n);

-- name: ByCard :many
SELECT * FROM audit_record WHERE card = sqlc.arg(card) AND idx > sqlc.arg(after) ORDER BY idx LIMIT sqlc.arg(n);

-- name: ByPerson :many
SELECT * FROM audit_record WHERE person = sqlc.arg(person) AND idx > sqlc.arg(after) ORDER BY idx LIMIT sqlc.arg(n);

-- name: LastByCard :many
SELECT * FROM audit_record WHERE card = sqlc.arg(card) ORDER BY idx DESC LIMIT sqlc.arg(n);

-- name: LastByPerson :many
SELECT * FROM audit_record WHERE person = sqlc.arg(person) ORDER BY idx DESC LIMIT sqlc.arg(n);

-- name: Search :many
SELECT * FROM audit_record
WHERE idx < sqlc.arg(before) AND at >= sqlc.arg(since) AND at < sqlc.arg(until)
  AND (CAST(sqlc.arg(person) AS TEXT) = '' OR person = CAST(sqlc.arg(person) AS TEXT))
  AND (CAST(sqlc.arg(card) AS TEXT) = '' OR card = CAST(sqlc.arg(card) AS TEXT))
  AND (CAST(sqlc.arg(actor) AS TEXT) = '' OR actor = CAST(sqlc.arg(actor) AS TEXT))
  AND (CAST(sqlc.arg(office) AS TEXT) = '' OR office = CAST(sqlc.arg(office) AS TEXT))
  AND (CAST(sqlc.arg(act) AS TEXT) = '' OR act = CAST(sqlc.arg(act) AS TEXT))
ORDER BY idx DESC LIMIT sqlc.arg(n);

-- name: Foot :one
SELECT idx, hash FROM audit_foot WHERE id = 1;

-- name: SetFoot :exec
UPDATE audit_foot SET idx = sqlc.arg(idx), hash = sqlc.arg(hash) WHERE id = 1;

-- name: FirstSince :one
SELECT idx FROM audit_record WHERE at >= sqlc.arg(since) ORDER BY idx LIMIT 1;

-- name: One :one
SELECT * FROM audit_record WHERE idx = sqlc.arg(idx);

-- name: CutThrough :execrows
DELETE FROM audit_record WHERE idx <= sqlc.arg(idx);

-- name: CountFrom :one
SELECT COUNT(*) FROM audit_record WHERE idx >= sqlc.arg(idx) AND at >= sqlc.arg(since) AND act = sqlc.arg(act);
