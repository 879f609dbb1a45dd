-- A part of the takeover: waits for the batches of the runner before, and fences off all that come later.
UPDATE phasegate_ranges SET generation = ?
