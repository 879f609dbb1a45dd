//! Facts for tests: the split of `full_name`, where v1 knows the old shape and v2 the new one.

use std::{sync::Arc, time::Duration};

use phase_ledger::{BackfillProgress, Generation, LedgerEntry, LedgerState, ServerIdentity};
use schema_phases::{
    AppVersion, ChangeProfile, Conversion, DatabaseFacts, LedgerSight, Moment, Move, PhaseWindow, Policy, Reason,
    SchemaPhase, Sighting, Span, judge,
};

use crate::{
    gate::{AskingRollout, DatabaseSeen, PlanSight, View},
    template::PodTemplate,
};

pub(crate) fn at_rest(phase: SchemaPhase) -> Span {
    Span::AtRest(phase)
}

pub(crate) fn step(from: SchemaPhase, to: SchemaPhase) -> Move {
    Move::new(from, to).unwrap()
}

pub(crate) fn entry(name: &str, order: u32, span: Span) -> LedgerEntry {
    LedgerEntry {
        profile: ChangeProfile {
            name: name.parse().unwrap(),
            order,
            tables: ["customers".to_owned()].into(),
            old_window: PhaseWindow::until(SchemaPhase::Migrated),
            new_window: PhaseWindow::NEW_SHAPE,
            conversion: Conversion::Rows,
        },
        span,
        definition: "d".repeat(64),
        new_shape_live: false,
        done: [].into(),
        backfill: None,
    }
}

pub(crate) fn backfill(done: u64, total: u64, rate: u64) -> BackfillProgress {
    BackfillProgress { step: 0, rows_done: done, rows_total: total, rows_per_second: rate, held: None }
}

pub(crate) fn ledger(changes: Vec<LedgerEntry>) -> LedgerState {
    LedgerState {
        generation: Generation(1),
        server: ServerIdentity("memory".to_owned()),
        plan: "a".repeat(64).parse().ok(),
        paused: None,
        changes,
    }
}

pub(crate) fn split_at(span: Span) -> LedgerState {
    ledger(vec![entry("split-full-name", 1, span)])
}

pub(crate) fn template(image: &str, supports: &str) -> PodTemplate {
    let annotations: Vec<(&str, &str)> =
        if supports.is_empty() { Vec::new() } else { vec![("supports.phasegate.dev/customers", supports)] };
    PodTemplate::new([("database.phasegate.dev/customers", "")], annotations, image)
}

pub(crate) fn rollout() -> AskingRollout {
    AskingRollout {
        namespace: "store".to_owned(),
        name: "shop".to_owned(),
        uid: "uid-1".to_owned(),
        template: Some(template("shop:v2", "split-full-name")),
        stable_pod_hash: "66c5f".to_owned(),
        canary_pod_hash: "7d4b9".to_owned(),
        step_index: Some(0),
    }
}

pub(crate) fn version(name: &str, annotation: &str) -> AppVersion {
    AppVersion { name: name.to_owned(), annotation: annotation.to_owned() }
}

pub(crate) fn seen(name: &str, ledger: Option<LedgerState>) -> DatabaseSeen {
    DatabaseSeen {
        name: name.to_owned(),
        namespace: "store".to_owned(),
        canary: version("v2", "split-full-name"),
        stable: Some(version("v1", "")),
        ledger: ledger.map(Arc::new),
        wanted: "a".repeat(64).parse().ok(),
        plan: PlanSight::Wanted,
        note: None,
    }
}

pub(crate) fn view(ledger: Option<LedgerState>) -> View {
    View {
        canary: "v2".to_owned(),
        stable: Some("v1".to_owned()),
        databases: vec![seen("customers", ledger)],
        waited: Duration::ZERO,
        overdue: false,
        at: Moment::from_unix_millis(1_700_000_000_000),
    }
}

/// Which kind of misfit.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Behind,
    Ahead,
    Outlived,
    Stranded,
}

/// A reason with a misfit in it. The first rule makes the misfit, and the test says what stands in it.
pub(crate) fn misfit(kind: Kind, version: &str, change: &str, span: Span, window: PhaseWindow) -> Reason {
    let at = Moment::from_unix_millis(0);
    let facts = DatabaseFacts {
        database: "customers".to_owned(),
        ledger: Sighting::Seen {
            value: LedgerSight::Changes(split_at(at_rest(SchemaPhase::Pending)).live_changes()),
            at,
        },
        canary: self::version("v2", "split-full-name"),
        stable: Sighting::Seen { value: None, at },
        checks: Vec::new(),
    };
    let verdict = judge(&[facts], Policy { max_age: Duration::ZERO, overdue: None }, at);
    let [Reason::SchemaBehind(found)] = verdict.reasons() else { panic!("{verdict:?}") };
    let mut made = found.clone();
    made.version = version.to_owned();
    made.change = change.parse().unwrap();
    made.span = span;
    made.window = window;
    match kind {
        Kind::Behind => Reason::SchemaBehind(made),
        Kind::Ahead => Reason::SchemaAhead(made),
        Kind::Outlived => Reason::Outlived(made),
        Kind::Stranded => Reason::StableStranded(made),
    }
}

/// A self-signed certificate for `name` and its key, in PEM.
pub(crate) fn certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    (pem("CERTIFICATE", made.cert.der()), pem("PRIVATE KEY", &made.signing_key.serialize_der()))
}

fn pem(kind: &str, der: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", STANDARD.encode(der))
}
