-- name: SaveFlow :exec
INSERT INTO login_flow (hash, browser, session, client, acr, expires, ended) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: Flow :one
SELECT * FROM login_flow WHERE hash = $1;

-- name: EndFlow :execrows
UPDATE login_flow SET ended = $2 WHERE hash = $1 AND ended = 0;

-- name: SaveTicket :exec
INSERT INTO login_ticket (hash, flow, body, expires, taken) VALUES ($1, $2, $3, $4, $5);

-- name: Ticket :one
SELECT * FROM login_ticket WHERE hash = $1;

-- name: TakeTicket :execrows
UPDATE login_ticket SET taken = $2, body = $3 WHERE hash = $1 AND taken = 0;

-- name: InsertSession :exec
INSERT INTO login_session (id, par, body, version, pending, expires) VALUES ($1, $2, $3, 1, $4, $5);

-- name: ReplaceSession :execrows
UPDATE login_session SET par = $2, body = $3, pending = $4, expires = $5, version = version + 1
WHERE id = $1 AND version = $6 AND pending = 1;

-- name: Session :one
SELECT * FROM login_session WHERE id = $1;

-- name: SessionByPAR :one
SELECT * FROM login_session WHERE par = $1 AND par <> '';

-- name: InsertGrant :exec
INSERT INTO login_grant (id, code, refresh, credential, body, version, revoked, expires) VALUES ($1, $2, $3, $4, $5, 1, $6, $7);

-- name: ReplaceGrant :execrows
UPDATE login_grant SET code = $2, refresh = $3, body = $4, revoked = $5, expires = $6, version = version + 1
WHERE id = $1 AND version = $7 AND revoked = 0;

-- name: Grant :one
SELECT * FROM login_grant WHERE id = $1;

-- name: GrantByCode :one
SELECT * FROM login_grant WHERE code = $1 AND code <> '';

-- name: GrantByRefresh :one
SELECT * FROM login_grant WHERE refresh = $1 AND refresh <> '';

-- name: EndGrants :execrows
UPDATE login_grant SET revoked = $2, version = version + 1 WHERE credential = $1 AND revoked = 0;

-- name: EndGrant :exec
UPDATE login_grant SET revoked = $2, version = version + 1 WHERE id = $1 AND revoked = 0;

-- name: PutToken :exec
INSERT INTO login_token (id, grant_id, body, revoked, expires) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET revoked = excluded.revoked;

-- name: Token :one
SELECT * FROM login_token WHERE id = $1;

-- name: Spend :execrows
INSERT INTO login_spent (name, grant_id, expires) VALUES ($1, $2, $3)
ON CONFLICT (name) DO NOTHING;

-- name: Spent :one
SELECT grant_id FROM login_spent WHERE name = $1;

-- name: SweepFlows :exec
DELETE FROM login_flow WHERE expires < $1;

-- name: SweepTickets :exec
DELETE FROM login_ticket WHERE expires < $1;

-- name: SweepSessions :exec
DELETE FROM login_session WHERE expires < $1;

-- name: SweepGrants :exec
DELETE FROM login_grant WHERE expires < $1;

-- name: SweepTokens :exec
DELETE FROM login_token WHERE expires < $1;

-- name: SweepSpent :exec
DELETE FROM login_spent WHERE expires < $1;
