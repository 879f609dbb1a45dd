//! Measures and their watch, and waits that are overdue.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_measure_is_asked_once_for_all_who_wait_and_anew_for_a_yes() {
    let bench = bench().measuring(1.0);
    bench.measure(2.0);
    for _ in 0..50 {
        bench.says("wait", "errors: it was 2, above 1").await;
    }
    assert_eq!(bench.checks.asked.load(Ordering::SeqCst), 1);
    bench.measure(0.5);
    advance(Duration::from_secs(11)).await;
    bench.says("proceed", "").await;
    let after_one = bench.checks.asked.load(Ordering::SeqCst);
    bench.measure(2.0);
    // What was remembered says yes; a yes looks again, and there is none.
    bench.says("wait", "errors: it was 2").await;
    assert_eq!(bench.checks.asked.load(Ordering::SeqCst), after_one + 1);
}

#[tokio::test(start_paused = true)]
async fn a_watch_lasts_its_time_and_refuses_what_goes_wrong_while_stable_fits() {
    let watching = |tolerated| {
        let mut bench = bench().measuring(1.0);
        bench.question.config.watch = Some(Watch { lasting: Duration::from_secs(60), tolerated });
        bench.measure(0.5);
        bench
    };
    let pause = Duration::from_secs(20);
    let bench = watching(0);
    for seconds in ["1 s", "20 s", "40 s"] {
        bench.says("wait", &format!("errors: well so far, watched for {seconds} of 1 min")).await;
        advance(pause).await;
    }
    bench.says("proceed", "").await;
    // The next step begins its own watch.
    bench.says("wait", "watched for 1 s of 1 min").await;

    let bench = watching(1);
    bench.says("wait", "well so far").await;
    bench.measure(3.0);
    advance(pause).await;
    bench.says("wait", "errors: it was 3, above 1").await;
    advance(pause).await;
    bench.says("refuse", "errors: it was 3, above 1").await;

    // Stable does not fit: a refusal would send all traffic there.
    let bench = watching(0);
    bench.ledgers.memory.put(Some(split_at(at_rest(SchemaPhase::Contracted))));
    bench.measure(3.0);
    bench.says("wait", "errors: it was 3").await;

    // Nothing was seen in between: that is no watching.
    let bench = watching(0);
    bench.says("wait", "watched for 1 s").await;
    advance(pause).await;
    *bench.checks.measured.lock().unwrap() = Some(Says::No(Because::NotThere("empty".to_owned())));
    bench.says("undecided", "empty").await;
    advance(Duration::from_secs(3600)).await;
    bench.measure(0.5);
    bench.says("wait", "watched for 20 s of 1 min").await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_overdue_is_told_and_refused_only_when_its_owner_says_so() {
    for (then, want) in [(WhenOverdue::Wait, "wait"), (WhenOverdue::Refuse, "refuse")] {
        let mut bench = bench();
        bench.ledgers.memory.put(Some(split_at(at_rest(SchemaPhase::Synced))));
        bench.question.config.overdue_after = Duration::from_secs(120);
        bench.question.config.when_overdue = then;
        for _ in 0..6 {
            let answer = bench.gate.ask(&bench.question).await.unwrap();
            assert!(matches!(answer.verdict, Verdict::Wait(_)) && !answer.view.overdue);
            advance(Duration::from_secs(20)).await;
        }
        let answer = bench.gate.ask(&bench.question).await.unwrap();
        assert!(answer.view.overdue && answer.view.waited == Duration::from_secs(120));
        assert_eq!(answer.verdict.as_str(), want);
    }
    // What cannot be decided is never refused, however late.
    let mut bench = bench();
    bench.question.config.overdue_after = Duration::ZERO;
    bench.question.config.when_overdue = WhenOverdue::Refuse;
    bench.versions.set("66c5f", Says::No(Because::NotThere("gone".to_owned())));
    bench.says("undecided", "gone").await;
}
