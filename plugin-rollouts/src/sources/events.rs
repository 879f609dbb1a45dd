//! Events of the core API on the Rollout. One task writes them, a few a second at most, tries again for a while
//! what the API server did not take, and drops what finds no room.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::kube::{Api, Error, api::PostParams};
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use tokio::{sync::mpsc, time::sleep};

use super::{declared::is_object_name, kube::Kubernetes};
use crate::announce::{Announcement, Announcer};

/// Waiting to be written.
const ROOM: usize = 128;
/// Between two writes: the API server is shared with everything else.
const PACE: Duration = Duration::from_millis(200);
/// Before each further try to write one that the API server had no answer for.
const AGAIN: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(15)];

/// Writes events.
pub struct KubernetesEvents {
    sender: mpsc::Sender<Announcement>,
}

impl KubernetesEvents {
    /// Starts the task that writes; it ends with this. Needs a runtime.
    pub fn start(kubernetes: Arc<Kubernetes>) -> Self {
        let (sender, mut receiver) = mpsc::channel(ROOM);
        tokio::spawn(async move {
            let warned = AtomicBool::new(false);
            while let Some(announcement) = receiver.recv().await {
                for pause in AGAIN.into_iter().map(Some).chain([None]) {
                    let settled = write(&kubernetes, &announcement, &warned).await;
                    let Some(pause) = pause.filter(|_| !settled) else { break };
                    sleep(pause).await;
                }
                sleep(PACE).await;
            }
        });
        Self { sender }
    }
}

impl Announcer for KubernetesEvents {
    fn announce(&self, announcement: Announcement) {
        if self.sender.try_send(announcement).is_err() {
            tracing::debug!("an event was dropped");
        }
    }
}

/// Whether there is nothing left to try.
async fn write(kubernetes: &Kubernetes, announcement: &Announcement, warned: &AtomicBool) -> bool {
    if !is_object_name(&announcement.namespace) || !is_object_name(&announcement.name) {
        return true;
    }
    let namespace = &announcement.namespace;
    let (Ok(client), Ok(_slot)) = (kubernetes.client().await, kubernetes.slot().await) else { return false };
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    match api.create(&PostParams::default(), &event(announcement.clone())).await {
        // Another copy of the gate, or this one before, has told it.
        Ok(_) => true,
        Err(Error::Api(status)) if status.code == 409 => true,
        Err(Error::Api(status)) if matches!(status.code, 401 | 403) => {
            if !warned.swap(true, Ordering::Relaxed) {
                let remedy = kubernetes.runs_in().remedy(namespace).to_string();
                tracing::warn!(namespace, remedy, "no event can be written: the role may not create events");
            }
            true
        }
        Err(error) => {
            tracing::debug!(namespace, %error, "an event was not written");
            false
        }
    }
}

fn event(announcement: Announcement) -> Event {
    let Announcement { namespace, rollout, uid, name, kind, message, at } = announcement;
    let time = i64::try_from(at.unix_millis()).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).map(Time);
    Event {
        metadata: ObjectMeta { name: Some(name), namespace: Some(namespace.clone()), ..ObjectMeta::default() },
        involved_object: ObjectReference {
            api_version: Some("argoproj.io/v1alpha1".to_owned()),
            kind: Some("Rollout".to_owned()),
            name: Some(rollout),
            namespace: Some(namespace),
            uid: Some(uid),
            ..ObjectReference::default()
        },
        reason: Some(kind.as_str().to_owned()),
        message: Some(message),
        type_: Some(if kind.is_warning() { "Warning" } else { "Normal" }.to_owned()),
        source: Some(EventSource { component: Some("phasegate".to_owned()), host: None }),
        first_timestamp: time.clone(),
        last_timestamp: time,
        count: Some(1),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use schema_phases::Moment;

    use super::*;
    use crate::announce::EventKind;

    #[test]
    fn an_event_is_of_the_rollout_and_says_why() {
        let announcement = Announcement {
            namespace: "store".into(),
            rollout: "shop".into(),
            uid: "uid-1".into(),
            name: "shop.0123".into(),
            kind: EventKind::Overdue,
            message: "why".into(),
            at: Moment::from_unix_millis(1_700_000_000_000),
        };
        let event = serde_json::to_value(event(announcement)).unwrap();
        let text = |path: &str| event.pointer(path).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        assert_eq!(text("/involvedObject/kind") + &text("/involvedObject/uid"), "Rolloutuid-1");
        assert_eq!(text("/type") + &text("/reason"), "WarningPhasegateOverdue");
        assert_eq!(text("/lastTimestamp"), "2023-11-14T22:13:20Z");
    }
}
