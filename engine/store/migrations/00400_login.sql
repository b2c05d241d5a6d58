-- +goose Up
-- Names of secrets are fingerprints (hexadecimal SHA-256), bodies are sealed.
CREATE TABLE login_flow (
  hash    TEXT   NOT NULL PRIMARY KEY,
  browser TEXT   NOT NULL,
  session TEXT   NOT NULL,
  client  TEXT   NOT NULL,
  acr     TEXT   NOT NULL,
  expires BIGINT NOT NULL,
  ended   BIGINT NOT NULL
);

CREATE TABLE login_ticket (
  hash    TEXT   NOT NULL PRIMARY KEY,
  flow    TEXT   NOT NULL,
  body    BYTEA  NOT NULL,
  expires BIGINT NOT NULL,
  taken   BIGINT NOT NULL
);

CREATE TABLE login_session (
  id       TEXT   NOT NULL PRIMARY KEY,
  par      TEXT   NOT NULL,
  body     BYTEA  NOT NULL,
  version  BIGINT NOT NULL,
  pending  BIGINT NOT NULL,
  expires  BIGINT NOT NULL
);
CREATE UNIQUE INDEX login_session_par ON login_session (par) WHERE par <> '';

CREATE TABLE login_grant (
  id         TEXT   NOT NULL PRIMARY KEY,
  code       TEXT   NOT NULL,
  refresh    TEXT   NOT NULL,
  credential TEXT   NOT NULL,
  body       BYTEA  NOT NULL,
  version    BIGINT NOT NULL,
  revoked    BIGINT NOT NULL,
  expires    BIGINT NOT NULL
);
CREATE UNIQUE INDEX login_grant_code ON login_grant (code) WHERE code <> '';
CREATE UNIQUE INDEX login_grant_refresh ON login_grant (refresh) WHERE refresh <> '';
CREATE INDEX login_grant_credential ON login_grant (credential);

CREATE TABLE login_token (
  id       TEXT   NOT NULL PRIMARY KEY,
  grant_id TEXT   NOT NULL,
  body     BYTEA  NOT NULL,
  revoked  BIGINT NOT NULL,
  expires  BIGINT NOT NULL
);

CREATE TABLE login_spent (
  name     TEXT   NOT NULL PRIMARY KEY,
  grant_id TEXT   NOT NULL,
  expires  BIGINT NOT NULL
);
