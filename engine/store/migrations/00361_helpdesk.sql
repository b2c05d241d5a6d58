-- +goose Up
-- Tickets of the call centre (issuer/helpdesk); what was said is sealed.
CREATE TABLE helpdesk_ticket (
  id      TEXT   NOT NULL PRIMARY KEY,
  card    TEXT   NOT NULL,
  agent   TEXT   NOT NULL,
  outcome TEXT   NOT NULL,
  at      BIGINT NOT NULL,
  body    BYTEA  NOT NULL
);
CREATE INDEX helpdesk_ticket_by_card ON helpdesk_ticket (card, at);
