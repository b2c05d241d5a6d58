-- name: PutContact :exec
INSERT INTO contact (person, address, at, replaced_at, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (person) DO UPDATE SET address = excluded.address, at = excluded.at, replaced_at = excluded.replaced_at, body = excluded.body;

-- name: GetContact :one
SELECT * FROM contact WHERE person = $1;

-- name: ListContactsAt :many
SELECT * FROM contact WHERE address = $1 ORDER BY person LIMIT $2;

-- name: PutChange :exec
INSERT INTO contact_change (person, until, effective, body) VALUES ($1, $2, $3, $4)
ON CONFLICT (person) DO UPDATE SET until = excluded.until, effective = excluded.effective, body = excluded.body;

-- name: GetChange :one
SELECT * FROM contact_change WHERE person = $1;

-- name: DeleteChange :exec
DELETE FROM contact_change WHERE person = $1;

-- name: ListDueChanges :many
SELECT * FROM contact_change WHERE effective > 0 AND effective <= $1 ORDER BY effective, person LIMIT $2;

-- name: PruneChanges :execrows
DELETE FROM contact_change WHERE effective = 0 AND until < $1;

-- name: AddNotice :execrows
INSERT INTO contact_notice (card, notice, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: AddTEAMCertificate :execrows
INSERT INTO team_certificate (id, request, person, at, until, ended_at, ended, body) VALUES ($1, $2, $3, $4, $5, 0, '', $6)
ON CONFLICT DO NOTHING;

-- name: GetTEAMCertificate :one
SELECT * FROM team_certificate WHERE id = $1;

-- name: GetTEAMCertificateByRequest :one
SELECT * FROM team_certificate WHERE request = $1;

-- name: ListTEAMCertificates :many
SELECT * FROM team_certificate WHERE person = $1 ORDER BY at DESC, id LIMIT 100;

-- name: ListOpenTEAMCertificates :many
SELECT * FROM team_certificate WHERE ended_at = 0 AND id > $1 ORDER BY id LIMIT $2;

-- name: EndTEAMCertificate :execrows
UPDATE team_certificate SET ended_at = $2, ended = $3 WHERE id = $1 AND ended_at = 0;

-- name: ListReplacedContacts :many
SELECT * FROM contact WHERE replaced_at > 0 AND replaced_at < $1 ORDER BY person LIMIT $2;

-- name: PurgeNotices :execrows
DELETE FROM contact_notice WHERE card IN (SELECT id FROM card WHERE card.ended_at > 0 AND card.ended_at < $1);

-- name: PurgeTEAMCertificates :execrows
DELETE FROM team_certificate WHERE until < $1;

-- name: AddRelease :exec
INSERT INTO address_release (person, address, approval, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: CountReleases :one
SELECT COUNT(*) FROM address_release WHERE person = $1 AND address = $2;
