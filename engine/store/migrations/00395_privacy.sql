-- +goose Up
-- Requests of data subjects, alerts on odd looks, reports of the retention
-- (issuer/privacy). person is a keyed pseudonym; what names somebody is sealed.
CREATE TABLE privacy_request (
  id          TEXT   NOT NULL PRIMARY KEY,
  person      TEXT   NOT NULL,
  kind        TEXT   NOT NULL, -- access, rectification, export
  state       TEXT   NOT NULL, -- open, answered, refused
  at          BIGINT NOT NULL,
  due         BIGINT NOT NULL,
  answered_at BIGINT NOT NULL,
  body        BYTEA  NOT NULL
);
CREATE INDEX privacy_request_by_person ON privacy_request (person, at);
CREATE INDEX privacy_request_by_state ON privacy_request (state, due);

CREATE TABLE privacy_alert (
  id       TEXT   NOT NULL PRIMARY KEY, -- kind, operator, day and what more makes it one
  kind     TEXT   NOT NULL,             -- volume, colleague, surname
  operator TEXT   NOT NULL,
  office   TEXT   NOT NULL,
  card     TEXT   NOT NULL,
  day      TEXT   NOT NULL,
  count    BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  seen_at  BIGINT NOT NULL,
  seen_by  TEXT   NOT NULL,
  note     TEXT   NOT NULL
);
CREATE INDEX privacy_alert_by_seen ON privacy_alert (seen_at, at);

-- Whom an operator looked at on a day: keyed pseudonyms, for the volume.
CREATE TABLE privacy_look (
  operator TEXT   NOT NULL,
  day      TEXT   NOT NULL,
  person   TEXT   NOT NULL,
  PRIMARY KEY (operator, day, person)
);

CREATE TABLE privacy_retention (
  day    TEXT  NOT NULL PRIMARY KEY,
  report TEXT  NOT NULL
);
