-- Named locks belong to the server, so the name holds the database's; hashed, because it may have 64 characters, and cut
-- to 40, because that is what the lock's may have too. (SHA1 is a component of its own since MySQL 9.6.)
SELECT IF(CAST(@@global.read_only AS CHAR) IN ('0', 'OFF'), '0', '1'),
       CAST(@phasegate_mark AS CHAR),
       CAST(IF(CAST(@@global.read_only AS CHAR) IN ('0', 'OFF') AND @phasegate_mark = ?,
               GET_LOCK(CONCAT('phasegate.', LEFT(SHA2(DATABASE(), 256), 40)), 0), NULL) AS CHAR)
