-- +goose Up
CREATE TABLE certificate (
  serial       TEXT   NOT NULL PRIMARY KEY,
  issuer       TEXT   NOT NULL,
  shard        BIGINT NOT NULL,
  card         TEXT   NOT NULL,
  person       TEXT   NOT NULL,
  key_hash     TEXT   NOT NULL,
  state        TEXT   NOT NULL,
  reason       BIGINT NOT NULL,
  tbs          BYTEA  NOT NULL,
  der          BYTEA  NOT NULL,
  not_after    BIGINT NOT NULL,
  reserved_at  BIGINT NOT NULL,
  issued_at    BIGINT NOT NULL,
  activated_at BIGINT NOT NULL,
  changed_at   BIGINT NOT NULL,
  version      BIGINT NOT NULL
);
-- A key is certified once; a card has one certificate that lives.
CREATE UNIQUE INDEX certificate_key ON certificate (key_hash) WHERE state <> 'void';
CREATE UNIQUE INDEX certificate_card ON certificate (card) WHERE state <> 'void' AND state <> 'revoked';
CREATE INDEX certificate_of_card ON certificate (card);
CREATE INDEX certificate_listed ON certificate (issuer, shard, serial) WHERE state = 'pending' OR state = 'held' OR state = 'revoked';
CREATE INDEX certificate_unfinished ON certificate (serial) WHERE state = 'reserved';

CREATE TABLE crl (
  issuer      TEXT   NOT NULL,
  shard       BIGINT NOT NULL,
  number      BIGINT NOT NULL,
  this_update BIGINT NOT NULL,
  PRIMARY KEY (issuer, shard)
);
