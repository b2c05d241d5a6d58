-- name: AddDeclaration :exec
INSERT INTO declaration_check (protocol, kind, card, office, asl, operator, at, state, decided_by, decided_in, decided_at, note)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', '', '', 0, '')
ON CONFLICT (protocol) DO NOTHING;

-- name: GetDeclaration :one
SELECT * FROM declaration_check WHERE protocol = $1;

-- name: ListOpenDeclarations :many
SELECT * FROM declaration_check
WHERE state = 'open' AND (office = $1 OR (asl = $2 AND asl <> '')) ORDER BY at, protocol LIMIT $3;

-- name: DecideDeclaration :execrows
UPDATE declaration_check SET state = $2, decided_by = $3, decided_in = $4, decided_at = $5, note = $6
WHERE protocol = $1 AND state = 'open';

-- name: CountDeclarations :many
SELECT state, COUNT(*) AS n FROM declaration_check GROUP BY state;

-- name: CountAllDeclarations :one
SELECT COUNT(*) FROM declaration_check;

-- name: EachDeclaration :many
SELECT * FROM declaration_check WHERE protocol > $1 ORDER BY protocol LIMIT $2;

-- name: PurgeDeclarations :execrows
DELETE FROM declaration_check WHERE decided_at > 0 AND decided_at < $1;
