//! Objects that are not as their changes made them, altered by a test behind the ledger's back: types, NULL, defaults and
//! the indexes of plain SQL. And types that only look otherwise, of which nothing is said.

use crate::{
    binary::{phasegate, run, said},
    database::Database,
    on_each,
    project::{Project, V1},
};

const WELL: &str = "as the ledger says";
const INDEX: &str = "  target: contracted\n  tables: [customers]\n  windows: {old: pending..contracted, new: \
                     pending..contracted}\n  sql: {expand: i.sql, reverse: {expand: r.sql}}";

/// By each command that looks: `verify` and `doctor` read, and `run` moves nothing.
async fn named(database: &Database, project: &Project, told: &[&str]) {
    let plan = project.plan.to_str().unwrap();
    said(phasegate(&database.url(), &["verify", "--plan", plan])).await.expect(78, told);
    said(phasegate(&database.url(), &["doctor", "--plan", plan])).await.expect(78, told);
    run(database, project).await.expect(78, told);
}

async fn well(database: &Database, project: &Project) {
    let plan = project.plan.to_str().unwrap();
    let out = said(phasegate(&database.url(), &["verify", "--plan", plan])).await;
    assert!(!out.stdout.contains("NOT as"), "{}", out.stdout);
    out.expect(0, &[WELL]);
    run(database, project).await.expect(0, &["1 as Git asks"]);
}

/// Gives a column another type and constraints, with the statement that each engine has for it; the column is empty.
async fn retype(database: &Database, column: &str, sql: &str) {
    let sql = if database.is_postgres() {
        let sql_type = sql.split(" NULL").next().unwrap();
        format!("ALTER TABLE customers ALTER COLUMN {column} TYPE {sql_type}")
    } else if database.is_mariadb() {
        format!("ALTER TABLE customers MODIFY COLUMN {column} {sql}")
    } else {
        format!("ALTER TABLE customers DROP COLUMN {column}; ALTER TABLE customers ADD COLUMN {column} {sql}")
    };
    database.execute(&sql).await;
}

on_each!(a_type_that_was_altered_is_named_with_the_one_it_had, a_type);
async fn a_type(database: Database) {
    database.customers(10).await;
    let project = Project::split(&database, "target: expanded");
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &["is expanded"]);
    let other = if database.engine() == "sqlite" { "integer" } else { "varchar(7)" };
    retype(&database, "last_name", other).await;
    let told = ["customers.last_name is of type", "and its change made it of type text: alter it back"];
    named(&database, &project, &told).await;
    retype(&database, "last_name", "text NULL").await;
    well(&database, &project).await;
}

on_each!(a_new_name_has_the_type_of_the_old_one_also_when_that_is_altered, renamed);
async fn renamed(database: Database) {
    database.execute("CREATE TABLE customers (id bigint PRIMARY KEY, city varchar(40))").await;
    let project = Project::new(&database);
    project.live(&[V1]);
    project.refactor("rename-city", "target: expanded", "renameColumn: {table: customers, from: city, to: town}");
    run(&database, &project).await.expect(0, &["is expanded"]);
    well(&database, &project).await;
    let other = if database.engine() == "sqlite" { "integer" } else { "varchar(60)" };
    retype(&database, "city", other).await;
    named(&database, &project, &["customers.town is of type", ", as city is: alter it back"]).await;
}

on_each!(what_a_column_lost_is_named, lost);
async fn lost(database: Database) {
    database.customers(10).await;
    let project = Project::new(&database);
    project.live(&[V1]);
    let column = "addColumn: {table: customers, column: tier, type: varchar(9), nullable: false, default: \"'new'\"}";
    project.refactor("add-tier", "target: migrated", column);
    run(&database, &project).await.expect(0, &["is migrated"]);
    well(&database, &project).await;
    let [nullable, bare, back] = if database.is_postgres() {
        [
            "ALTER TABLE customers ALTER COLUMN tier DROP NOT NULL",
            "ALTER TABLE customers ALTER COLUMN tier SET NOT NULL, ALTER COLUMN tier DROP DEFAULT",
            "ALTER TABLE customers ALTER COLUMN tier SET DEFAULT 'new'",
        ]
    } else if database.is_mariadb() {
        [
            "ALTER TABLE customers MODIFY COLUMN tier varchar(9) NULL DEFAULT 'new'",
            "ALTER TABLE customers MODIFY COLUMN tier varchar(9) NOT NULL",
            "ALTER TABLE customers MODIFY COLUMN tier varchar(9) NOT NULL DEFAULT 'new'",
        ]
    } else {
        [
            "ALTER TABLE customers DROP COLUMN tier; ALTER TABLE customers ADD COLUMN tier varchar(9) DEFAULT 'new'",
            "DELETE FROM customers; ALTER TABLE customers RENAME TO other;
             CREATE TABLE customers (id bigint PRIMARY KEY, full_name text NOT NULL, city text, tier varchar(9) NOT NULL)",
            "ALTER TABLE customers DROP COLUMN tier;
             ALTER TABLE customers ADD COLUMN tier varchar(9) NOT NULL DEFAULT 'new'",
        ]
    };
    database.execute(nullable).await;
    named(&database, &project, &["customers.tier takes NULL, and its change made it as one that forbids it"]).await;
    database.execute(bare).await;
    named(&database, &project, &["customers.tier has no default, and its change made it with one"]).await;
    database.execute(back).await;
    well(&database, &project).await;
}

