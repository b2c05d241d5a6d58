-- +goose Up
-- Primes that two certified keys were found to share (pki/ca/factors): a key that
-- has one is not certified. A row stays for ever.
CREATE TABLE shared_prime (
  prime    TEXT   NOT NULL PRIMARY KEY, -- hexadecimal
  found_at BIGINT NOT NULL
);
