-- +goose Up
-- Trusted lists (ETSI TS 119 612) that were brought in, and those that were
-- published: every one is kept (issuer/trustlist).
CREATE TABLE trust_list (
  id          TEXT   NOT NULL PRIMARY KEY,
  list        TEXT   NOT NULL, -- its name in the configuration; "own" for ours
  hash        TEXT   NOT NULL, -- SHA-256 of body, hexadecimal
  sequence    BIGINT NOT NULL,
  issued      BIGINT NOT NULL,
  next_update BIGINT NOT NULL, -- 0: closed
  state       TEXT   NOT NULL, -- waiting, current, past, refused
  body        BYTEA  NOT NULL,
  asked_by    TEXT   NOT NULL,
  at          BIGINT NOT NULL,
  decided_at  BIGINT NOT NULL, -- when the state became what it is
  UNIQUE (list, hash)
);
CREATE INDEX trust_list_state ON trust_list (list, state);
