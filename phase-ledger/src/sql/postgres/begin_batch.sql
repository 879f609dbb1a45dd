BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL synchronous_commit = off; -- rows and cursor go together; the record that the backfill is done waits for all of it
SET LOCAL enable_seqscan = off;     -- no statistics, or wrong ones, may make a batch read the whole table
