-- name: AddDeskJob :exec
INSERT INTO desk_job (id, desk, office, operator, kind, card, protocol, state, at, expires, reader, first, second, outcome, found)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);

-- name: DeskJob :one
SELECT * FROM desk_job WHERE id = $1;

-- name: NextDeskJob :many
SELECT * FROM desk_job WHERE desk = $1 AND state = $2 AND expires > $3 ORDER BY at, id LIMIT 1;

-- name: PutDeskJob :execrows
UPDATE desk_job SET state = sqlc.arg(state), expires = sqlc.arg(expires), reader = sqlc.arg(reader), first = sqlc.arg(first), second = sqlc.arg(second), outcome = sqlc.arg(outcome),
  found = sqlc.arg(found)
WHERE id = sqlc.arg(id) AND state = sqlc.arg(was);

-- name: SetDeskFirst :execrows
UPDATE desk_job SET first = $2 WHERE id = $1 AND state = 'taken';

-- name: SetDeskSecond :execrows
UPDATE desk_job SET second = $2 WHERE id = $1 AND state = 'taken';

-- name: PruneDeskJobs :execrows
DELETE FROM desk_job WHERE expires < $1;

-- name: KeepPreviousCodes :execrows
INSERT INTO card_codes_previous (card, version, pin_first, pin_second, puk_first, puk_second)
SELECT card, version, pin_first, pin_second, puk_first, puk_second FROM card_codes WHERE card_codes.card = $1
ON CONFLICT DO NOTHING;

-- name: PreviousCodes :one
SELECT * FROM card_codes_previous WHERE card = $1;

-- name: DropPreviousCodes :execrows
DELETE FROM card_codes_previous WHERE card = $1;
