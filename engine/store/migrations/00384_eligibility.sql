-- +goose Up
-- How often a machine client asked on a day (issuer/eligibility).
CREATE TABLE eligibility_count (
  client TEXT   NOT NULL,
  day    TEXT   NOT NULL,
  n      BIGINT NOT NULL,
  PRIMARY KEY (client, day)
);
