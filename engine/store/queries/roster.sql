-- name: RosterVersion :one
SELECT version FROM roster_version WHERE one = 1;

-- name: BumpRoster :exec
UPDATE roster_version SET version = version + 1 WHERE one = 1;

-- name: RosterOffices :many
SELECT * FROM roster_office ORDER BY id;

-- name: PutRosterOffice :exec
INSERT INTO roster_office (id, body, changed_at, changed_by) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET body = excluded.body, changed_at = excluded.changed_at, changed_by = excluded.changed_by;

-- name: RosterAccounts :many
SELECT * FROM roster_account ORDER BY account;

-- name: RosterAccount :one
SELECT * FROM roster_account WHERE account = $1;

-- name: PutRosterAccount :exec
INSERT INTO roster_account (account, body, proposal, disabled, reviewed_at, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (account) DO UPDATE SET body = excluded.body, proposal = excluded.proposal, disabled = excluded.disabled,
  reviewed_at = excluded.reviewed_at, changed_at = excluded.changed_at, changed_by = excluded.changed_by;

-- name: RosterEnrolment :one
SELECT * FROM roster_enrolment WHERE account = $1;

-- name: PutRosterEnrolment :exec
INSERT INTO roster_enrolment (account, first_by, second_by, first, second, pending, proof, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (account) DO UPDATE SET first_by = excluded.first_by, second_by = excluded.second_by, first = excluded.first, second = excluded.second,
  pending = excluded.pending, proof = excluded.proof, expires = excluded.expires;

-- name: DeleteRosterEnrolment :exec
DELETE FROM roster_enrolment WHERE account = $1;
