-- +goose Up
-- Keyed marks of the single digits of a CIP, for the telephone; empty for codes made before.
ALTER TABLE card_codes ADD COLUMN cip_digits BYTEA NOT NULL DEFAULT '';
