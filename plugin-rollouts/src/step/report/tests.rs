use schema_phases::{AppVersion, DatabaseFacts, LedgerSight, Moment, Policy, SchemaPhase, Sighting, judge};

use super::*;
use crate::testing::{at_rest, rollout, split_at, version, view};

/// What `judge` says of these two, on a schema at rest at `phase`.
fn answer(phase: SchemaPhase, canary: &str, stable: &str) -> Answer {
    let at = Moment::from_unix_millis(0);
    let state = split_at(at_rest(phase));
    let seen = |version: AppVersion| Sighting::Seen { value: Some(version), at };
    let facts = DatabaseFacts {
        database: "customers".to_owned(),
        ledger: Sighting::Seen { value: LedgerSight::Changes(state.live_changes()), at },
        canary: version("v2", canary),
        stable: seen(version("v1", stable)),
        checks: Vec::new(),
    };
    let verdict = judge(&[facts], Policy { max_age: Duration::from_secs(1), overdue: None }, at);
    Answer { verdict, view: view(Some(state)) }
}

fn told(answer: Answer) -> Report {
    report(answer, &rollout(), &StepConfig::default(), None)
}

fn is_object(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(bytes).is_ok_and(|value| value.is_object())
}

#[test]
fn each_verdict_is_told_in_its_own_way() {
    let proceed = told(answer(SchemaPhase::Migrated, "split-full-name", ""));
    assert!(matches!(&proceed, Report::Successful { status, .. } if is_object(status)), "{proceed:?}");
    let wait = told(answer(SchemaPhase::Synced, "split-full-name", ""));
    assert!(
        matches!(&wait, Report::Running { status, requeue_after, .. }
            if is_object(status) && *requeue_after == Duration::from_secs(15)),
        "{wait:?}"
    );
    let refuse = told(answer(SchemaPhase::Contracted, "", "split-full-name"));
    assert!(matches!(&refuse, Report::Failed { status, .. } if is_object(status)), "{refuse:?}");
    let undecided = told(Answer { verdict: Verdict::Undecided(Vec::new()), view: view(None) });
    assert!(matches!(&undecided, Report::Undecided { .. }));
    for (report, word) in [(proceed, "proceed"), (wait, "wait"), (refuse, "refuse"), (undecided, "undecided")] {
        assert_eq!(report.as_str(), word);
        assert!(!report.message().is_empty());
    }
}

#[test]
fn argo_waits_as_long_as_it_is_told_to_and_never_the_ten_seconds_it_would_make_thirty() {
    let config = StepConfig { requeue: Duration::from_secs(11), ..StepConfig::default() };
    let wait = report(answer(SchemaPhase::Synced, "split-full-name", ""), &rollout(), &config, None);
    assert!(matches!(wait, Report::Running { requeue_after, .. } if requeue_after.as_secs() == 11));
}

#[test]
fn a_question_that_could_not_be_asked_is_undecided() {
    let why = crate::step::config::read(b"{").unwrap_err();
    let told = unasked(&why);
    assert!(matches!(&told, Report::Undecided { message } if message.contains("plugin.config")), "{told:?}");
}
