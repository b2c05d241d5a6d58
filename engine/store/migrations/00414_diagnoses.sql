-- +goose Up
-- Diagnoses that holders sent to the call centre (issuer/helpdesk): they name
-- nobody, and are sealed all the same.
CREATE TABLE helpdesk_report (
  reference TEXT   NOT NULL PRIMARY KEY,
  at        BIGINT NOT NULL,
  body      BYTEA  NOT NULL
);
CREATE INDEX helpdesk_report_by_day ON helpdesk_report (at);
