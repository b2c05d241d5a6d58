-- +goose Up
-- Where a certificate's last move stands in the order of changes: the number of
-- the audit trail's head when it was written. A move and its record are one act,
-- and acts queue up on that head, so whoever follows reads on from the last place
-- that he saw (that place included) and misses nothing.
ALTER TABLE certificate ADD COLUMN moved BIGINT NOT NULL DEFAULT 0;
CREATE INDEX certificate_moved ON certificate (moved, serial);

-- The latest thisUpdate of an issuer's OCSP answers, to within a minute: no
-- answer is signed when the clock stands before it.
CREATE TABLE ocsp_mark (
  issuer TEXT   NOT NULL PRIMARY KEY,
  at     BIGINT NOT NULL
);
