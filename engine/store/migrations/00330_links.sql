-- +goose Up
-- Titles declared at counters: who stands for whom (issuer/counter, Link).
CREATE TABLE counter_link (
  holder         TEXT   NOT NULL,
  representative TEXT   NOT NULL,
  kind           TEXT   NOT NULL,
  since          BIGINT NOT NULL,
  protocol       TEXT   NOT NULL,
  ended_at       BIGINT NOT NULL,
  PRIMARY KEY (holder, representative, kind)
);
CREATE INDEX counter_link_by_representative ON counter_link (representative);
