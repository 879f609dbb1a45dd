//! Every rule: what it says, and what it leaves alone.

use std::collections::BTreeMap;

use super::{Finding, lint};
use crate::Plan;

const DATABASE: &str = "\
apiVersion: phasegate.dev/v1alpha1
kind: Database
metadata: {name: d}
spec:
  engine: postgres
  runner: {secretRef: {name: owner, key: url}}
  gate: {secretRef: {name: reader, key: url}}
  apps: {secretRefs: [app]}
";

fn head(name: &str, target: &str) -> String {
    format!(
        "apiVersion: phasegate.dev/v1alpha1\nkind: SchemaChange\nmetadata: {{name: {name}}}\nspec:\n  database: d\n  {target}\n"
    )
}

fn said(files: &[(&str, String)]) -> Vec<Finding> {
    let files: BTreeMap<String, String> = files.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect();
    lint(&Plan::read(&files).unwrap_or_else(|errors| panic!("{errors:#?}")))
}

/// What is said of one SQL file in one phase, as rule names with lines.
fn of_sql(engine: &str, phase: &str, sql: &str) -> Vec<String> {
    let spec = match phase.strip_prefix("reverse ") {
        Some(phase) => format!("  sql: {{{phase}: none.sql, reverse: {{{phase}: it.sql}}}}\n"),
        None if phase == "contract" => "  sql: {contract: it.sql}\n".to_owned(),
        None => format!("  sql: {{{phase}: it.sql, reverse: {{{phase}: none.sql}}}}\n"),
    };
    let change = format!(
        "{}{spec}  windows: {{old: pending..migrated, new: migrated..contracted}}\n  tables: [t]\n",
        head("c", "target: migrated")
    );
    let found = said(&[
        ("phasegate.yaml", DATABASE.replace("postgres", engine)),
        ("changes/1.yaml", change),
        ("changes/it.sql", sql.to_owned()),
        ("changes/none.sql", String::new()),
    ]);
    found.iter().map(|finding| format!("{} {}", finding.rule, finding.line.unwrap())).collect()
}

#[test]
fn each_rule_on_sql_finds_its_statement_and_leaves_the_safe_form_alone() {
    let rows: [(&str, &str, &[&str]); 45] = [
        ("expand", "create index i on t (a)", &["blocking-index 1"]),
        ("expand", "\ncreate unique index i on t (a)", &["blocking-index 2"]),
        ("expand", "create index concurrently i on t (a)", &[]),
        ("expand", "create table n (a int); create index i on n (a)", &[]),
        ("expand", "create table if not exists s.n (a int); create index i on only s.n (a)", &[]),
        ("contract", "drop index i; reindex table t", &["blocking-index 1", "blocking-index 1"]),
        ("contract", "drop index concurrently i; reindex table concurrently t", &[]),
        ("expand", "alter table t add column a int not null", &["add-not-null 1"]),
        ("expand", "alter table t add a int not null, add b int", &["add-not-null 1"]),
        ("expand", "alter table t add column a int not null default 0", &[]),
        ("expand", "alter table t add column a int", &[]),
        ("expand", "alter table t add column a uuid default gen_random_uuid()", &["rewriting-default 1"]),
        ("expand", "alter table t add column a bigserial", &["rewriting-default 1"]),
        ("expand", "alter table t add column a int generated always as (b + 1) stored", &["rewriting-default 1"]),
        ("expand", "alter table t add column a numeric(10, 2) default 0", &[]),
        ("contract", "alter table t alter column a set not null", &["set-not-null 1"]),
        ("contract", "alter table t validate constraint c;\nalter table t alter column a set not null", &[]),
        ("reverse expand", "alter table t alter column a set not null", &[]),
        ("expand", "alter table t add constraint c check (a > 0)", &["add-constraint 1"]),
        ("expand", "alter table t add check (a > 0)", &["add-constraint 1"]),
        ("expand", "alter table t add constraint c check (a > 0) not valid", &[]),
        ("expand", "alter table t add constraint c foreign key (a) references u (b)", &["add-constraint 1"]),
        ("expand", "alter table t add constraint c foreign key (a) references u (b) not valid", &[]),
        ("expand", "alter table t add constraint c unique (a)", &["add-constraint 1"]),
        ("expand", "alter table t add constraint c unique using index i", &[]),
        ("expand", "alter table only s.t add primary key (a)", &["add-constraint 1"]),
        ("contract", "alter table t alter column a type bigint", &["alter-type 1"]),
        ("contract", "alter table t alter a set data type bigint", &["alter-type 1"]),
        ("contract", "alter table t alter column a set default 1", &[]),
        ("expand", "alter table t rename column a to b", &["rename 1"]),
        ("expand", "alter table t rename to u", &["rename 1"]),
        ("expand", "alter table t rename constraint a to b", &[]),
        ("expand", "alter table t drop column a", &["drop-too-early 1"]),
        ("expand", "alter table t drop a", &["drop-too-early 1"]),
        ("expand", "drop table t", &["drop-too-early 1"]),
        ("expand", "alter table t drop constraint c, alter a drop not null", &[]),
        ("contract", "alter table t drop column a; drop table u", &[]),
        ("reverse expand", "alter table t drop column a", &[]),
        ("expand", "truncate t", &["truncate 1"]),
        ("migrate", "update t set a = 1;\ndelete from t", &["whole-table-write 1", "whole-table-write 2"]),
        ("migrate", "update t set a = 1 where a is null", &[]),
        (
            "contract",
            "vacuum full t; vacuum (full, analyze) t; cluster t",
            &["full-lock 1", "full-lock 1", "full-lock 1"],
        ),
        ("migrate", "alter table t add column a int", &["ddl-in-migrate 1"]),
        ("migrate", "alter table t validate constraint c; create index concurrently i on t (a); analyze t", &[]),
        ("contract", "alter table t detach partition p", &["detach-partition 1"]),
    ];
    for (phase, sql, want) in rows {
        let mut found = of_sql("postgres", phase, sql);
        // Equal findings of one line are told once.
        found.dedup();
        let mut want: Vec<String> = want.iter().map(|one| (*one).to_owned()).collect();
        want.dedup();
        assert_eq!(found, want, "{phase}: {sql}");
    }
}

