use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use schema_phases::Moment;
use serde_json::json;
use tokio::time::advance;

use super::{super::token::token, *};

const NOW: u64 = 1_700_000_000;
const ARGO: &str = "system:serviceaccount:argo-rollouts:argo-rollouts";
const HOME: &str = "system:serviceaccount:store:phasegate-asker";

/// An API server that believes what a token says of itself, but for what it is told.
#[derive(Default)]
struct Fake {
    says: Mutex<Option<Result<Reviewed, Because>>>,
    hangs: AtomicBool,
    asked: AtomicUsize,
}

impl Fake {
    fn says(&self, what: Result<Reviewed, Because>) {
        *self.says.lock().unwrap() = Some(what);
        self.hangs.store(false, Ordering::SeqCst);
    }

    fn hang(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl TokenCheck for Fake {
    async fn review(&self, token: &str) -> Result<Reviewed, Because> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let told = self.says.lock().unwrap().clone();
        let believed = claims(token).unwrap();
        told.unwrap_or(Ok(Reviewed { authenticated: true, audiences: believed.audiences, user: believed.subject }))
    }
}

fn callers() -> (Arc<Fake>, Callers) {
    let fake = Arc::<Fake>::default();
    let allowed = Allowed { everywhere: [ARGO.to_owned()].into(), at_home: "phasegate-asker".to_owned() };
    let clock = Clock::starting_at(Moment::from_unix_millis(NOW * 1000));
    let callers = Callers::new(Arc::clone(&fake) as _, allowed, clock, Duration::from_secs(1));
    (fake, callers)
}

fn header(user: &str, audience: &str, lasts: u64) -> String {
    format!("Bearer {}", token(&json!({"aud": [audience], "sub": user, "exp": NOW + lasts})))
}

#[tokio::test(start_paused = true)]
async fn a_controller_may_ask_about_every_namespace_and_a_namespaces_own_asker_about_that() {
    let (_, callers) = callers();
    let argo = callers.admit(Some(&header(ARGO, AUDIENCE, 600))).await.unwrap();
    assert_eq!((argo.may_ask_about("store"), argo.may_ask_about("web")), (Ok(()), Ok(())));
    let home = callers.admit(Some(&header(HOME, AUDIENCE, 600))).await.unwrap();
    assert_eq!(home.may_ask_about("store"), Ok(()));
    assert!(matches!(home.may_ask_about("web"), Err(Denied::OtherNamespace { .. })));
}

#[tokio::test(start_paused = true)]
async fn every_other_token_is_refused_without_troubling_the_api_server() {
    let (fake, callers) = callers();
    let other = |user| header(user, AUDIENCE, 600);
    let rows = [
        (None, "no_token"),
        (Some("Basic x".to_owned()), "no_token"),
        (Some("Bearer x".to_owned()), "bad_token"),
        // The controller's default token.
        (Some(header(ARGO, "https://kubernetes.default.svc.cluster.local", 600)), "bad_token"),
        (Some(other("system:serviceaccount:store:default")), "not_allowed"),
        (Some(other("system:serviceaccount:argo-rollouts:argo-rollouts-2")), "not_allowed"),
        (Some(other("system:serviceaccount:a:b:phasegate-asker")), "not_allowed"),
        (Some(other("phasegate-asker")), "not_allowed"),
        (Some(other("")), "not_allowed"),
    ];
    for (sent, want) in rows {
        assert_eq!(callers.admit(sent.as_deref()).await.unwrap_err().as_str(), want, "{sent:?}");
    }
    assert_eq!(fake.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn only_what_the_api_server_confirms_counts() {
    let good = || Reviewed { authenticated: true, audiences: vec![AUDIENCE.to_owned()], user: ARGO.to_owned() };
    let rows = [
        (Ok(Reviewed { authenticated: false, ..good() }), "bad_token"),
        (Ok(Reviewed { audiences: vec![], ..good() }), "bad_token"),
        (Ok(Reviewed { audiences: vec!["other".to_owned()], ..good() }), "bad_token"),
        (Ok(Reviewed { user: "system:serviceaccount:x:y".to_owned(), ..good() }), "not_allowed"),
        (Err(Because::Unreachable("gone".to_owned())), "unknown"),
    ];
    for (says, want) in rows {
        let (fake, callers) = callers();
        fake.says(says.clone());
        let denied = callers.admit(Some(&header(ARGO, AUDIENCE, 600))).await.unwrap_err();
        assert_eq!(denied.as_str(), want, "{says:?}");
        // And it is not remembered as a no either.
        fake.says(Ok(good()));
        assert!(callers.admit(Some(&header(ARGO, AUDIENCE, 600))).await.is_ok(), "{says:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_kept_briefly_and_never_beyond_the_token() {
    let (fake, callers) = callers();
    let (long, short) = (header(ARGO, AUDIENCE, 600), header(ARGO, AUDIENCE, 3));
    for _ in 0..50 {
        callers.admit(Some(&long)).await.unwrap();
        callers.admit(Some(&short)).await.unwrap();
    }
    assert_eq!(fake.asked(), 2);
    advance(Duration::from_secs(3)).await;
    // Revoked, both.
    fake.says(Ok(Reviewed::default()));
    assert!(callers.admit(Some(&long)).await.is_ok());
    assert!(callers.admit(Some(&short)).await.is_err(), "the token is over");
    advance(KEEP).await;
    assert!(callers.admit(Some(&long)).await.is_err(), "it was kept long enough");
}

#[tokio::test(start_paused = true)]
async fn no_number_of_tokens_fills_the_memory() {
    let (fake, callers) = callers();
    for number in 0..MOST as u64 + 5 {
        let answer = callers.admit(Some(&header(ARGO, AUDIENCE, 600 + number))).await;
        assert_eq!(answer.is_ok(), number < MOST as u64, "{number}");
    }
    assert_eq!((fake.asked(), callers.reviews.known()), (MOST, MOST));
    advance(KEEP).await;
    assert!(callers.admit(Some(&header(ARGO, AUDIENCE, 9_999))).await.is_ok());
    assert_eq!(callers.reviews.known(), 1);
}

/// Down, silent, lying and well in turn: nobody is admitted on what was said before, but for the seconds it is kept.
#[tokio::test(start_paused = true)]
async fn an_api_server_that_comes_and_goes_admits_only_while_it_is_well() {
    let good = || Reviewed { authenticated: true, audiences: vec![AUDIENCE.to_owned()], user: ARGO.to_owned() };
    let other = || Reviewed { user: HOME.replace("store", "web"), ..good() };
    let says: [Option<Result<Reviewed, Because>>; 8] = [
        Some(Ok(good())),
        Some(Err(Because::Unreachable("gone".to_owned()))),
        Some(Ok(good())),
        Some(Err(Because::NotPermitted("revoked".to_owned()))),
        Some(Ok(Reviewed { authenticated: false, ..good() })),
        Some(Ok(Reviewed { audiences: vec!["x".repeat(1_000_000)], ..good() })),
        // Somebody else's: it may not ask about `store`.
        Some(Ok(other())),
        // It says nothing at all.
        None,
    ];
    let (fake, callers) = callers();
    for (round, says) in says.iter().cycle().take(80).enumerate() {
        match says {
            Some(says) => fake.says(says.clone()),
            None => fake.hang(),
        }
        let began = tokio::time::Instant::now();
        let admitted = callers.admit(Some(&header(ARGO, AUDIENCE, 60_000))).await;
        let may = admitted.and_then(|caller| caller.may_ask_about("store"));
        assert_eq!(may.is_ok(), *says == Some(Ok(good())), "round {round}: {says:?}: {may:?}");
        assert!(began.elapsed() <= Duration::from_secs(1), "round {round}: {:?}", began.elapsed());
        advance(KEEP).await;
    }
}
