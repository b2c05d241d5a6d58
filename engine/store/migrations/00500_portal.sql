-- +goose Up
-- Sessions of the portal. key is the SHA-256 of the cookie; body is sealed by
-- the portal, under a name that holds key. See portal/session.go.
CREATE TABLE portal_session (
  key   BYTEA  NOT NULL PRIMARY KEY,
  body  BYTEA  NOT NULL,
  began BIGINT NOT NULL, -- microseconds UTC
  seen  BIGINT NOT NULL
);
CREATE INDEX portal_session_began ON portal_session (began);
