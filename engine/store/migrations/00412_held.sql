-- +goose Up
-- Forms that an operator sent to his locked screen, one for a session (key as in
-- portal_session); body is sealed by the portal. See portal/lock.go.
CREATE TABLE portal_held (
  key   BYTEA  NOT NULL PRIMARY KEY,
  body  BYTEA  NOT NULL,
  until BIGINT NOT NULL -- microseconds UTC
);
CREATE INDEX portal_held_until ON portal_held (until);