#[test]
fn rules_about_locks_do_not_concern_sqlite() {
    assert!(of_sql("sqlite", "expand", "create index i on t (a)").is_empty());
    assert_eq!(of_sql("sqlite", "expand", "alter table t drop column a"), ["drop-too-early 1"]);
    assert_eq!(of_sql("sqlite", "expand", "alter table t rename column a to b"), ["rename 1"]);
}

#[test]
fn each_rule_on_mariadb_and_mysql_finds_its_statement_and_leaves_the_safe_form_alone() {
    let online = "ALGORITHM=INPLACE, LOCK=NONE";
    let rows: [(&str, &str, String, &[&str]); 26] = [
        ("mariadb", "expand", "alter table t add column if not exists a int".into(), &["silent-copy 1"]),
        ("mariadb", "expand", "alter table t add column if not exists a int, algorithm=instant".into(), &[]),
        ("mariadb", "expand", "alter table t add column a int, algorithm instant".into(), &["not-rerunnable 1"]),
        ("mysql", "expand", "alter table t add column a int, algorithm=instant".into(), &[]),
        ("mysql", "expand", "alter table t add column a int, algorithm=copy".into(), &["silent-copy 1"]),
        ("mysql", "expand", "alter table t add column a int, lock=shared".into(), &["silent-copy 1"]),
        ("mysql", "contract", "alter table t convert to character set utf8mb4".into(), &["silent-copy 1"]),
        ("mysql", "contract", format!("alter table t modify a bigint, {online}"), &[]),
        ("mysql", "contract", "alter table t modify a bigint".into(), &["silent-copy 1"]),
        (
            "mysql",
            "contract",
            "alter table t add constraint f foreign key (a) references u (b)".into(),
            &["silent-copy 1"],
        ),
        ("mysql", "contract", "alter table t add constraint c check (a > 0)".into(), &["silent-copy 1"]),
        ("mysql", "contract", "alter table t engine = InnoDB".into(), &["silent-copy 1"]),
        ("mysql", "expand", "create table n (a int); alter table n add b int".into(), &["not-rerunnable 1"]),
        ("mysql", "expand", "create table if not exists n (a int)".into(), &[]),
        ("mysql", "expand", "create index i on t (a)".into(), &[]),
        ("mariadb", "expand", "create index i on t (a)".into(), &["not-rerunnable 1"]),
        ("mariadb", "expand", "create or replace index i on t (a); drop index if exists j on t".into(), &[]),
        (
            "mysql",
            "expand",
            "create trigger r before insert on t for each row set new.a = 1".into(),
            &["not-rerunnable 1"],
        ),
        ("mysql", "expand", "create table if not exists n (a int references u (b))".into(), &["ignored-reference 1"]),
        ("mariadb", "expand", "create table if not exists n (a int references u (b))".into(), &[]),
        ("mysql", "expand", "create table if not exists n (a int, foreign key (a) references u (b))".into(), &[]),
        ("mysql", "expand", "rename table t to u".into(), &["rename 1"]),
        ("mysql", "expand", format!("alter table t change a b int, {online}"), &["rename 1"]),
        ("mysql", "expand", format!("alter table t change column a A bigint, {online}"), &[]),
        ("mysql", "expand", format!("alter table t drop index i, rename index j to k, {online}"), &[]),
        ("mysql", "expand", format!("alter table t drop column a, {online}"), &["drop-too-early 1"]),
    ];
    for (engine, phase, sql, want) in rows {
        let mut found = of_sql(engine, phase, &sql);
        found.dedup();
        assert_eq!(found, want, "{engine} {phase}: {sql}");
    }
}