on_each!(a_type_that_the_engine_spells_otherwise_is_no_drift, spelled);
async fn spelled(database: Database) {
    if database.is_postgres() {
        database.execute("CREATE TYPE mood AS ENUM ('so'); CREATE DOMAIN amount AS numeric(9, 2) NOT NULL").await;
    }
    let project = Project::new(&database);
    let common = "integer, int, smallint, bigint, decimal(7), 'decimal(10,2)', numeric, char, char(3), varchar(80), \
                  character varying(80), double precision, real, date, timestamp, boolean, text";
    let own = match database.engine() {
        "postgres" => {
            ", int2, int4, int8, float4, float8, float(7), float(33), 'int4[]', 'text []', _int8, bool, bpchar, bit, \
             bit varying(3), varbit, timestamptz, timestamp(3) with time zone, timestamp (0), timestamptz(6), time, \
             timetz, time(2) without time zone, interval, interval day to second(3), jsonb, uuid, bytea, mood, \
             public.mood, 'mood[]', amount, serial, name, '\"char\"', national character varying(9), pg_catalog.int4, \
             'varchar(8) array', inet, money, tsvector, int4range"
        }
        "mariadb" => {
            ", int(11), int4, tinyint, tinyint(1), bool, mediumint, int unsigned, bigint(20) unsigned zerofill, dec(5), \
             fixed, float, float(30), 'float(7,3)', float8, nchar(4), nvarchar(5), national varchar(6), tinytext, \
             mediumtext, longtext, text(100), long, long varchar, long varbinary, blob, blob(9), binary, binary(4), \
             varbinary(16), bit, bit(8), datetime, datetime(0), datetime(3), timestamp(6), time(2), year, json, uuid, \
             inet6, point, varchar(9) character set latin1, varchar(8) charset ascii, int signed"
        }
        "mysql" => {
            ", int(11), int4, tinyint, tinyint(1), bool, mediumint, int unsigned, bigint(20) unsigned zerofill, dec(5), \
             fixed, float, float(30), 'float(7,3)', float8, nchar(4), nvarchar(5), national varchar(6), tinytext, \
             mediumtext, longtext, text(100), long, long varchar, long varbinary, blob, blob(9), binary, binary(4), \
             varbinary(16), bit, bit(8), datetime, datetime(0), datetime(3), timestamp(6), time(2), year, json, point, \
             varchar(9) character set latin1, varchar(8) charset ascii, int signed"
        }
        _ => ", int8, unsigned big int, clob, blob, real, nvarchar(4), datetime",
    };
    let types = format!("{common}{own}");
    let columns = |first: &str| {
        // Commas inside quotes belong to the type.
        let mut each = Vec::new();
        let mut quoted = false;
        let mut one = String::new();
        for c in types.chars().chain([',']) {
            match c {
                '\'' => quoted = !quoted,
                ',' if !quoted => each.push(std::mem::take(&mut one).trim().to_owned()),
                c => one.push(c),
            }
        }
        let written = each.iter().enumerate().map(|(at, it)| format!("c{at}: {{type: '{it}'}}"));
        format!("{first}{}", written.collect::<Vec<_>>().join(", "))
    };
    let table = columns(
        "id: {type: bigint, primaryKey: true, identity: IDENTITY}, n: {type: varchar(5), nullable: false, default: \
         \"'a'\"}, t: {type: timestamp, nullable: false, default: CURRENT_TIMESTAMP}, d: {type: int, default: 'NULL'}, ",
    );
    let identity = if database.engine() == "sqlite" { "false" } else { "true" };
    let table = table.replace("IDENTITY", identity);
    project.refactor("make-many", "target: migrated", &format!("createTable: {{table: many, columns: {{{table}}}}}"));
    run(&database, &project).await.expect(0, &["is migrated"]);
    well(&database, &project).await;
    // Of what is said of one column, one is enough to see that they were looked at.
    let sql = if database.engine() == "sqlite" {
        "ALTER TABLE many DROP COLUMN c0; ALTER TABLE many ADD COLUMN c0 text"
    } else if database.is_postgres() {
        "ALTER TABLE many ALTER COLUMN c0 TYPE bigint"
    } else {
        "ALTER TABLE many MODIFY COLUMN c0 bigint"
    };
    database.execute(sql).await;
    named(&database, &project, &["many.c0 is of type", "made it of type integer"]).await;
}

