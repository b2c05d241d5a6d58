-- +goose Up
-- How long the old CNS lasts after the posting of a corrected card (R30): the rule
-- that was in force at the correction.
ALTER TABLE card ADD COLUMN correction_days BIGINT NOT NULL DEFAULT 60;
