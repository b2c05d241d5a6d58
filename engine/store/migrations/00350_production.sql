-- +goose Up
-- Production (issuer/production): one row per batch and per card in a batch, the
-- series of numbers never given twice, the people for whom no card can be made.
CREATE TABLE batch (
  id                     TEXT   NOT NULL PRIMARY KEY,
  state                  TEXT   NOT NULL,
  cards                  BIGINT NOT NULL,
  chips                  BIGINT NOT NULL,
  made                   BIGINT NOT NULL,
  spoiled                BIGINT NOT NULL,
  created_at             BIGINT NOT NULL,
  order_signature        BYTEA  NOT NULL,
  certificates_signature BYTEA  NOT NULL,
  keys_sum               BYTEA  NOT NULL,
  receipt_sum            BYTEA  NOT NULL,
  version                BIGINT NOT NULL
);

-- job and certificate are sealed to the bureau; all but the outcome is erased
-- at reconciliation.
CREATE TABLE batch_item (
  batch       TEXT   NOT NULL,
  card        TEXT   NOT NULL,
  chip        BIGINT NOT NULL,
  job         BYTEA  NOT NULL,
  certificate BYTEA  NOT NULL,
  personal    BYTEA  NOT NULL,
  spki        BYTEA  NOT NULL,
  refused     TEXT   NOT NULL,
  outcome     TEXT   NOT NULL,
  PRIMARY KEY (batch, card)
);

CREATE TABLE series (
  name TEXT   NOT NULL PRIMARY KEY,
  last BIGINT NOT NULL
);

CREATE TABLE production_exception (
  cf     TEXT   NOT NULL PRIMARY KEY,
  reason TEXT   NOT NULL,
  field  TEXT   NOT NULL,
  since  BIGINT NOT NULL
);
