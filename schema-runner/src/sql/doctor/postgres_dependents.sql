-- What would keep a column from being dropped: views, policies, generated columns, triggers and functions of others.
SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE d.refclassid = 'pg_catalog.pg_class'::regclass
   AND d.refobjid = pg_catalog.to_regclass($1) AND a.attname = $2
   AND d.deptype = 'n'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                    WHERE d.classid = 'pg_catalog.pg_trigger'::regclass AND t.oid = d.objid
                      AND pg_catalog.starts_with(t.tgname::text, 'zzz_phasegate_'))
 ORDER BY 1