/// A change in plain SQL that makes an index over the city, and has come to its end.
async fn indexed(database: &Database) -> Project {
    database.execute("CREATE TABLE customers (id bigint PRIMARY KEY, city varchar(40), zip varchar(9))").await;
    let project = Project::new(database);
    project.live(&[V1]);
    let how = if database.is_postgres() { "CONCURRENTLY " } else { "" };
    let drop = if database.is_mariadb() { "DROP INDEX by_city ON customers" } else { "DROP INDEX by_city" };
    let make = format!("CREATE INDEX {how}by_city ON customers (city, zip DESC);\n");
    project.sql("index-city", INDEX, &[("i.sql", &make), ("r.sql", drop)]);
    run(database, &project).await.expect(0, &["is contracted"]);
    well(database, &project).await;
    project
}

async fn drop_index(database: &Database) {
    let on = if database.is_mariadb() { " ON customers" } else { "" };
    database.execute(&format!("DROP INDEX by_city{on}")).await;
}

on_each!(an_index_of_plain_sql_that_is_gone_or_another_is_named, index);
async fn index(database: Database) {
    let project = indexed(&database).await;
    drop_index(&database).await;
    let gone = [
        "the index by_city of customers is not there, and the ledger says that the change is contracted",
        "make it anew as it was (CREATE INDEX",
        "by a change in plain SQL that drops it",
    ];
    named(&database, &project, &gone).await;
    for other in ["INDEX by_city ON customers (city)", "UNIQUE INDEX by_city ON customers (city, zip)"] {
        database.execute(&format!("CREATE {other}")).await;
        named(&database, &project, &["the index by_city of customers is another than the one that was made"]).await;
        drop_index(&database).await;
    }
    database.execute("CREATE INDEX by_city ON customers (city, zip)").await;
    if database.is_postgres() {
        let valid = |valid| format!("UPDATE pg_index SET indisvalid = {valid} WHERE indexrelid = 'by_city'::regclass");
        database.execute(&valid(false)).await;
        named(&database, &project, &["the index by_city of customers is invalid, so that no query uses it"]).await;
        database.execute(&valid(true)).await;
    }
    well(&database, &project).await;
}

on_each!(an_index_that_another_change_takes_away_is_not_missed, taken);
async fn taken(database: Database) {
    let project = indexed(&database).await;
    let on = if database.is_mariadb() { " ON customers" } else { "" };
    let spec = INDEX.replace("i.sql", "gone.sql").replace("r.sql", "none.sql");
    let drop = format!("DROP INDEX by_city{on};\n");
    project.sql("drop-index", &spec, &[("gone.sql", &drop), ("none.sql", "-- it is not made again\n")]);
    run(&database, &project).await.expect(0, &["drop-index", "2 as Git asks"]);
    run(&database, &project).await.expect(0, &["2 as Git asks"]);
    said(phasegate(&database.url(), &["verify", "--plan", project.plan.to_str().unwrap()])).await.expect(0, &[WELL]);
}

on_each!(what_another_change_does_to_a_column_is_no_drift_of_the_change_that_made_it, moved_on);
async fn moved_on(database: Database) {
    let project = Project::new(&database);
    project.live(&[V1]);
    let table = "createTable: {table: customers, columns: {id: {type: bigint, primaryKey: true}, full_name: {type: \
                 varchar(80), nullable: false, unique: false}}}";
    project.refactor("make-customers", "target: migrated", table);
    run(&database, &project).await.expect(0, &["is migrated"]);
    project.change("split-name", "customers", "target: migrated");
    run(&database, &project).await.expect(0, &["2 as Git asks"]);
    run(&database, &project).await.expect(0, &["2 as Git asks"]);
    said(phasegate(&database.url(), &["verify", "--plan", project.plan.to_str().unwrap()])).await.expect(0, &[WELL]);
}

on_each!(an_index_goes_with_a_column_that_another_change_takes_away, went_along);
async fn went_along(database: Database) {
    let project = indexed(&database).await;
    let split = "apiVersion: phasegate.dev/v1alpha1\nkind: SchemaChange\nmetadata: {name: split-city}\nspec:\n  database: \
                 customers\n  target: contracted\n  splitColumn: {table: customers, column: city, separator: ', ', into: \
                 {town: {type: varchar(40)}, area: {type: varchar(40)}}}\n";
    std::fs::write(project.plan.join("changes/0003-split-city.yaml"), split).unwrap();
    project.live(&[("v2", "split-city")]);
    run(&database, &project).await.expect(0, &["is contracted", "2 as Git asks"]);
    run(&database, &project).await.expect(0, &["2 as Git asks"]);
    said(phasegate(&database.url(), &["verify", "--plan", project.plan.to_str().unwrap()])).await.expect(0, &[WELL]);
}
