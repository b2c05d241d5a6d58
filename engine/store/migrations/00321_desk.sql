-- +goose Up
-- Codes that the chip may still hold while new ones wait to be written (R52).
CREATE TABLE card_codes_previous (
  card       TEXT   NOT NULL PRIMARY KEY,
  version    BIGINT NOT NULL,
  pin_first  BYTEA  NOT NULL,
  pin_second BYTEA  NOT NULL,
  puk_first  BYTEA  NOT NULL,
  puk_second BYTEA  NOT NULL
);

-- What a counter's reader is asked to do (issuer/desk).
CREATE TABLE desk_job (
  id       TEXT   NOT NULL PRIMARY KEY,
  desk     TEXT   NOT NULL,
  office   TEXT   NOT NULL,
  operator TEXT   NOT NULL,
  kind     TEXT   NOT NULL,
  card     TEXT   NOT NULL,
  protocol TEXT   NOT NULL,
  state    TEXT   NOT NULL, -- waiting, taken, done, failed
  at       BIGINT NOT NULL,
  expires  BIGINT NOT NULL,
  reader   BYTEA  NOT NULL, -- public key of the program that took it
  first    BYTEA  NOT NULL, -- halves sealed to that key
  second   BYTEA  NOT NULL,
  outcome  TEXT   NOT NULL  -- card number read, or a code
);
CREATE INDEX desk_job_waiting ON desk_job (desk, state, at);
