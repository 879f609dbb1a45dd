use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{FutureExt, future::join_all};
use tokio::time::{advance, sleep};

use super::*;

fn clock() -> Clock {
    Clock::starting_at(Moment::from_unix_millis(1_000_000))
}

fn looks(limit: u64, keep: fn(&Instant) -> Duration) -> Looks<&'static str, Instant> {
    Looks::new(Manner { limit: Duration::from_millis(limit), keep }, clock())
}

/// A look that takes this long, counts, and sees the moment it began.
fn takes(
    millis: u64,
    count: &Arc<AtomicUsize>,
) -> impl Fn(&&'static str) -> BoxFuture<'static, Result<Instant, Because>> + Send + 'static + use<> {
    let count = Arc::clone(count);
    move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let began = Instant::now();
        async move {
            sleep(Duration::from_millis(millis)).await;
            Ok(began)
        }
        .boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn many_who_ask_at_once_share_two_looks_and_each_began_after_its_question() {
    let looks = Arc::new(looks(1_000, |_| Duration::ZERO));
    let count = Arc::default();
    let first = async {
        let asked = Instant::now();
        (asked, looks.look("a", Memory::Forbidden, takes(100, &count)).await)
    };
    let later = (0..1_000).map(|at| {
        let (looks, count) = (Arc::clone(&looks), Arc::clone(&count));
        async move {
            sleep(Duration::from_millis(1 + at % 98)).await;
            let asked = Instant::now();
            (asked, looks.look("a", Memory::Forbidden, takes(100, &count)).await)
        }
    });
    let (first, later) = tokio::join!(first, join_all(later));
    assert_eq!(count.load(Ordering::SeqCst), 2);
    for (asked, look) in later.into_iter().chain([first]) {
        assert!(look.outcome.unwrap() >= asked, "a look that began before the question answered it");
        assert!(!look.remembered);
    }
}

#[tokio::test(start_paused = true)]
async fn different_keys_do_not_wait_for_each_other() {
    let looks = looks(1_000, |_| Duration::ZERO);
    let count = Arc::default();
    let start = Instant::now();
    tokio::join!(
        looks.look("a", Memory::Forbidden, takes(100, &count)),
        looks.look("b", Memory::Forbidden, takes(100, &count))
    );
    assert_eq!((start.elapsed().as_millis(), count.load(Ordering::SeqCst)), (100, 2));
}

#[tokio::test(start_paused = true)]
async fn a_look_that_hangs_fails_and_those_behind_it_get_their_own() {
    let looks = Arc::new(looks(500, |_| Duration::ZERO));
    let hangs = || -> BoxFuture<'static, Result<Instant, Because>> { std::future::pending().boxed() };
    let calls = Arc::new(AtomicUsize::new(0));
    // The first asker's way of looking hangs the first time only: the group has one way.
    let counted = Arc::clone(&calls);
    let how = move |key: &&'static str| {
        if counted.fetch_add(1, Ordering::SeqCst) == 0 { hangs() } else { takes(10, &Arc::default())(key) }
    };
    let start = Instant::now();
    let behind = async {
        sleep(Duration::from_millis(1)).await;
        looks.look("a", Memory::Forbidden, takes(10, &Arc::default())).await
    };
    let (first, behind) = tokio::join!(looks.look("a", Memory::Forbidden, how), behind);
    assert_eq!(first.outcome, Err(Because::TimedOut(Duration::from_millis(500))));
    assert!(behind.outcome.is_ok());
    assert_eq!(start.elapsed().as_millis(), 510);
}

