ALTER TABLE booking ADD COLUMN items jsonb NOT NULL DEFAULT '[]';
