-- Named locks belong to the server, so the name holds the database's; hashed, because it may have 64 characters.
SELECT IF(CAST(@@global.read_only AS CHAR) IN ('0', 'OFF'), '0', '1'),
       CAST(@phasegate_mark AS CHAR),
       CAST(IF(CAST(@@global.read_only AS CHAR) IN ('0', 'OFF') AND @phasegate_mark = ?,
               GET_LOCK(CONCAT('phasegate.', SHA1(DATABASE())), 0), NULL) AS CHAR)
