-- +goose Up
-- Work on many cards that is chosen first, shown, approved, and then done card by
-- card (issuer/campaign): renewals, bulk revocations, corrections that wait.
CREATE TABLE campaign (
  id          TEXT   NOT NULL PRIMARY KEY,
  kind        TEXT   NOT NULL,
  name        TEXT   NOT NULL,
  criteria    BYTEA  NOT NULL, -- JSON; names nobody
  preview     BYTEA  NOT NULL, -- JSON: counts at the choice
  state       TEXT   NOT NULL, -- choosing, draft, asked, running, stopped, ended, dropped
  sum         TEXT   NOT NULL, -- of criteria and items: what an approval is bound to
  total       BIGINT NOT NULL,
  note        TEXT   NOT NULL,
  asked_by    TEXT   NOT NULL,
  office      TEXT   NOT NULL,
  approved_by TEXT   NOT NULL,
  created_at  BIGINT NOT NULL,
  started_at  BIGINT NOT NULL,
  ended_at    BIGINT NOT NULL,
  version     BIGINT NOT NULL,
  UNIQUE (kind, name)
);
CREATE TABLE campaign_item (
  campaign TEXT   NOT NULL,
  key      TEXT   NOT NULL, -- card number, or a keyed mark of a person
  motive   TEXT   NOT NULL,
  body     BYTEA  NOT NULL, -- sealed when it names somebody
  state    TEXT   NOT NULL, -- waiting, done, nothing, exception, failed, superseded
  outcome  TEXT   NOT NULL, -- a CSE code or a reason
  next     TEXT   NOT NULL, -- the card ordered
  done_at  BIGINT NOT NULL,
  PRIMARY KEY (campaign, key)
);
CREATE INDEX campaign_item_state ON campaign_item (campaign, state, key);
CREATE INDEX campaign_item_key ON campaign_item (key);

-- Codici fiscali that the Revenue Agency replaced (R30).
CREATE TABLE recoded (
  old TEXT   NOT NULL PRIMARY KEY,
  new TEXT   NOT NULL,
  at  BIGINT NOT NULL
);
