-- +goose Up
-- Four eyes (issuer/approval): what somebody asked and somebody else decided.
CREATE TABLE approval (
  id         TEXT   NOT NULL PRIMARY KEY,
  kind       TEXT   NOT NULL,
  subject    TEXT   NOT NULL,
  content    BYTEA  NOT NULL, -- exactly what is approved; names nobody
  note       TEXT   NOT NULL,
  state      TEXT   NOT NULL, -- open, approved, refused, spent
  asked_by   TEXT   NOT NULL,
  office     TEXT   NOT NULL,
  asked_at   BIGINT NOT NULL,
  expires    BIGINT NOT NULL,
  decided_by TEXT   NOT NULL,
  decided_at BIGINT NOT NULL
);
CREATE INDEX approval_by_state ON approval (state, asked_at);
CREATE INDEX approval_by_subject ON approval (kind, subject);

-- The rules that a body decides, each from a day on (issuer/parameters).
CREATE TABLE parameter (
  name       TEXT   NOT NULL,
  valid_from TEXT   NOT NULL,
  value      BIGINT NOT NULL,
  approval   TEXT   NOT NULL,
  at         BIGINT NOT NULL,
  PRIMARY KEY (name, valid_from, at)
);
