-- name: GetCard :one
SELECT * FROM card WHERE id = $1;

-- name: GetCardByTEAM :one
SELECT * FROM card WHERE team = $1;

-- name: GetCardByCertificate :one
SELECT * FROM card WHERE cert_serial = $1;

-- name: ListCardsByPerson :many
SELECT * FROM card WHERE cf = $1 ORDER BY ordered_at DESC, id DESC;

-- name: ListCardsByState :many
SELECT * FROM card WHERE state = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: ListCardsByBatch :many
SELECT * FROM card WHERE batch = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: ListCards :many
SELECT * FROM card WHERE id > $1 ORDER BY id LIMIT $2;

-- name: CountCardsByState :many
SELECT state, model, COUNT(*) AS n FROM card GROUP BY state, model ORDER BY state, model;

-- name: InsertCard :execrows
INSERT INTO card (id, team, cf, model, state, issued, expires, expiry_reason, batch, cert_serial, cert_expires,
  replaces, replaced_by, ordered_at, shipped_at, delivered_at, activated_at, suspended_at, revoked_at, ended_at, reason, version, corrected_at, issuer, correction_days)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, 1, $22, $23, $24)
ON CONFLICT DO NOTHING;

-- name: UpdateCard :execrows
UPDATE card SET team = $2, cf = $3, model = $4, state = $5, issued = $6, expires = $7, expiry_reason = $8, batch = $9,
  cert_serial = $10, cert_expires = $11, replaces = $12, replaced_by = $13, ordered_at = $14, shipped_at = $15,
  delivered_at = $16, activated_at = $17, suspended_at = $18, revoked_at = $19, ended_at = $20, reason = $21,
  corrected_at = $22, correction_days = $24, version = version + 1
WHERE id = $1 AND version = $23;

-- name: GetCodes :one
SELECT * FROM card_codes WHERE card = $1;

-- name: GetCodesByCIP :one
SELECT card FROM card_codes WHERE cip_mac = $1;

-- name: InsertCodes :execrows
INSERT INTO card_codes (card, version, pin_first, pin_second, puk_first, puk_second, cip_first, cip_second, cip_mac, cip_digits)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT DO NOTHING;

-- name: DestroyCodes :execrows
DELETE FROM card_codes WHERE card = $1;

-- name: CountCodes :one
SELECT COUNT(*) FROM card_codes;

-- name: ListCoded :many
SELECT card FROM card_codes WHERE card > $1 ORDER BY card LIMIT $2;

-- name: CountCards :one
SELECT COUNT(*) FROM card;

-- name: CountCardsOfBatch :many
SELECT state, COUNT(*) AS n FROM card WHERE batch = $1 GROUP BY state ORDER BY state;
