//! The runner ended in every way that there is, while writers of the application go on: killed at each of its messages
//! to the server, killed at any moment, frozen and woken, its sessions ended by the server. Counted, and printed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use crate::{
    binary::{PATIENCE, Running, phasegate, run, run_command, said},
    database::Database,
    on_each,
    project::{Project, V1, V2},
    traffic::{Shape, Writer, account},
};

/// Hands everything through to a server, and kills the runner at one of its messages.
struct Between {
    port: u16,
    seen: Arc<AtomicUsize>,
    victim: Arc<AtomicU32>,
    known: Arc<Notify>,
}

/// When the runner dies, counted in its messages to the server.
#[derive(Clone, Copy)]
enum Dies {
    /// The server never gets this one.
    Before(usize),
    /// The server gets this one, and nobody its answer.
    After(usize),
}

impl Between {
    async fn start(server: u16, dies: Dies) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self {
            port: listener.local_addr().unwrap().port(),
            seen: Arc::default(),
            victim: Arc::default(),
            known: Arc::default(),
        };
        let (seen, victim, known) = (Arc::clone(&this.seen), Arc::clone(&this.victim), Arc::clone(&this.known));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (seen, victim, known) = (Arc::clone(&seen), Arc::clone(&victim), Arc::clone(&known));
                tokio::spawn(async move {
                    let upstream = TcpStream::connect(("127.0.0.1", server)).await?;
                    let ((mut from, mut back), (mut answers, mut to)) = (client.into_split(), upstream.into_split());
                    let answering = tokio::spawn(async move { tokio::io::copy(&mut answers, &mut back).await });
                    let mut message = vec![0; 1 << 16];
                    loop {
                        let length = from.read(&mut message).await?;
                        if length == 0 {
                            break;
                        }
                        let number = seen.fetch_add(1, Ordering::SeqCst) + 1;
                        let (Dies::Before(at) | Dies::After(at)) = dies;
                        if number < at {
                            to.write_all(&message[..length]).await?;
                            continue;
                        }
                        if matches!(dies, Dies::After(_)) && number == at {
                            to.write_all(&message[..length]).await?;
                        }
                        while victim.load(Ordering::SeqCst) == 0 {
                            known.notified().await;
                        }
                        kill("-KILL", victim.load(Ordering::SeqCst));
                        break;
                    }
                    answering.abort();
                    Ok::<(), std::io::Error>(())
                });
            }
        });
        this
    }

    fn victim(&self, pid: u32) {
        self.victim.store(pid, Ordering::SeqCst);
        self.known.notify_waiters();
        self.known.notify_one();
    }
}

fn kill(signal: &str, pid: u32) {
    // It may have ended by itself.
    let _ = std::process::Command::new("kill")
        .args([signal, &pid.to_string()])
        .stderr(std::process::Stdio::null())
        .status();
}

/// Runs again and again, each time killed a few messages later, until one comes to its end. Returns the kills.
pub(crate) async fn killed_at_each_message(database: &Database, project: &Project, stride: usize) -> usize {
    let (plan, live) = (project.plan.to_str().unwrap(), project.live.to_str().unwrap());
    let mut kills = 0;
    for round in 1.. {
        let at = round * stride;
        let dies = if round % 2 == 0 { Dies::Before(at) } else { Dies::After(at) };
        let between = Between::start(database.port().unwrap(), dies).await;
        let arguments = ["run", "--plan", plan, "--live", live, "--retry-for", "60s"];
        let mut child = phasegate(&database.url_at(between.port), &arguments).spawn().unwrap();
        between.victim(child.id().unwrap());
        let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it takes too long").unwrap();
        match status.code() {
            Some(0) => return kills,
            Some(code) => panic!("exit {code} in round {round}, after {kills} kills"),
            None => kills += 1,
        }
    }
    kills
}

