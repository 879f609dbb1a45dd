use schema_phases::SchemaPhase;

use super::*;

fn row() -> TextRow {
    [
        "1",
        "false",
        "s1",
        "7",
        "s1",
        "",
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
        "v1 i:5",
        "v1 i:9",
        "5",
        "9",
        "0",
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
    assert_eq!((&backfill.cursor, &backfill.end), (&vec![Cell::Int(5)], &vec![Cell::Int(9)]));
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
        (6, Some("No Name"), "changes"),
        (7, Some("4294967296"), "changes"),
        (7, Some("1.0"), "changes"),
        (8, Some("customers"), "changes"),
        (8, Some("v1 i:1"), "changes"),
        (9, Some("contracted..pending"), "changes"),
        (10, Some("somewhere"), "changes"),
        (11, Some("maybe"), "changes"),
        (12, None, "changes"),
        (13, Some("gone"), "changes"),
        (13, None, "changes"),
        (14, Some("pending"), "changes"),
        (14, None, "changes"), // acting, and moves nowhere
        (15, Some("yes"), "changes"),
        (16, None, "changes"),
        (17, Some("1,x"), "done"),
        (17, Some("-1"), "done"),
        (18, Some("here"), "backfills"),
        (19, None, "backfills"),
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
    all_wrong[0] = Some("2".to_owned());
    all_wrong[1] = Some("true".to_owned());
    all_wrong[2] = Some("s2".to_owned());
    all_wrong[3] = Some("junk".to_owned());
    let read = |row: &TextRow, whose| reading(vec![row.clone()], whose, "p.");
    assert!(matches!(read(&all_wrong, Whose::Runner), Err(ReadError::Standby)));
    all_wrong[1] = Some("false".to_owned());
    assert!(matches!(read(&all_wrong, Whose::Runner), Err(ReadError::Format { found: 2, known: 1 })));
    all_wrong[0] = Some("1".to_owned());
    assert!(matches!(read(&all_wrong, Whose::Gate), Err(ReadError::OtherServer { .. })));
    all_wrong[3] = Some("1".to_owned());
    assert!(matches!(read(&all_wrong, Whose::Runner), Ok(Reading::Ledger(_))), "a runner takes it over");
}
