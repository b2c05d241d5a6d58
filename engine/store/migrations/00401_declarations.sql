-- +goose Up
-- Self-declarations chosen for a check (issuer/declarations). Nobody is named:
-- who declared what is sealed with the act; note is sealed.
CREATE TABLE declaration_check (
  protocol   TEXT   NOT NULL PRIMARY KEY, -- of the act
  kind       TEXT   NOT NULL,             -- activation, join
  card       TEXT   NOT NULL,
  office     TEXT   NOT NULL,             -- where it was declared
  asl        TEXT   NOT NULL,             -- the holder's health unit on that day
  operator   TEXT   NOT NULL,
  at         BIGINT NOT NULL,
  state      TEXT   NOT NULL,             -- open, confirmed, not-confirmed
  decided_by TEXT   NOT NULL,
  decided_in TEXT   NOT NULL,             -- office
  decided_at BIGINT NOT NULL,             -- 0 while it is open
  note       BYTEA  NOT NULL
);
CREATE INDEX declaration_check_open ON declaration_check (state, at);

-- Why a title ended before its day: empty, or the self-declaration was not confirmed.
ALTER TABLE counter_link ADD COLUMN why TEXT NOT NULL DEFAULT '';
