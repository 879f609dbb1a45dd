use schema_phases::SchemaPhase;

use super::*;

fn row() -> TextRow {
    [
        "2",
        "false",
        "s1",
        "7",
        "s1",
        "",
        "anna",
        "split",
        "2",
        "v1 t:customers",
        "pending..migrated",
        "migrated..contracted",
        "rows",
        "d",
        "synced",
        "migrated",
        "true",
        "false",
        "0,3",
        "2",
        "5",
        "9",
        "0",
        "night",
    ]
    .map(|text| (!text.is_empty()).then(|| text.to_owned()))
}

fn with(at: usize, value: Option<&str>) -> Result<Reading, ReadError> {
    let mut row = row();
    row[at] = value.map(str::to_owned);
    reading(vec![row], Whose::Gate, "phasegate.")
}

#[test]
fn a_whole_row_is_a_change() {
    let Ok(Reading::Ledger(state)) = reading(vec![row()], Whose::Gate, "p.") else { panic!("unread") };
    assert_eq!((state.generation, state.plan.clone()), (Generation(7), None));
    let entry = &state.changes[0];
    assert_eq!(entry.span, Span::Acting(Move::new(SchemaPhase::Synced, SchemaPhase::Migrated).unwrap()));
    assert_eq!(entry.done.iter().copied().collect::<Vec<_>>(), [0, 3]);
    let backfill = entry.backfill.as_ref().unwrap();
    assert_eq!((backfill.step, backfill.rows_done, backfill.rows_total), (2, 5, 9));
    assert_eq!((backfill.held.as_deref(), state.paused.as_deref()), (Some("night"), Some("anna")));
}

#[test]
fn a_value_that_cannot_be_there_names_its_table() {
    let rows: &[(usize, Option<&str>, &str)] = &[
        (0, None, "ledger"),
        (0, Some("one"), "ledger"),
        (1, Some("maybe"), "ledger"),
        (3, Some("-1"), "ledger"),
        (3, Some("18446744073709551616"), "ledger"),
        (4, None, "ledger"),
        (5, Some("no digest"), "ledger"),
        (7, Some("No Name"), "changes"),
        (8, Some("4294967296"), "changes"),
        (8, Some("1.0"), "changes"),
        (9, Some("customers"), "changes"),
        (9, Some("v1 i:1"), "changes"),
        (10, Some("contracted..pending"), "changes"),
        (11, Some("somewhere"), "changes"),
        (12, Some("maybe"), "changes"),
        (13, None, "changes"),
        (14, Some("gone"), "changes"),
        (14, None, "changes"),
        (15, Some("pending"), "changes"),
        (15, None, "changes"), // acting, and moves nowhere
        (16, Some("yes"), "changes"),
        (17, None, "changes"),
        (18, Some("1,x"), "done"),
        (18, Some("-1"), "done"),
        (19, Some("here"), "backfills"),
        (19, Some("-1"), "backfills"),
        (20, None, "backfills"),
        (20, Some("-5"), "backfills"),
        (21, Some("1e30"), "backfills"),
        (22, None, "backfills"),
    ];
    for (at, value, table) in rows {
        match with(*at, *value) {
            Err(ReadError::Damaged { table: found, .. }) => {
                assert_eq!(found, format!("phasegate.{table}"), "{at} {value:?}")
            }
            other => panic!("{at} {value:?}: {other:?}"),
        }
    }
    assert!(matches!(reading(Vec::new(), Whose::Gate, "p."), Err(ReadError::Damaged { .. })));
}

#[test]
fn a_standby_another_format_and_another_server_are_told_apart_in_this_order() {
    let mut all_wrong = row();
    all_wrong[0] = Some("3".to_owned());
    all_wrong[1] = Some("true".to_owned());
    all_wrong[2] = Some("s2".to_owned());
    all_wrong[3] = Some("junk".to_owned());
    let read = |row: &TextRow, whose| reading(vec![row.clone()], whose, "p.");
    assert!(matches!(read(&all_wrong, Whose::Runner), Err(ReadError::Standby)));
    all_wrong[1] = Some("false".to_owned());
    assert!(matches!(read(&all_wrong, Whose::Runner), Err(ReadError::Format { found: 3, known: 2 })));
    all_wrong[0] = Some("2".to_owned());
    assert!(matches!(read(&all_wrong, Whose::Gate), Err(ReadError::OtherServer { .. })));
    all_wrong[3] = Some("1".to_owned());
    assert!(matches!(read(&all_wrong, Whose::Runner), Ok(Reading::Ledger(_))), "a runner takes it over");
}

#[test]
fn a_damaged_range_names_its_table() {
    let row = |at: usize, value: Option<&str>| {
        let mut row = ["1", "v1 i:5", "v1 i:9", "5"].map(|text| Some(text.to_owned()));
        row[at] = value.map(str::to_owned);
        ranges(vec![row], "p.")
    };
    let whole = row(0, Some("1")).unwrap();
    let expected = BackfillRange { part: 1, cursor: vec![Cell::Int(5)], end: vec![Cell::Int(9)], rows_done: 5 };
    assert_eq!(whole, [expected]);
    for (at, value) in [(0, None), (0, Some("-1")), (1, None), (1, Some("here")), (2, Some("v1 t:%zz")), (3, Some("x"))]
    {
        let found = row(at, value);
        assert!(matches!(&found, Err(ReadError::Damaged { table, .. }) if table == "p.ranges"), "{at} {found:?}");
    }
}
