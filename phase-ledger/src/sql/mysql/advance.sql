-- INVARIANT: the first lock of every batch, and its fence: a takeover raises the generation of these rows too.
UPDATE phasegate_ranges SET `cursor` = ?, rows_done = ? WHERE `change` = ? AND part = ? AND generation = ?
