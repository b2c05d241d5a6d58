-- +goose Up
-- The audit trail becomes a Merkle log: see engine/audit. What was recorded in the
-- chain of before waits here until the program, which has the key, has made leaves
-- of it (audit.Trail.Upgrade).
ALTER TABLE audit_record RENAME TO audit_chain;
ALTER TABLE audit_head RENAME TO audit_chain_head;
ALTER TABLE audit_foot RENAME TO audit_chain_foot;
DROP INDEX audit_card;
DROP INDEX audit_person;
DROP INDEX audit_actor;
DROP INDEX audit_office;
DROP INDEX audit_at;
CREATE TABLE audit_record (
  idx    BIGINT NOT NULL PRIMARY KEY, -- 1, 2, 3… without gaps
  at     BIGINT NOT NULL,             -- microseconds UTC
  act    TEXT   NOT NULL,
  actor  TEXT   NOT NULL,
  office TEXT   NOT NULL,
  card   TEXT   NOT NULL,             -- mark of audit_subject
  person TEXT   NOT NULL,             -- mark of audit_subject
  detail TEXT   NOT NULL,             -- JSON object, keys sorted; of acts that concern nobody
  sealed BYTEA  NOT NULL,             -- details of all others
  chain  TEXT   NOT NULL,             -- hash in the chain of before
  hash   BYTEA  NOT NULL              -- of the leaf
);
CREATE INDEX audit_card ON audit_record (card, idx);
CREATE INDEX audit_person ON audit_record (person, idx);
CREATE INDEX audit_actor ON audit_record (actor, idx);
CREATE INDEX audit_office ON audit_record (office, idx);
CREATE INDEX audit_at ON audit_record (at);
-- The last number: the row on which concurrent acts queue up.
CREATE TABLE audit_head (
  id   BIGINT NOT NULL PRIMARY KEY,
  idx  BIGINT NOT NULL
);
INSERT INTO audit_head (id, idx) SELECT id, idx FROM audit_chain_head;
-- The last record that retention destroyed; its hash stays in the tree.
CREATE TABLE audit_foot (
  id   BIGINT NOT NULL PRIMARY KEY,
  idx  BIGINT NOT NULL
);
INSERT INTO audit_foot (id, idx) SELECT id, idx FROM audit_chain_foot;
-- A random key for each person and card: who erases it erases them.
CREATE TABLE audit_subject (
  finder  TEXT  NOT NULL PRIMARY KEY, -- keyed, of the codice fiscale or the card number
  mark    TEXT  NOT NULL,             -- what stands in the records
  wrapped BYTEA NOT NULL
);
CREATE UNIQUE INDEX audit_mark ON audit_subject (mark);
-- Hashes of the tree, 256 in a row, 32 bytes each: level 0 has the leaves.
CREATE TABLE audit_tile (
  level BIGINT NOT NULL,
  n     BIGINT NOT NULL,
  data  BYTEA  NOT NULL,
  PRIMARY KEY (level, n)
);
-- Signed heads, as notes.
CREATE TABLE audit_checkpoint (
  number BIGINT NOT NULL PRIMARY KEY, -- 1, 2, 3…
  size   BIGINT NOT NULL,
  note   TEXT   NOT NULL
);
CREATE UNIQUE INDEX audit_checkpoint_size ON audit_checkpoint (size);