#[tokio::test(start_paused = true)]
async fn an_asker_that_loses_patience_takes_nothing_from_the_others() {
    let looks = Arc::new(looks(1_000, |_| Duration::ZERO));
    let count = Arc::default();
    let impatient = timeout(Duration::from_millis(10), looks.look("a", Memory::Forbidden, takes(100, &count)));
    let patient = async {
        sleep(Duration::from_millis(5)).await;
        looks.look("a", Memory::Forbidden, takes(100, &count)).await
    };
    let (impatient, patient) = tokio::join!(impatient, patient);
    assert!(impatient.is_err());
    assert!(patient.outcome.is_ok());
    // Nobody waits any more: no further look is made.
    let gone = timeout(Duration::from_millis(10), looks.look("a", Memory::Forbidden, takes(100, &count))).await;
    assert!(gone.is_err());
    sleep(Duration::from_secs(5)).await;
    assert_eq!(count.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn only_who_allows_it_is_answered_from_memory_and_failures_are_never_remembered() {
    let looks = looks(1_000, |_| Duration::from_secs(60));
    let count = Arc::default();
    assert!(!looks.look("a", Memory::Allowed, takes(1, &count)).await.remembered);
    advance(Duration::from_secs(59)).await;
    let again = looks.look("a", Memory::Allowed, takes(1, &count)).await;
    assert!(again.remembered);
    assert_eq!(again.at.unix_millis(), 1_000_000, "it tells when it was seen, not when it was told");
    assert!(!looks.look("a", Memory::Forbidden, takes(1, &count)).await.remembered);
    advance(Duration::from_secs(61)).await;
    assert!(!looks.look("a", Memory::Allowed, takes(1, &count)).await.remembered);
    assert_eq!(count.load(Ordering::SeqCst), 3);

    let fails = |_: &&str| async { Err(Because::Unreachable("gone".to_owned())) }.boxed();
    assert!(looks.look("a", Memory::Forbidden, fails).await.outcome.is_err());
    assert!(!looks.look("a", Memory::Allowed, takes(1, &count)).await.remembered, "a failure wipes the memory");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_panics_leaves_its_key_usable() {
    let looks = looks(1_000, |_| Duration::ZERO);
    let panics =
        |_: &&str| -> BoxFuture<'static, Result<Instant, Because>> { async { panic!("a driver's bug") }.boxed() };
    let broken = looks.look("a", Memory::Forbidden, panics).await;
    assert_eq!(broken.outcome, Err(Because::Unreachable("the look was broken off".to_owned())));
    assert!(looks.look("a", Memory::Forbidden, takes(1, &Arc::default())).await.outcome.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_nobody_asks_for_is_forgotten() {
    let looks = looks(1_000, |_| Duration::from_secs(600));
    let count = Arc::default();
    looks.look("a", Memory::Allowed, takes(1, &count)).await;
    advance(Duration::from_secs(89)).await;
    looks.forget_idle(Duration::from_secs(90));
    assert!(looks.look("a", Memory::Allowed, takes(1, &count)).await.remembered);
    advance(Duration::from_secs(90)).await;
    looks.forget_idle(Duration::from_secs(90));
    assert_eq!(looks.inner.lock().len(), 0);
}

/// Askers, each at its millisecond; how many looks they cost, and how long each waited.
async fn asked(askers: impl Iterator<Item = (String, u64)>) -> (usize, Vec<u128>) {
    let looks = Arc::new(looks(1_000, |_| Duration::ZERO));
    let count = Arc::default();
    let all = join_all(askers.map(|(who, at)| {
        let (looks, count) = (Arc::clone(&looks), Arc::clone(&count));
        async move {
            sleep(Duration::from_millis(at)).await;
            let asked = Instant::now();
            let look = looks.look_for(Some(Asker::of(&who)), "a", Memory::Forbidden, takes(1, &count)).await;
            assert!(look.outcome.unwrap() >= asked, "a look that began before the question answered it");
            assert!(!look.remembered);
            asked.elapsed().as_millis()
        }
    }));
    let waited = all.await;
    (count.load(Ordering::SeqCst), waited)
}

#[tokio::test(start_paused = true)]
async fn a_crowd_shares_looks_that_one_after_the_other_would_make_alone() {
    let (looks, waited) = asked((0..250).map(|at| (format!("rollout-{at}"), at * 4))).await;
    assert!(looks <= 45, "{looks} looks for 250 questions of a second");
    assert!(waited.iter().all(|waited| *waited <= 37), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn who_asks_alone_waits_for_its_look_only() {
    for pause in [2, 4, 500] {
        let (looks, waited) = asked((0..100).map(|at| ("the only one".to_owned(), at * pause))).await;
        assert_eq!((looks, waited), (100, vec![1; 100]));
    }
    // Others are there, but far away.
    let (looks, waited) = asked((0..100).map(|at| (format!("rollout-{at}"), at * 20))).await;
    assert_eq!((looks, waited), (100, vec![1; 100]));
}

#[tokio::test(start_paused = true)]
async fn nobody_gathers_where_all_who_can_ask_do() {
    // As many as a controller of Argo's has workers, each with its next rollout as soon as the last is answered.
    let looks = Arc::new(looks(1_000, |_| Duration::ZERO));
    let count = Arc::default();
    let start = Instant::now();
    join_all((0..10).map(|worker| {
        let (looks, count) = (Arc::clone(&looks), Arc::clone(&count));
        async move {
            for rollout in 0..100 {
                let asker = Some(Asker::of(&(worker, rollout)));
                looks.look_for(asker, "a", Memory::Forbidden, takes(1, &count)).await;
            }
        }
    }))
    .await;
    assert!(start.elapsed() < Duration::from_millis(400), "{:?} for 1,000 questions of 10 workers", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_gathering_ends_when_enough_have_come() {
    let (looks, waited) = asked((0..9).map(|at| (format!("rollout-{at}"), at))).await;
    assert_eq!(looks, 2, "one for the first, and one for the eight who came while it was gathered");
    assert!(waited.iter().all(|waited| *waited <= 10), "{waited:?}");
}
