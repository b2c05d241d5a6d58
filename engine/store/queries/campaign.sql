-- name: InsertCampaign :execrows
INSERT INTO campaign (id, kind, name, criteria, preview, state, sum, total, note, asked_by, office, approved_by, created_at, started_at, ended_at, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 1)
ON CONFLICT DO NOTHING;

-- name: UpdateCampaign :execrows
UPDATE campaign SET preview = $2, state = $3, sum = $4, total = $5, note = $6, asked_by = $7, office = $8, approved_by = $9, started_at = $10, ended_at = $11,
  version = version + 1
WHERE id = $1 AND version = $12;

-- name: GetCampaign :one
SELECT * FROM campaign WHERE id = $1;

-- name: CampaignByName :one
SELECT * FROM campaign WHERE kind = $1 AND name = $2;

-- name: Campaigns :many
SELECT * FROM campaign WHERE kind = $1 ORDER BY created_at DESC, id LIMIT $2;

-- name: CampaignsInState :many
SELECT * FROM campaign WHERE state = $1 ORDER BY created_at, id;

-- name: InsertCampaignItem :execrows
INSERT INTO campaign_item (campaign, key, motive, body, state, outcome, next, done_at) VALUES ($1, $2, $3, $4, $5, '', '', 0)
ON CONFLICT DO NOTHING;

-- name: MoveCampaignItem :execrows
UPDATE campaign_item SET state = sqlc.arg(state), outcome = sqlc.arg(outcome), next = sqlc.arg(next), done_at = sqlc.arg(done_at), body = sqlc.arg(body)
WHERE campaign = sqlc.arg(campaign) AND key = sqlc.arg(key) AND state = sqlc.arg(was);

-- name: GetCampaignItem :one
SELECT * FROM campaign_item WHERE campaign = $1 AND key = $2;

-- name: CampaignItems :many
SELECT * FROM campaign_item WHERE campaign = $1 AND key > $2 ORDER BY key LIMIT $3;

-- name: CampaignItemsInState :many
SELECT * FROM campaign_item WHERE campaign = $1 AND state = $2 AND key > $3 ORDER BY key LIMIT $4;

-- name: WaitingItemsOf :many
SELECT i.* FROM campaign_item i JOIN campaign c ON c.id = i.campaign
WHERE i.key = $1 AND i.state = 'waiting' AND c.kind = $2 AND (c.state = 'asked' OR c.state = 'running' OR c.state = 'draft' OR c.state = 'stopped')
ORDER BY c.created_at, c.id;

-- name: CountCampaignItems :many
SELECT state, COUNT(*) AS n FROM campaign_item WHERE campaign = $1 GROUP BY state ORDER BY state;

-- name: DeleteCampaignItems :exec
DELETE FROM campaign_item WHERE campaign = $1;

-- name: InsertRecoded :execrows
INSERT INTO recoded (old, new, at) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING;

-- name: GetRecoded :one
SELECT * FROM recoded WHERE old = $1;

-- name: AnyRecoded :many
SELECT old FROM recoded LIMIT 1;

-- name: PurgeCampaignItems :execrows
DELETE FROM campaign_item WHERE campaign IN (SELECT id FROM campaign WHERE campaign.ended_at > 0 AND campaign.ended_at < $1);

-- name: PurgeCampaigns :execrows
DELETE FROM campaign WHERE ended_at > 0 AND ended_at < $1;