/// Forward, back, forward again and to the end.
async fn at_each_message(database: Database, stride: usize) {
    const ROWS: i64 = 300;
    database.customers(ROWS).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    let old = Writer::start(&database, Shape::Old, 1, ROWS).await;
    let mut kills = 0;
    for goal in ["target: migrated", "revertTo: pending", "target: migrated"] {
        project.goal(goal);
        kills += killed_at_each_message(&database, &project, stride).await;
    }
    project.live(&[V1, V2]);
    let new = Writer::start(&database, Shape::New, 2, ROWS).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let old = old.stop().await;
    project.live(&[V2]);
    project.goal("target: contracted");
    kills += killed_at_each_message(&database, &project, stride).await;
    assert_eq!(database.phase("split-full-name").await, "contracted");
    let new = new.stop().await;
    account(&database, Shape::New, ROWS, &[&old, &new]).await;
    assert!(kills > 20, "{kills} kills are too few to say anything");
    crate::tell(&format!("kills survived at the runner's messages on {}: {kills}", database.engine()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_its_messages_on_mariadb() {
    at_each_message(Database::mariadb().await, 5).await;
}

/// Fewer of them, since the messages are the same as to MariaDB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_its_messages_on_mysql() {
    at_each_message(Database::mysql().await, 11).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_its_messages_on_postgres() {
    at_each_message(Database::postgres().await, 5).await;
}

on_each!(killed_frozen_and_cut_off_at_any_moment_no_row_is_lost, at_any_moment);
async fn at_any_moment(database: Database) {
    const ROWS: i64 = 3_000;
    database.customers(ROWS).await;
    let project = Project::split(&database, "target: migrated");
    project.live(&[V1]);
    let old = Writer::start(&database, Shape::Old, 1, ROWS).await;
    let mut random = fastrand::Rng::with_seed(11);
    let (mut kills, mut frozen, mut cut) = (0, 0, 0);
    for goal in ["target: migrated", "revertTo: pending", "target: migrated", "revertTo: synced", "target: migrated"] {
        project.goal(goal);
        for round in 0..6 {
            let running = Running::start(run_command(&database, &project, &["--batch", "2ms"]));
            tokio::time::sleep(Duration::from_millis(random.u64(0..250))).await;
            match round % 3 {
                0 => {
                    running.kill().await;
                    kills += 1;
                }
                1 => {
                    // Frozen, and then its session ended: the next one works while this one thinks that it does.
                    running.signal("-STOP");
                    database.end_the_runners_sessions().await;
                    if database.port().is_some() {
                        run(&database, &project).await.expect(0, &[]);
                    }
                    running.signal("-CONT");
                    assert_eq!(running.ended().await, Some(0), "woken, it finds that all is done");
                    frozen += 1;
                }
                _ => {
                    let ended = database.end_the_runners_sessions().await;
                    // A run that has lost its session takes another.
                    assert_eq!(running.ended().await, Some(0));
                    cut += ended;
                }
            }
        }
        run(&database, &project).await.expect(0, &["1 as Git asks"]);
    }
    let old = old.stop().await;
    account(&database, Shape::Old, ROWS, &[&old]).await;
    account(&database, Shape::New, ROWS, &[&old]).await;
    crate::tell(&format!(
        "survived at any moment on {}: {kills} SIGKILL, {frozen} SIGSTOP with its session ended, {cut} sessions ended",
        database.engine()
    ));
}

/// A client that is half open: it neither works nor goes away, and nobody ends its sessions. The server does.
async fn half_open(database: Database) {
    database.customers(500).await;
    let project = Project::split(&database, "target: synced");
    project.live(&[V1]);
    run(&database, &project).await.expect(0, &["is synced"]);
    project.goal("target: migrated");
    said(phasegate(&database.url(), &["pause"])).await.expect(0, &[]);
    let mut frozen = Running::start(run_command(&database, &project, &["--output", "json"]));
    frozen.until("held").await;
    frozen.signal("-STOP");
    said(run_command(&database, &project, &["--if-free"])).await.expect(0, &["another runner is at work"]);
    // It may have been frozen in the middle of a word to the ledger, which is locked for as long.
    while said(phasegate(&database.url(), &["resume"])).await.code != 0 {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    run(&database, &project).await.expect(0, &["is migrated"]);
    frozen.signal("-CONT");
    assert_eq!(frozen.ended().await, Some(0), "woken, it finds that all is done");
    account(&database, Shape::New, 500, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_runner_loses_its_lock_to_the_next_one_after_a_minute_on_mariadb() {
    half_open(Database::mariadb().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_runner_loses_its_lock_to_the_next_one_after_a_minute_on_mysql() {
    half_open(Database::mysql().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_runner_loses_its_lock_to_the_next_one_after_a_minute_on_postgres() {
    half_open(Database::postgres().await).await;
}
