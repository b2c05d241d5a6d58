-- name: PutReport :execrows
INSERT INTO helpdesk_report (reference, at, body) VALUES ($1, $2, $3) ON CONFLICT (reference) DO NOTHING;

-- name: Report :one
SELECT * FROM helpdesk_report WHERE reference = $1;

-- name: CountReports :one
SELECT COUNT(*) FROM helpdesk_report;

-- name: PurgeReports :execrows
DELETE FROM helpdesk_report WHERE at < $1;
