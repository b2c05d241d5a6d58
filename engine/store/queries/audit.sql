-- name: NextAbout :one
UPDATE audit_head SET idx = idx + 1 WHERE id = 1
RETURNING idx, (SELECT p.wrapped FROM audit_subject p WHERE p.finder = sqlc.arg(person)) AS person, (SELECT c.wrapped FROM audit_subject c WHERE c.finder = sqlc.arg(card)) AS card;

-- name: Subject :one
SELECT mark, wrapped FROM audit_subject WHERE finder = sqlc.arg(finder);

-- name: AddSubject :exec
INSERT INTO audit_subject (finder, mark, wrapped) VALUES (sqlc.arg(finder), sqlc.arg(mark), sqlc.arg(wrapped));

-- name: AddSubjects :exec
INSERT INTO audit_subject (finder, mark, wrapped)
VALUES (sqlc.arg(finder1), sqlc.arg(mark1), sqlc.arg(wrapped1)), (sqlc.arg(finder2), sqlc.arg(mark2), sqlc.arg(wrapped2));

-- name: Write :exec
INSERT INTO audit_record (idx, at, act, actor, office, card, person, detail, sealed, chain, hash)
VALUES (sqlc.arg(idx), sqlc.arg(at), sqlc.arg(act), sqlc.arg(actor), sqlc.arg(office), sqlc.arg(card), sqlc.arg(person), sqlc.arg(detail), sqlc.arg(sealed), sqlc.arg(chain), sqlc.arg(hash));

-- name: Head :one
SELECT idx FROM audit_head WHERE id = 1;

-- name: Foot :one
SELECT idx FROM audit_foot WHERE id = 1;

-- name: SetFoot :exec
UPDATE audit_foot SET idx = sqlc.arg(idx) WHERE id = 1;

-- name: Page :many
SELECT r.*, s.finder, s.wrapped FROM audit_record r
LEFT JOIN audit_subject s ON s.mark = CASE WHEN r.person = '' THEN r.card ELSE r.person END
WHERE r.idx > sqlc.arg(after) ORDER BY r.idx LIMIT sqlc.arg(n);

-- name: ByCard :many
SELECT r.*, s.finder, s.wrapped FROM audit_record r
LEFT JOIN audit_subject s ON s.mark = CASE WHEN r.person = '' THEN r.card ELSE r.person END
WHERE r.card = sqlc.arg(card) AND r.idx > sqlc.arg(after) ORDER BY r.idx LIMIT sqlc.arg(n);

-- name: ByPerson :many
SELECT r.*, s.finder, s.wrapped FROM audit_record r
LEFT JOIN audit_subject s ON s.mark = r.person
WHERE r.person = sqlc.arg(person) AND r.idx > sqlc.arg(after) ORDER BY r.idx LIMIT sqlc.arg(n);

-- name: LastByCard :many
SELECT r.*, s.finder, s.wrapped FROM audit_record r
LEFT JOIN audit_subject s ON s.mark = CASE WHEN r.person = '' THEN r.card ELSE r.person END
WHERE r.card = sqlc.arg(card) ORDER BY r.idx DESC LIMIT sqlc.arg(n);

-- name: LastByPerson :many
SELECT r.*, s.finder, s.wrapped FROM audit_record r
LEFT JOIN audit_subject s ON s.mark = r.person
WHERE r.person = sqlc.arg(person) ORDER BY r.idx DESC LIMIT sqlc.arg(n);

-- name: Search :many
SELECT r.*, s.finder, s.wrapped FROM audit_record r
LEFT JOIN audit_subject s ON s.mark = CASE WHEN r.person = '' THEN r.card ELSE r.person END
WHERE r.idx < sqlc.arg(before) AND r.at >= sqlc.arg(since) AND r.at < sqlc.arg(until)
  AND (CAST(sqlc.arg(person) AS TEXT) = '' OR r.person = CAST(sqlc.arg(person) AS TEXT))
  AND (CAST(sqlc.arg(card) AS TEXT) = '' OR r.card = CAST(sqlc.arg(card) AS TEXT))
  AND (CAST(sqlc.arg(actor) AS TEXT) = '' OR r.actor = CAST(sqlc.arg(actor) AS TEXT))
  AND (CAST(sqlc.arg(office) AS TEXT) = '' OR r.office = CAST(sqlc.arg(office) AS TEXT))
  AND (CAST(sqlc.arg(act) AS TEXT) = '' OR r.act = CAST(sqlc.arg(act) AS TEXT))
