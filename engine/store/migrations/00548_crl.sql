-- +goose Up
-- Parts of the revocation lists: which there are, what changed in them since their
-- last list, and what each list of the last days has (pki/status, Lists).
ALTER TABLE crl ADD COLUMN change BIGINT NOT NULL DEFAULT 0; -- how often what the part says has changed

-- A change that no list has yet. One row for each write of a certificate, so that
-- two acts never wait for each other here.
CREATE TABLE crl_change (
  serial  TEXT   NOT NULL,
  version BIGINT NOT NULL,
  issuer  TEXT   NOT NULL,
  shard   BIGINT NOT NULL,
  at      BIGINT NOT NULL,
  urgent  BIGINT NOT NULL, -- a hold or a revocation
  PRIMARY KEY (serial, version)
);
CREATE INDEX crl_change_part ON crl_change (issuer, shard, at);

-- The lists that have all changes of their part, and are not old.
CREATE TABLE crl_list (
  issuer      TEXT   NOT NULL,
  shard       BIGINT NOT NULL,
  number      BIGINT NOT NULL,
  this_update BIGINT NOT NULL,
  change      BIGINT NOT NULL,
  PRIMARY KEY (issuer, shard, number)
);

-- Parts of certificates issued before: published for ever, whatever the
-- configuration says now.
INSERT INTO crl (issuer, shard, number, this_update, change)
SELECT DISTINCT c.issuer, c.shard, 0, 0, 0 FROM certificate c
WHERE NOT EXISTS (SELECT 1 FROM crl p WHERE p.issuer = c.issuer AND p.shard = c.shard);