#[test]
fn what_stands_in_a_string_or_a_body_is_no_statement() {
    let body = "create function f() returns void language plpgsql as $$ begin truncate t; update t set a = 1; end $$";
    assert!(of_sql("postgres", "expand", body).is_empty());
    assert!(of_sql("postgres", "expand", "comment on table t is 'drop table t; truncate t'").is_empty());
}

fn rules(files: &[(&str, String)]) -> Vec<String> {
    said(files).iter().map(ToString::to_string).collect()
}

#[test]
fn applications_and_the_gate_do_not_share_the_runners_secret() {
    let told = rules(&[("phasegate.yaml", DATABASE.replace("[app]", "[app, owner]"))]);
    assert!(told[0].starts_with("phasegate.yaml: error [credentials]: applications use `owner`"), "{told:?}");
    let told = rules(&[("phasegate.yaml", DATABASE.replace("name: reader", "name: owner"))]);
    assert!(told[0].contains("the gate uses `owner`"), "{told:?}");
    assert!(rules(&[("phasegate.yaml", DATABASE.to_owned())]).is_empty());
}

#[test]
fn a_consumer_that_names_no_change_is_told_the_nearest() {
    let database = format!("{DATABASE}  consumers: [{{name: export, supports: since=ad-city}}]\n");
    let change = head("add-city", "target: pending") + "  addColumn: {table: t, column: city, type: text}\n";
    let told = rules(&[("phasegate.yaml", database), ("changes/1.yaml", change)]);
    assert!(told[0].contains("`ad-city`") && told[0].ends_with("did you mean add-city?"), "{told:?}");
}

#[test]
fn targets_that_can_only_wait_are_named() {
    let rename = |name: &str, target: &str| head(name, target) + "  renameColumn: {table: t, from: a, to: b}\n";
    let two = |first: &str, second: &str| {
        rules(&[
            ("phasegate.yaml", DATABASE.to_owned()),
            ("changes/1.yaml", rename("one", first)),
            ("changes/2.yaml", rename("two", second)),
        ])
    };
    assert!(two("target: migrated", "target: contracted")[0].contains("cannot contract before `one`"));
    assert!(two("revertTo: pending", "target: expanded")[0].contains("cannot revert while `two`"));
    assert!(two("target: migrated", "target: migrated")[0].contains("[one-sync-a-table]"));
    assert!(two("target: contracted", "target: migrated").is_empty());
    assert!(two("revertTo: pending", "revertTo: pending").is_empty());
}

#[test]
fn a_cast_without_a_test_is_pointed_out() {
    let split = |from: &str| {
        let split = format!(
            "  splitColumn: {{table: t, column: a, into: {{b: {{type: int, from: \"{from}\"}}, c: {{type: text, from: a}}}}, back: c}}\n"
        );
        rules(&[("phasegate.yaml", DATABASE.to_owned()), ("changes/1.yaml", head("s", "target: migrated") + &split)])
    };
    assert!(split("a::int")[0].contains("[conversion-may-fail]"));
    assert!(split("cast(a as int)")[0].contains("`from` of"));
    assert!(split("case when a ~ '^[0-9]+$' then a::int end").is_empty());
    assert!(split("length(a)").is_empty());
}
