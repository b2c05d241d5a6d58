-- +goose Up
-- Papers of acts, sealed per person (issuer/archive). person is a keyed
-- pseudonym; wrapped is his data key under the desk's.
CREATE TABLE archive_key (
  person  TEXT   NOT NULL PRIMARY KEY,
  wrapped BYTEA  NOT NULL,
  at      BIGINT NOT NULL
);

CREATE TABLE archive_paper (
  id      TEXT   NOT NULL PRIMARY KEY, -- keyed digest of act, kind and content
  act     TEXT   NOT NULL,             -- protocol number
  person  TEXT   NOT NULL,
  kind    TEXT   NOT NULL,             -- self-declaration, delegation, holder-document, document
  type    TEXT   NOT NULL,             -- application/pdf, image/jpeg, image/png
  size    BIGINT NOT NULL,
  by_whom TEXT   NOT NULL,
  at      BIGINT NOT NULL,
  body    BYTEA  NOT NULL
);
CREATE INDEX archive_paper_by_act ON archive_paper (act, at);
CREATE INDEX archive_paper_by_person ON archive_paper (person, at);
CREATE INDEX archive_paper_by_time ON archive_paper (at);

-- Papers that an act needs and that are waited for (archive.required).
CREATE TABLE archive_due (
  protocol TEXT   NOT NULL,
  kind     TEXT   NOT NULL,
  office   TEXT   NOT NULL,
  card     TEXT   NOT NULL,
  at       BIGINT NOT NULL,
  done_at  BIGINT NOT NULL,
  PRIMARY KEY (protocol, kind)
);
CREATE INDEX archive_due_by_office ON archive_due (office, done_at, at);
