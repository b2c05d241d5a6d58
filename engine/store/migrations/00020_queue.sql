-- +goose Up
-- Things to be done outside: a mail, a print. See engine/queue.
CREATE TABLE effect (
  key         TEXT   NOT NULL PRIMARY KEY, -- unique for ever
  kind        TEXT   NOT NULL,
  card        TEXT   NOT NULL,
  body        BYTEA,                       -- sealed; NULL once destroyed
  state       TEXT   NOT NULL,             -- pending leased done failed uncertain dropped
  held        BIGINT NOT NULL,             -- 1: done, body kept until released
  attempts    BIGINT NOT NULL,             -- also the fencing token of a lease
  created_at  BIGINT NOT NULL,
  next_at     BIGINT NOT NULL,
  lease_until BIGINT NOT NULL,
  ended_at    BIGINT NOT NULL,
  last_error  TEXT   NOT NULL
);
CREATE INDEX effect_due ON effect (kind, state, next_at);
CREATE INDEX effect_card ON effect (card);
