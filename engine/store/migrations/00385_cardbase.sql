-- +goose Up
-- A card that came from another issuer's base says whose it is (issuer/cardbase);
-- empty for the cards that we made.
ALTER TABLE card ADD COLUMN issuer TEXT NOT NULL DEFAULT '';
