-- +goose Up
-- Where people are written to, changes under way, which notices have been sent,
-- and the certificates that stand in for the TEAM. person is a keyed pseudonym,
-- address a keyed fingerprint; what names somebody is sealed.
CREATE TABLE contact (
  person  TEXT   NOT NULL PRIMARY KEY,
  address TEXT   NOT NULL,
  at      BIGINT NOT NULL,
  body    BYTEA  NOT NULL
);
CREATE INDEX contact_by_address ON contact (address);

CREATE TABLE contact_change (
  person    TEXT   NOT NULL PRIMARY KEY,
  until     BIGINT NOT NULL, -- the codes' end
  effective BIGINT NOT NULL, -- 0: waits for codes; else when it takes effect by itself
  body      BYTEA  NOT NULL
);
CREATE INDEX contact_change_by_effective ON contact_change (effective);

CREATE TABLE contact_notice (
  card   TEXT   NOT NULL,
  notice TEXT   NOT NULL, -- first-login, expiry-90 …
  at     BIGINT NOT NULL,
  PRIMARY KEY (card, notice)
);

CREATE TABLE team_certificate (
  id       TEXT   NOT NULL PRIMARY KEY,
  request  TEXT   NOT NULL UNIQUE,
  person   TEXT   NOT NULL,
  at       BIGINT NOT NULL,
  ended_at BIGINT NOT NULL,
  ended    TEXT   NOT NULL, -- why it ended before its day; empty while it has not
  body     BYTEA  NOT NULL
);
CREATE INDEX team_certificate_by_person ON team_certificate (person, at);
CREATE INDEX team_certificate_by_ended ON team_certificate (ended_at, id);
