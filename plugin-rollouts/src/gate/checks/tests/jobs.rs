//! What is told of the runner's Job, on which nothing rests.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_became_of_the_job_is_told_where_nothing_moves() {
    let name = |job: &str| job.to_owned();
    let rows = [
        (Says::this(JobSight::Absent), "There is no Job of the plan that Git wants for customers: sync"),
        (Says::this(JobSight::Working { job: name("j") }), "Job j is at work"),
        (Says::this(JobSight::Suspended { job: name("j") }), "Job j is suspended: resume it"),
        (
            Says::this(JobSight::Failed { job: name("j"), why: name("DeadlineExceeded") }),
            "Job j failed (DeadlineExceeded)",
        ),
        (Says::this(JobSight::Complete { job: name("j") }), "Job j is complete: its log says"),
        (
            Says::No(Because::NotPermitted(name("may not list jobs"))),
            "What its Job does cannot be told: may not list jobs",
        ),
        (Says::Nothing, "cannot be told: no answer within 400 ms"),
    ];
    for (says, want) in rows {
        let bench = bench();
        *bench.checks.job.lock().unwrap() = Some(says);
        bench.ledgers.memory.put(Some(split_at(at_rest(SchemaPhase::Synced))));
        let answer = bench.gate.ask(&bench.question).await.unwrap();
        let note = answer.view.databases[0].note.clone().unwrap();
        assert!(note.contains(want) && matches!(answer.verdict, Verdict::Wait(_)), "{note}");
        bench.ledgers.memory.put(Some(split_at(Span::Acting(step(SchemaPhase::Synced, SchemaPhase::Migrated)))));
        let answer = bench.gate.ask(&bench.question).await.unwrap();
        assert_eq!(answer.view.databases[0].note, None, "the ledger says that it works");
    }
}

/// No decision rests on the Job, whatever Kubernetes says of it and however long it takes.
#[tokio::test(start_paused = true)]
async fn a_job_that_comes_and_goes_and_lies_changes_no_verdict_and_costs_little_time() {
    let job = || "j".to_owned();
    let mut all: Vec<(Says<JobSight>, bool)> = vec![
        (Says::this(JobSight::Absent), true),
        // It cannot be, as the ledger has it.
        (Says::this(JobSight::Complete { job: job() }), true),
        (Says::this(JobSight::Failed { job: "j".repeat(100_000), why: "\u{0}\n".repeat(50_000) }), true),
        (Says::this(JobSight::Working { job: job() }), true),
        (Says::Nothing, false),
        (Says::This(JobSight::Suspended { job: job() }, Duration::from_secs(60)), false),
    ];
    all.extend(EVERY_MISS.map(|because| (Says::No(because()), false)));
    for (phase, want) in [(SchemaPhase::Synced, "wait"), (SchemaPhase::Migrated, "proceed")] {
        let bench = bench();
        let turns = InTurn::new(all.clone());
        *bench.checks.job.lock().unwrap() = Some(Says::InTurn(Arc::clone(&turns)));
        bench.ledgers.memory.put(Some(split_at(at_rest(phase))));
        let mut notes = BTreeSet::new();
        for question in 0..100 {
            let began = tokio::time::Instant::now();
            let answer = bench.gate.ask(&bench.question).await.unwrap();
            assert_eq!(answer.verdict.as_str(), want, "question {question}");
            assert!(began.elapsed() <= Duration::from_millis(400), "question {question}: {:?}", began.elapsed());
            let note = answer.view.databases[0].note.clone();
            let report = crate::step::report::report(answer, &bench.question.rollout, &bench.question.config, None);
            assert!(report.message().len() < 4_096, "question {question}");
            notes.extend(note.map(|note| note.chars().take(40).collect::<String>()));
            advance(Duration::from_secs(11)).await;
        }
        assert_eq!(notes.len() > 4, want == "wait", "{notes:?}");
    }
}
