-- name: PutRequest :exec
INSERT INTO privacy_request (id, person, kind, state, at, due, answered_at, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: AnswerRequest :execrows
UPDATE privacy_request SET state = $2, answered_at = $3, body = $4 WHERE id = $1 AND state = 'open';

-- name: GetRequest :one
SELECT * FROM privacy_request WHERE id = $1;

-- name: ListRequestsOf :many
SELECT * FROM privacy_request WHERE person = $1 ORDER BY at DESC, id LIMIT 100;

-- name: ListOpenRequests :many
SELECT * FROM privacy_request WHERE state = 'open' ORDER BY due, id LIMIT $1;

-- name: PurgeRequests :execrows
DELETE FROM privacy_request WHERE state <> 'open' AND answered_at < $1;

-- name: AddLook :execrows
INSERT INTO privacy_look (operator, day, person) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING;

-- name: CountLooks :one
SELECT COUNT(*) FROM privacy_look WHERE operator = $1 AND day = $2;

-- name: PurgeLooks :execrows
DELETE FROM privacy_look WHERE day < $1;

-- name: PutAlert :execrows
INSERT INTO privacy_alert (id, kind, operator, office, card, day, count, at, seen_at, seen_by, note)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, '', '')
ON CONFLICT (id) DO UPDATE SET count = excluded.count WHERE privacy_alert.count < excluded.count;

-- name: ListAlerts :many
SELECT * FROM privacy_alert WHERE seen_at = 0 ORDER BY at DESC, id LIMIT $1;

-- name: SeeAlert :execrows
UPDATE privacy_alert SET seen_at = $2, seen_by = $3, note = $4 WHERE id = $1 AND seen_at = 0;

-- name: PurgeAlerts :execrows
DELETE FROM privacy_alert WHERE seen_at > 0 AND seen_at < $1;

-- name: PutRetention :exec
INSERT INTO privacy_retention (day, report) VALUES ($1, $2)
ON CONFLICT (day) DO UPDATE SET report = excluded.report;

-- name: ListRetention :many
SELECT * FROM privacy_retention ORDER BY day DESC LIMIT $1;

-- name: CountQuestion :one
INSERT INTO eligibility_count (client, day, n) VALUES ($1, $2, 1)
ON CONFLICT (client, day) DO UPDATE SET n = eligibility_count.n + 1
RETURNING n;

-- name: PurgeQuestions :execrows
DELETE FROM eligibility_count WHERE day < $1;

-- name: PutTicket :exec
INSERT INTO helpdesk_ticket (id, card, agent, outcome, at, body) VALUES ($1, $2, $3, $4, $5, $6);

-- name: ListTickets :many
SELECT * FROM helpdesk_ticket WHERE card = $1 ORDER BY at DESC, id LIMIT 50;

-- name: PurgeTickets :execrows
DELETE FROM helpdesk_ticket WHERE at < $1;
