-- +goose Up
-- The audit trail: append-only, each record chained to the one before. See engine/audit.
CREATE TABLE audit_record (
  idx    BIGINT NOT NULL PRIMARY KEY, -- 1, 2, 3… without gaps
  at     BIGINT NOT NULL,             -- microseconds UTC
  act    TEXT   NOT NULL,
  actor  TEXT   NOT NULL,
  office TEXT   NOT NULL,
  card   TEXT   NOT NULL,
  person TEXT   NOT NULL,             -- keyed pseudonym, hexadecimal
  detail TEXT   NOT NULL,             -- JSON object, keys sorted
  prev   TEXT   NOT NULL,             -- hash of the record before, hexadecimal
  hash   TEXT   NOT NULL
);
CREATE INDEX audit_card ON audit_record (card, idx);
CREATE INDEX audit_person ON audit_record (person, idx);
-- The last record: the row on which concurrent acts queue up.
CREATE TABLE audit_head (
  id   BIGINT NOT NULL PRIMARY KEY,
  idx  BIGINT NOT NULL,
  hash TEXT   NOT NULL
);
INSERT INTO audit_head (id, idx, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
