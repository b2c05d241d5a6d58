-- name: ReserveCertificate :execrows
INSERT INTO certificate (serial, issuer, shard, card, person, key_hash, state, reason, tbs, der, not_after, reserved_at, issued_at, activated_at, changed_at, version, extends)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT DO NOTHING;

-- name: GetCertificate :one
SELECT * FROM certificate WHERE serial = $1;

-- name: CertificatesOf :many
SELECT * FROM certificate WHERE state <> 'void' AND card = $1 ORDER BY reserved_at, serial;

-- name: CertificateWithKey :many
SELECT * FROM certificate WHERE key_hash = $1;

-- name: PutCertificate :execrows
UPDATE certificate SET state = $2, reason = $3, der = $4, issued_at = $5, activated_at = $6, changed_at = $7, version = version + 1,
  moved = (SELECT audit_head.idx FROM audit_head WHERE audit_head.id = 1)
WHERE serial = $1 AND version = $8;

-- name: UnfinishedCertificates :many
SELECT * FROM certificate WHERE state = 'reserved' AND serial > $1 ORDER BY serial LIMIT $2;

-- name: CertificateStanding :one
SELECT c.state, c.reason, c.issued_at, c.changed_at, c.version, CAST(COALESCE(a.revoked_at, 0) AS BIGINT) AS issuer_revoked_at
FROM certificate c LEFT JOIN authority a ON a.id = c.issuer WHERE c.issuer = $1 AND c.serial = $2;

-- name: ListedCertificates :many
SELECT serial, state, reason, issued_at, changed_at FROM certificate
WHERE issuer = $1 AND shard = $2 AND serial > $3 AND not_after >= $4 AND (state = 'pending' OR state = 'held' OR state = 'revoked')
ORDER BY serial LIMIT $5;

-- name: CountCertificates :many
SELECT state, COUNT(*) AS n FROM certificate GROUP BY state;

-- name: ListCertificates :many
SELECT * FROM certificate WHERE serial > $1 ORDER BY serial LIMIT $2;

-- Parts of the revocation lists.

-- name: GetCRL :one
SELECT number, this_update, change FROM crl WHERE issuer = $1 AND shard = $2;

-- name: LastCRL :one
SELECT CAST(COALESCE(MAX(this_update), 0) AS BIGINT) AS this_update FROM crl WHERE issuer = $1;

-- name: PutCRL :exec
INSERT INTO crl (issuer, shard, number, this_update, change) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (issuer, shard) DO UPDATE SET number = excluded.number, this_update = excluded.this_update, change = excluded.change;

-- name: KeepCRL :execrows
INSERT INTO crl (issuer, shard, number, this_update, change) VALUES ($1, $2, 0, 0, 0) ON CONFLICT DO NOTHING;

-- name: PartsOfCRL :many
SELECT shard, number, this_update, change FROM crl WHERE issuer = $1 ORDER BY shard;

-- name: ChangesOfCRL :many
SELECT shard, COUNT(*) AS n, CAST(MAX(urgent) AS BIGINT) AS urgent, CAST(MIN(at) AS BIGINT) AS since FROM crl_change WHERE issuer = $1 GROUP BY shard;

-- name: AddCRLChange :exec
INSERT INTO crl_change (serial, version, issuer, shard, at, urgent) VALUES ($1, $2, $3, $4, $5, $6);

-- name: TakeCRLChanges :execrows
DELETE FROM crl_change WHERE issuer = $1 AND shard = $2;

-- name: AddCRLList :exec
INSERT INTO crl_list (issuer, shard, number, this_update, change) VALUES ($1, $2, $3, $4, $5);

-- name: ForgetCRLLists :exec
DELETE FROM crl_list WHERE issuer = $1 AND shard = $2 AND (change < $3 OR this_update < $4);

-- name: ListsOfCRL :many
SELECT shard, number FROM crl_list WHERE issuer = $1;

-- OCSP (pki/status, Changes).

-- name: PlaceOfChanges :one
SELECT idx FROM audit_head WHERE id = 1;

-- name: ChangesSince :many
SELECT c.moved, c.serial, c.issuer, c.state, c.reason, c.issued_at, c.changed_at, c.not_after, c.version, CAST(COALESCE(a.revoked_at, 0) AS BIGINT) AS issuer_revoked_at
FROM certificate c LEFT JOIN authority a ON a.id = c.issuer
WHERE c.moved >= $1 AND (c.moved > $1 OR c.serial > $2) ORDER BY c.moved, c.serial LIMIT $3;

-- name: KnownCertificates :many
SELECT c.serial, c.state, c.reason, c.issued_at, c.changed_at, c.not_after, c.version, CAST(COALESCE(a.revoked_at, 0) AS BIGINT) AS issuer_revoked_at
FROM certificate c LEFT JOIN authority a ON a.id = c.issuer
WHERE c.issuer = $1 AND c.serial > $2 AND c.not_after >= $3 AND c.state <> 'reserved' AND c.state <> 'void' ORDER BY c.serial LIMIT $4;

-- name: GetOCSPMark :one
SELECT at FROM ocsp_mark WHERE issuer = $1;

-- name: PutOCSPMark :exec
INSERT INTO ocsp_mark (issuer, at) VALUES ($1, $2)
ON CONFLICT (issuer) DO UPDATE SET at = excluded.at WHERE ocsp_mark.at < excluded.at;

-- authorities

-- name: AddAuthority :execrows
INSERT INTO authority (id, label, der, known_at, turn, turn_at, revoked_at, reason, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)
ON CONFLICT DO NOTHING;

-- name: GetAuthority :one
SELECT * FROM authority WHERE id = $1;

-- name: ListAuthorities :many
SELECT * FROM authority ORDER BY known_at, id;

-- name: PutAuthority :execrows
UPDATE authority SET turn = $2, turn_at = $3, revoked_at = $4, reason = $5, version = version + 1
WHERE id = $1 AND version = $6;

-- name: GetSigned :one
SELECT at FROM signed WHERE name = $1;

-- name: RaiseSigned :exec
INSERT INTO signed (name, at) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE signed.at < excluded.at;

-- name: LivingOfIssuer :many
SELECT * FROM certificate WHERE issuer = $1 AND serial > $2 AND (state = 'reserved' OR state = 'pending' OR state = 'good' OR state = 'held')
ORDER BY serial LIMIT $3;

-- Part: safety. After a restore the lists that were published since the backup have
-- numbers that the store does not know.
-- name: LeapLists :exec
UPDATE crl SET number = number + $1;
