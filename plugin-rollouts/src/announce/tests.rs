use tokio::time::advance;

use super::*;
use crate::testing::rollout;

#[derive(Default)]
struct Heard(Mutex<Vec<Announcement>>);

impl Announcer for Heard {
    fn announce(&self, announcement: Announcement) {
        self.0.lock().unwrap().push(announcement);
    }
}

impl Heard {
    fn reasons(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().iter().map(|heard| heard.kind.as_str()).collect()
    }
}

fn decision<'a>(verdict: &'a str, reasons: &'a [&'a str]) -> Decision<'a> {
    Decision { verdict, reasons, overdue: false, message: "why", at: Moment::from_unix_millis(0) }
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_days_is_one_event_and_each_change_of_mind_another() {
    let heard = Arc::new(Heard::default());
    let teller = Teller::new(Arc::clone(&heard) as _);
    for question in 0..1_000 {
        let news = teller.tell(&rollout(), decision("wait", &["schema_behind", "schema_behind"]), None);
        assert_eq!(news, question == 0, "question {question}");
        advance(Duration::from_secs(15)).await;
    }
    assert_eq!(heard.reasons(), ["PhasegateWait"]);
    teller.tell(&rollout(), Decision { overdue: true, ..decision("wait", &["schema_behind"]) }, None);
    advance(PAUSE).await;
    teller.tell(&rollout(), decision("undecided", &["unseen"]), None);
    teller.tell(&rollout(), decision("proceed", &["fits"]), None);
    assert_eq!(heard.reasons()[1..], ["PhasegateOverdue", "PhasegateUndecided", "PhasegateProceed"]);
    // The next step of the same version is another question.
    let mut next = rollout();
    next.step_index = Some(3);
    teller.tell(&next, decision("wait", &["check_pending"]), None);
    assert_eq!(heard.reasons().len(), 5);
    let names: std::collections::BTreeSet<String> =
        heard.0.lock().unwrap().iter().map(|heard| heard.name.clone()).collect();
    assert_eq!(names.len(), 5, "an event each");
}

#[tokio::test(start_paused = true)]
async fn what_comes_and_goes_is_told_once_a_minute_at_most_and_what_ends_it_at_once() {
    let heard = Arc::new(Heard::default());
    let teller = Teller::new(Arc::clone(&heard) as _);
    for _ in 0..60 {
        teller.tell(&rollout(), decision("undecided", &["unseen"]), None);
        advance(Duration::from_secs(5)).await;
        teller.tell(&rollout(), decision("wait", &["schema_behind"]), None);
        advance(Duration::from_secs(5)).await;
    }
    assert!((2..=11).contains(&heard.reasons().len()), "{:?}", heard.reasons());
    let before = heard.reasons().len();
    teller.tell(&rollout(), decision("undecided", &["unseen"]), None);
    teller.tell(&rollout(), decision("refuse", &["outlived"]), None);
    assert_eq!(heard.reasons().last(), Some(&"PhasegateRefuse"));
    assert!(heard.reasons().len() <= before + 2);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_ask_any_more_is_forgotten() {
    let teller = Teller::new(Arc::new(Silent));
    teller.tell(&rollout(), decision("wait", &["schema_behind"]), None);
    advance(IDLE - PAUSE).await;
    let mut other = rollout();
    other.uid = "another".to_owned();
    teller.tell(&other, decision("wait", &["schema_behind"]), None);
    advance(PAUSE).await;
    teller.tidy();
    assert_eq!(teller.told.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_restart_repeats_nothing() {
    let heard = Arc::new(Heard::default());
    let hint = StepStatus { verdict: "wait".into(), reasons: vec!["schema_behind".into()], ..StepStatus::default() };
    let teller = Teller::new(Arc::clone(&heard) as _);
    teller.tell(&rollout(), decision("wait", &["schema_behind"]), Some(&hint));
    assert_eq!(heard.reasons(), [""; 0]);
    advance(PAUSE).await;
    teller.tell(&rollout(), decision("wait", &["check_pending"]), Some(&hint));
    assert_eq!(heard.reasons(), ["PhasegateWait"]);
    // Another copy of the gate says it by the same name, and the API takes only one of them.
    let (other, twin) = (Arc::new(Heard::default()), Teller::new(Arc::clone(&heard) as _));
    twin.tell(&rollout(), decision("wait", &["check_pending"]), None);
    drop(other);
    let all = heard.0.lock().unwrap();
    assert_eq!(all[0].name, all[1].name);
}
