-- +goose Up
-- What retention needs to find without opening a body: when an address took
-- another's place, and the last day of a certificate.
ALTER TABLE contact ADD COLUMN replaced_at BIGINT NOT NULL DEFAULT 0; -- 0: no address before is kept
UPDATE contact SET replaced_at = at;
CREATE INDEX contact_by_replaced ON contact (replaced_at);

ALTER TABLE team_certificate ADD COLUMN until BIGINT NOT NULL DEFAULT 0; -- the end of its last day
UPDATE team_certificate SET until = at + 31708800000000; -- the longest period: 367 days
CREATE INDEX team_certificate_by_until ON team_certificate (until);

-- Addresses that a supervisor let through for one person: person is a keyed
-- pseudonym, address a keyed fingerprint.
CREATE TABLE address_release (
  person   TEXT   NOT NULL,
  address  TEXT   NOT NULL,
  approval TEXT   NOT NULL,
  at       BIGINT NOT NULL,
  PRIMARY KEY (person, address)
);
