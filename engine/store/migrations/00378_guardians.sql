-- +goose Up
-- Who is named as somebody's guardian in the registry: the search by guardian.
-- guardian is the code without omocodia.
CREATE TABLE person_guardian (
  guardian TEXT NOT NULL,
  holder   TEXT NOT NULL,
  PRIMARY KEY (guardian, holder)
);
CREATE INDEX person_guardian_by_holder ON person_guardian (holder);
