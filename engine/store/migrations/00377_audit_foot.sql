-- +goose Up
-- The record before the first one that is kept: retention cuts the trail from
-- its beginning, and the chain goes on from here. See engine/audit, Cut.
CREATE TABLE audit_foot (
  id   BIGINT NOT NULL PRIMARY KEY,
  idx  BIGINT NOT NULL,
  hash TEXT   NOT NULL
);
INSERT INTO audit_foot (id, idx, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
