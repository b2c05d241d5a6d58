-- +goose Up
-- Offices and operators kept while the program runs (issuer/roster).
CREATE TABLE roster_version (
  one     BIGINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
);
INSERT INTO roster_version (one, version) VALUES (1, 1);

CREATE TABLE roster_office (
  id         TEXT   NOT NULL PRIMARY KEY,
  body       BYTEA  NOT NULL, -- JSON; names nobody
  changed_at BIGINT NOT NULL,
  changed_by TEXT   NOT NULL
);

CREATE TABLE roster_account (
  account     TEXT   NOT NULL PRIMARY KEY,
  body        BYTEA  NOT NULL, -- sealed; empty: the configuration's, or only proposed
  proposal    BYTEA  NOT NULL, -- sealed; empty: nothing waits
  disabled    BIGINT NOT NULL,
  reviewed_at BIGINT NOT NULL,
  changed_at  BIGINT NOT NULL,
  changed_by  TEXT   NOT NULL
);

-- The first access of an operator, under way.
CREATE TABLE roster_enrolment (
  account   TEXT   NOT NULL PRIMARY KEY,
  first_by  TEXT   NOT NULL,
  second_by TEXT   NOT NULL,
  first     BYTEA  NOT NULL, -- fingerprint of a half
  second    BYTEA  NOT NULL,
  pending   BYTEA  NOT NULL, -- sealed credentials
  proof     BYTEA  NOT NULL,
  expires   BIGINT NOT NULL
);
