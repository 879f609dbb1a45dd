use std::sync::atomic::{AtomicBool, Ordering};

use phase_ledger::{Cell, Probe, ProbeError, ReadError, memory::Memory};
use schema_changes::{DailyWindow, PrometheusThrottle, ThrottleMeasure};
use schema_phases::{Because, Moment};

use super::*;

struct Opens(Memory, AtomicBool);

#[async_trait]
impl Connect for Opens {
    async fn open(&self) -> Result<Box<dyn Session>, ReadError> {
        if self.1.load(Ordering::Relaxed) {
            return Err(ReadError::Unreachable { cause: "the server is away".into() });
        }
        Ok(Box::new(self.0.session()))
    }

    async fn probe(&self, _: Duration) -> Result<Box<dyn Probe>, ProbeError> {
        Err(ProbeError::Unreachable { cause: "nobody asks here".into() })
    }
}

/// Says of each query what it is told to.
struct Says(fn(&str) -> Result<f64, Because>);

#[async_trait]
impl Measures for Says {
    async fn number(&self, server: Option<&str>, query: &str) -> Result<f64, Because> {
        assert_eq!(server, Some("main"));
        if query == "hangs" {
            std::future::pending::<()>().await;
        }
        (self.0)(query)
    }
}

/// Where nothing is measured.
const NOTHING: Says = Says(|query| panic!("{query} was asked"));

fn opens(memory: &Memory) -> Opens {
    Opens(memory.clone(), AtomicBool::new(false))
}

fn clock() -> Clock {
    Clock::starting_at(Moment::from_unix_millis(12 * 3_600_000))
}

async fn held(settings: &ThrottleSettings, answer: Vec<Vec<Cell>>) -> Option<String> {
    let memory = Memory::new();
    memory.on_query(move |_| Ok(answer.clone()));
    DeclaredThrottle::new(settings, Engine::Postgres, &opens(&memory), &NOTHING, clock()).hold().await
}

#[tokio::test]
async fn a_number_above_its_limit_holds_and_so_does_none() {
    let lag = ThrottleSettings { replication_lag: Some(Duration::from_secs(10)), ..ThrottleSettings::default() };
    let sessions = ThrottleSettings { active_sessions: Some(20), ..ThrottleSettings::default() };
    let query = ThrottleSettings { query: Some("SELECT busy FROM load".into()), ..ThrottleSettings::default() };
    let one = |cell| vec![vec![cell]];
    let rows = [
        (&lag, one(Cell::Real(10.0)), None),
        (&lag, one(Cell::Real(10.5)), Some("the replication lag is 10.5 s, above 10 s")),
        (&lag, one(Cell::Null), Some("no standby streams, one does not replay, or the runner's role may not see them")),
        (&sessions, one(Cell::Int(20)), None),
        (&sessions, one(Cell::Int(21)), Some("the number of active sessions is 21, above 20")),
        (&sessions, one(Cell::Null), Some("may not see them")),
        (&query, one(Cell::Int(0)), None),
        (&query, one(Cell::Text("0".into())), None),
        (&query, one(Cell::Int(1)), Some("the throttle query is 1, above 0")),
        (&query, one(Cell::Text("much".into())), Some("it must return one row with one number")),
        (&query, one(Cell::Real(f64::NAN)), Some("one number")),
        (&query, Vec::new(), Some("one number")),
        (&query, vec![vec![Cell::Int(0)], vec![Cell::Int(0)]], Some("one number")),
        (&query, vec![vec![Cell::Int(0), Cell::Int(0)]], Some("one number")),
    ];
    for (settings, answer, want) in rows {
        let found = held(settings, answer.clone()).await;
        match (&found, want) {
            (None, None) => {}
            (Some(found), Some(want)) if found.contains(want) => {}
            _ => panic!("{answer:?}: {found:?}, expected {want:?}"),
        }
    }
}

