-- +goose Up
-- One row per assisted person. guardians is JSON; by_surname and by_name are
-- folded letters (BYTEA: compared byte by byte on every engine); digest is the
-- SHA-256 of the whole row, by which an import sees that nothing changed.
CREATE TABLE person (
  cf                 TEXT   NOT NULL PRIMARY KEY,
  surname            TEXT   NOT NULL,
  name               TEXT   NOT NULL,
  born               TEXT   NOT NULL,
  sex                TEXT   NOT NULL,
  birth_place        TEXT   NOT NULL,
  birth_province     TEXT   NOT NULL,
  citizenship        TEXT   NOT NULL,
  residence          TEXT   NOT NULL,
  address            TEXT   NOT NULL,
  post_code          TEXT   NOT NULL,
  died               TEXT   NOT NULL,
  asl                TEXT   NOT NULL,
  assisted_from      TEXT   NOT NULL,
  assisted_until     TEXT   NOT NULL,
  abroad_right       BIGINT NOT NULL,
  permit             TEXT   NOT NULL,
  permit_until       TEXT   NOT NULL,
  guardians          TEXT   NOT NULL,
  under_guardianship BIGINT NOT NULL,
  email              TEXT   NOT NULL,
  by_surname         BYTEA  NOT NULL,
  by_name            BYTEA  NOT NULL,
  digest             BYTEA  NOT NULL
);
CREATE INDEX person_by_surname ON person (by_surname);
CREATE INDEX person_by_name ON person (by_name);
