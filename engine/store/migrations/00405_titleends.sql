-- +goose Up
-- The last day of a title declared at a counter (ISO; empty: until revoked), and
-- titles that the registry alone gives: they are kept to tell their owner of the end.
ALTER TABLE counter_link ADD COLUMN until TEXT NOT NULL DEFAULT '';
ALTER TABLE counter_link ADD COLUMN by_registry BIGINT NOT NULL DEFAULT 0;
