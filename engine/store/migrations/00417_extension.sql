-- +goose Up
-- A certificate may take the place of another on the same key (R108): the key is
-- still certified once, and extended once at a time.
ALTER TABLE certificate ADD COLUMN extends TEXT NOT NULL DEFAULT '';
DROP INDEX certificate_key;
DROP INDEX certificate_card;
CREATE UNIQUE INDEX certificate_key ON certificate (key_hash) WHERE state <> 'void' AND extends = '';
CREATE UNIQUE INDEX certificate_card ON certificate (card) WHERE state <> 'void' AND state <> 'revoked' AND extends = '';
CREATE UNIQUE INDEX certificate_extends ON certificate (extends) WHERE state <> 'void' AND state <> 'revoked' AND extends <> '';
CREATE INDEX certificate_with_key ON certificate (key_hash);

-- Extensions of certificates (issuer/extension): one living a card.
CREATE TABLE extension (
  id           TEXT   NOT NULL PRIMARY KEY,
  card         TEXT   NOT NULL,
  state        TEXT   NOT NULL, -- open, issued, confirmed, abandoned
  old_serial   TEXT   NOT NULL,
  new_serial   TEXT   NOT NULL,
  until        TEXT   NOT NULL, -- last day of the new certificate
  room         BIGINT NOT NULL, -- bytes of the chip's file
  opened_at    BIGINT NOT NULL,
  issued_at    BIGINT NOT NULL,
  written_at   BIGINT NOT NULL, -- last time a write was authorised
  ended_at     BIGINT NOT NULL,
  session      TEXT   NOT NULL, -- SHA-256 of the token of who is at work, empty for nobody
  session_ends BIGINT NOT NULL,
  proved       BIGINT NOT NULL, -- the session's key was proved
  nonce        BYTEA  NOT NULL, -- what the card must sign
  challenge    BYTEA  NOT NULL, -- the chip's, that the last script answers
  script       TEXT   NOT NULL, -- which script that was
  version      BIGINT NOT NULL
);
CREATE UNIQUE INDEX extension_living ON extension (card) WHERE state = 'open' OR state = 'issued';
CREATE UNIQUE INDEX extension_session ON extension (session) WHERE session <> '';
CREATE INDEX extension_of_card ON extension (card, opened_at);