#[tokio::test]
async fn a_database_that_fails_hangs_or_is_away_holds_until_it_answers() {
    let settings = ThrottleSettings { active_sessions: Some(5), ..ThrottleSettings::default() };
    let memory = Memory::new();
    let connect = opens(&memory);
    let throttle = DeclaredThrottle::new(&settings, Engine::Postgres, &connect, &NOTHING, clock());
    memory.on_query(|_| Ok(vec![vec![Cell::Int(1)]]));
    assert_eq!(throttle.hold().await, None);
    memory.break_connections();
    assert!(throttle.hold().await.unwrap().contains("cannot be seen"), "the old connection is gone");
    assert_eq!(throttle.hold().await, None, "and a new one is made");
    memory.break_connections();
    connect.1.store(true, Ordering::Relaxed);
    throttle.hold().await.unwrap();
    let why = throttle.hold().await.unwrap();
    assert!(why.contains("the server is away"), "{why}");
    connect.1.store(false, Ordering::Relaxed);
    assert_eq!(throttle.hold().await, None);
}

#[tokio::test]
async fn outside_of_its_window_nothing_is_even_asked() {
    let window = Some(DailyWindow { from: 22 * 60, to: 6 * 60 });
    let settings = ThrottleSettings { window, query: Some("SELECT 0".into()), ..ThrottleSettings::default() };
    let memory = Memory::new();
    memory.on_query(|_| panic!("asked"));
    let why = DeclaredThrottle::new(&settings, Engine::Postgres, &opens(&memory), &NOTHING, clock()).hold().await;
    assert_eq!(why.as_deref(), Some("it works from 22:00 to 06:00 UTC only"));
}

fn measured(measures: &[(&str, Option<f64>, Option<f64>)]) -> ThrottleSettings {
    let measure = |(query, at_most, at_least): &(&str, Option<f64>, Option<f64>)| ThrottleMeasure {
        name: format!("the-{query}"),
        server: Some("main".into()),
        query: (*query).into(),
        at_most: *at_most,
        at_least: *at_least,
    };
    let prometheus = PrometheusThrottle { servers: None, measures: measures.iter().map(measure).collect() };
    ThrottleSettings { prometheus: Some(prometheus), ..ThrottleSettings::default() }
}

#[tokio::test(start_paused = true)]
async fn a_measure_out_of_bounds_and_one_that_cannot_be_seen_hold() {
    let says = Says(|query| match query {
        "load" => Ok(4.5),
        "free" => Ok(0.25),
        "nan" => Ok(f64::NAN),
        _ => Err(Because::NotThere("Prometheus server main has no value for the query".into())),
    });
    let memory = Memory::new();
    memory.on_query(|_| panic!("the database was asked"));
    let rows = [
        (measured(&[("load", Some(4.5), Some(4.5))]), None),
        (measured(&[("load", Some(4.0), None)]), Some("the-load is 4.5, above 4")),
        (measured(&[("load", Some(9.0), None), ("free", None, Some(0.5))]), Some("the-free is 0.25, below 0.5")),
        (measured(&[("nan", Some(4.0), None)]), Some("the-nan cannot be seen: it is no number")),
        (measured(&[("nan", None, Some(4.0))]), Some("the-nan cannot be seen: it is no number")),
        (measured(&[("load", Some(9.0), None), ("up", Some(1.0), None)]), Some("the-up cannot be seen: ")),
        (measured(&[("hangs", Some(1.0), None)]), Some("the-hangs cannot be seen: no answer within 5 s")),
    ];
    for (settings, want) in rows {
        let connect = opens(&memory);
        let found = DeclaredThrottle::new(&settings, Engine::Sqlite, &connect, &says, clock()).hold().await;
        match (&found, want) {
            (None, None) => {}
            (Some(found), Some(want)) if found.contains(want) => {}
            _ => panic!("{settings:?}: {found:?}, expected {want:?}"),
        }
    }
}