ORDER BY r.idx DESC LIMIT sqlc.arg(n);

-- name: FirstSince :one
SELECT idx FROM audit_record WHERE at >= sqlc.arg(since) ORDER BY idx LIMIT 1;

-- name: Instant :one
SELECT at FROM audit_record WHERE idx = sqlc.arg(idx);

-- name: CutThrough :execrows
DELETE FROM audit_record WHERE idx <= sqlc.arg(idx);

-- name: CountFrom :one
SELECT COUNT(*) FROM audit_record WHERE idx >= sqlc.arg(idx) AND at >= sqlc.arg(since) AND act = sqlc.arg(act);

-- Subjects

-- name: NewestOf :one
SELECT CAST(COALESCE(MAX(at), 0) AS BIGINT) AS at FROM audit_record WHERE card = sqlc.arg(mark) OR person = sqlc.arg(mark);

-- name: CountOf :one
SELECT COUNT(*) FROM audit_record WHERE card = sqlc.arg(mark) OR person = sqlc.arg(mark);

-- name: EraseSubject :execrows
DELETE FROM audit_subject WHERE mark = sqlc.arg(mark);

-- name: UnusedSubjects :many
SELECT s.mark FROM audit_subject s
WHERE NOT EXISTS (SELECT 1 FROM audit_record c WHERE c.card = s.mark) AND NOT EXISTS (SELECT 1 FROM audit_record p WHERE p.person = s.mark)
ORDER BY s.mark LIMIT sqlc.arg(n);

-- name: DropUnused :execrows
DELETE FROM audit_subject
WHERE NOT EXISTS (SELECT 1 FROM audit_record c WHERE c.card = audit_subject.mark) AND NOT EXISTS (SELECT 1 FROM audit_record p WHERE p.person = audit_subject.mark);

-- name: Whole :many
SELECT r.*, p.finder AS person_finder, p.wrapped AS person_wrapped, c.finder AS card_finder, c.wrapped AS card_wrapped FROM audit_record r
LEFT JOIN audit_subject p ON p.mark = r.person AND r.person <> ''
LEFT JOIN audit_subject c ON c.mark = r.card AND r.card <> ''
WHERE r.idx > sqlc.arg(after) ORDER BY r.idx LIMIT sqlc.arg(n);

-- The tree

-- name: Hashes :many
SELECT idx, hash FROM audit_record WHERE idx > sqlc.arg(after) AND idx <= sqlc.arg(through) ORDER BY idx LIMIT sqlc.arg(n);

-- name: Tile :one
SELECT data FROM audit_tile WHERE level = sqlc.arg(level) AND n = sqlc.arg(n);

-- name: LastTile :one
SELECT n, data FROM audit_tile WHERE level = sqlc.arg(level) ORDER BY n DESC LIMIT 1;

-- name: PutTile :exec
INSERT INTO audit_tile (level, n, data) VALUES (sqlc.arg(level), sqlc.arg(n), sqlc.arg(data))
ON CONFLICT (level, n) DO UPDATE SET data = excluded.data;

-- name: Levels :many
SELECT level, COUNT(*) AS tiles, CAST(MIN(n) AS BIGINT) AS first, CAST(MAX(n) AS BIGINT) AS last FROM audit_tile GROUP BY level ORDER BY level;

-- name: LastCheckpoint :one
SELECT number, size, note FROM audit_checkpoint ORDER BY number DESC LIMIT 1;

-- name: Checkpoints :many
SELECT number, size, note FROM audit_checkpoint WHERE number > sqlc.arg(after) ORDER BY number LIMIT sqlc.arg(n);

-- name: AddCheckpoint :exec
INSERT INTO audit_checkpoint (number, size, note) VALUES (sqlc.arg(number), sqlc.arg(size), sqlc.arg(note));

-- The chain of before

-- name: ChainHead :one
SELECT idx, hash FROM audit_chain_head WHERE id = 1;

-- name: ChainFoot :one
SELECT idx, hash FROM audit_chain_foot WHERE id = 1;

-- name: Chain :many
SELECT * FROM audit_chain WHERE idx > sqlc.arg(after) ORDER BY idx LIMIT sqlc.arg(n);

-- name: Unchain :exec
DELETE FROM audit_chain WHERE idx <= sqlc.arg(idx);

-- name: SetChainFoot :exec
UPDATE audit_chain_foot SET idx = sqlc.arg(idx), hash = sqlc.arg(hash) WHERE id = 1;
