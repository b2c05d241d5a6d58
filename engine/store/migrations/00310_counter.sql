-- +goose Up
-- Counters (issuer/counter). What names a person is sealed in body.
CREATE TABLE counter_draft (
  id         TEXT   NOT NULL PRIMARY KEY,
  operator   TEXT   NOT NULL,
  office     TEXT   NOT NULL,
  body       BYTEA  NOT NULL,
  version    BIGINT NOT NULL,
  touched_at BIGINT NOT NULL
);
CREATE INDEX counter_draft_by_operator ON counter_draft (operator, touched_at);

-- One row per act at a counter (activation, reprint, suspension …); request is
-- what makes pressing twice one act.
CREATE TABLE counter_act (
  protocol  TEXT   NOT NULL PRIMARY KEY,
  kind      TEXT   NOT NULL,
  request   TEXT   NOT NULL UNIQUE,
  card      TEXT   NOT NULL,
  operator  TEXT   NOT NULL,
  office    TEXT   NOT NULL,
  at        BIGINT NOT NULL,
  printed_at BIGINT NOT NULL,
  handed_at BIGINT NOT NULL,
  body      BYTEA  NOT NULL
);
CREATE INDEX counter_act_by_card ON counter_act (card, at);
CREATE INDEX counter_act_by_office ON counter_act (office, at);

CREATE TABLE counter_protocol (
  year BIGINT NOT NULL PRIMARY KEY,
  last BIGINT NOT NULL
);

-- Wrong tries: of a CIP per card and per source, of a password per account.
CREATE TABLE counter_tries (
  subject  TEXT   NOT NULL PRIMARY KEY,
  failures BIGINT NOT NULL,
  last_at  BIGINT NOT NULL,
  until    BIGINT NOT NULL
);

-- The last one-time code that each operator used.
CREATE TABLE counter_totp (
  account TEXT   NOT NULL PRIMARY KEY,
  step    BIGINT NOT NULL
);
