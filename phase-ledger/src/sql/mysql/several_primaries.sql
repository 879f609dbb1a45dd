SHOW GLOBAL VARIABLES WHERE (Variable_name = 'wsrep_on' AND Value = 'ON')
                         OR (Variable_name = 'group_replication_single_primary_mode' AND Value = 'OFF')
