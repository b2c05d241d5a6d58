-- +goose Up
-- Cards and their codes (issuer/lifecycle, issuer/codes).
CREATE TABLE card (
  id            TEXT   NOT NULL PRIMARY KEY,
  team          TEXT   NOT NULL UNIQUE,
  cf            TEXT   NOT NULL,
  model         TEXT   NOT NULL,
  state         TEXT   NOT NULL,
  issued        TEXT   NOT NULL,
  expires       TEXT   NOT NULL,
  expiry_reason TEXT   NOT NULL,
  batch         TEXT   NOT NULL,
  cert_serial   TEXT   NOT NULL,
  cert_expires  TEXT   NOT NULL,
  replaces      TEXT   NOT NULL,
  replaced_by   TEXT   NOT NULL,
  ordered_at    BIGINT NOT NULL,
  shipped_at    BIGINT NOT NULL,
  delivered_at  BIGINT NOT NULL,
  activated_at  BIGINT NOT NULL,
  suspended_at  BIGINT NOT NULL,
  revoked_at    BIGINT NOT NULL,
  ended_at      BIGINT NOT NULL,
  reason        TEXT   NOT NULL,
  version       BIGINT NOT NULL,
  corrected_at  BIGINT NOT NULL
);
CREATE INDEX card_by_person ON card (cf);
CREATE INDEX card_by_state ON card (state, id);
CREATE INDEX card_by_batch ON card (batch, id);
CREATE INDEX card_by_certificate ON card (cert_serial);

-- Every column but the first two is sealed; cip_mac is a keyed MAC.
CREATE TABLE card_codes (
  card       TEXT   NOT NULL PRIMARY KEY,
  version    BIGINT NOT NULL,
  pin_first  BYTEA  NOT NULL,
  pin_second BYTEA  NOT NULL,
  puk_first  BYTEA  NOT NULL,
  puk_second BYTEA  NOT NULL,
  cip_first  BYTEA  NOT NULL,
  cip_second BYTEA  NOT NULL,
  cip_mac    BYTEA  NOT NULL UNIQUE
);
