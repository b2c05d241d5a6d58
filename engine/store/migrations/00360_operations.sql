-- +goose Up
-- The audit trail is searched by operator, by office and by time too.
CREATE INDEX audit_actor ON audit_record (actor, idx);
CREATE INDEX audit_office ON audit_record (office, idx);
CREATE INDEX audit_at ON audit_record (at);
