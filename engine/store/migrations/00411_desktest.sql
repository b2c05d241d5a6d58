-- +goose Up
-- What a counter's reader found when it tested a chip (issuer/desk), in JSON.
ALTER TABLE desk_job ADD COLUMN found BYTEA NOT NULL DEFAULT '';
