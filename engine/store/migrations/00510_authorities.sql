-- +goose Up
-- Our certification authorities: id is the key identifier, as certificate.issuer.
-- The one of the greatest turn issues; 0 is one that never has.
CREATE TABLE authority (
  id         TEXT   NOT NULL PRIMARY KEY,
  label      TEXT   NOT NULL,
  der        BYTEA  NOT NULL,
  known_at   BIGINT NOT NULL,
  turn       BIGINT NOT NULL,
  turn_at    BIGINT NOT NULL,
  revoked_at BIGINT NOT NULL,
  reason     BIGINT NOT NULL,
  version    BIGINT NOT NULL
);
CREATE UNIQUE INDEX authority_label ON authority (label);

-- The instant of the newest signature of a kind: nothing is signed before it.
CREATE TABLE signed (
  name TEXT   NOT NULL PRIMARY KEY,
  at   BIGINT NOT NULL
);
INSERT INTO signed (name, at) SELECT 'certificate', MAX(reserved_at) FROM certificate HAVING COUNT(*) > 0;
