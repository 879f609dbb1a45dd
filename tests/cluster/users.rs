//! The users of a shop: they come, read and write all the time, and account for every row in the end.

use serde_json::json;

use crate::{
    figures::Figures,
    kubectl::until,
    shop::{SOON, Shop},
};

impl Shop {
    /// Starts the users.
    pub(crate) async fn users_come(&self, rows: u32) {
        let to = format!("{}.{}.svc.cluster.local:80", self.app.name, self.namespace);
        let users = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "users", "namespace": self.namespace},
            "spec": {
                "restartPolicy": "Never",
                "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                "terminationGracePeriodSeconds": 1,
                "containers": [{
                    "name": "users", "image": "registry.example.com/customers:v1",
                    "args": ["load", "--to", to, "--rows", rows.to_string()],
                    "securityContext": {
                        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": true,
                    },
                }],
            },
        });
        self.api.apply(&users).await;
        self.users_go_on(20).await;
    }

    /// Waits until the users have had that many more answers.
    pub(crate) async fn users_go_on(&self, answers: u64) {
        let answered = |figures: &Figures| figures.served.values().sum::<u64>();
        let mut before = None;
        until("the users go on", SOON, async || {
            let figures = self.figures("figures").await?;
            let before = *before.get_or_insert_with(|| answered(&figures));
            if answered(&figures) >= before + answers { Ok(()) } else { Err(format!("{figures:?}")) }
        })
        .await;
    }

    /// Waits until that version has given that many answers in all.
    pub(crate) async fn served_by(&self, version: &str, answers: u64) {
        until(&format!("{version} has answered {answers} times"), SOON, async || {
            let figures = self.figures("figures").await?;
            if figures.served_by(version) >= answers { Ok(()) } else { Err(format!("{figures:?}")) }
        })
        .await;
    }

    /// From now on failures are told apart: the database is down because the test wants it so.
    pub(crate) async fn outage_begins(&self) {
        self.figures("outage/begins").await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// The outage is over: whatever fails from now on counts.
    pub(crate) async fn outage_ends(&self) {
        until("the users hear that the outage is over", SOON, async || self.figures("outage/ends").await).await;
    }

    /// What the users have seen so far, or with `account` in the end, after a look at every row.
    pub(crate) async fn figures(&self, page: &str) -> Result<Figures, String> {
        let page = self.api.page(&self.namespace, "users:9090", page).await?;
        serde_json::from_str(&page).map_err(|error| format!("{error}: {page}"))
    }

    /// Ends the load, and tells what came of it.
    pub(crate) async fn account(&self) -> Figures {
        let figures = self.figures("account").await.unwrap_or_else(|error| panic!("{error}"));
        let Figures { requests, writes, failed, excused, unknown, lost, verified, served, why } = &figures;
        self.tell(format_args!(
            "requests={requests} writes={writes} failed={failed} failed-in-outage={excused} unknown={unknown} lost={lost} \
             verified={verified} served={served:?}"
        ));
        for line in why.iter().take(3) {
            self.tell(format_args!("users: {line}"));
        }
        self.line.figures(&figures);
        figures
    }

    /// Ends the load: nothing failed (but while the test said the database is down), nothing is lost, every row was
    /// looked at.
    pub(crate) async fn nothing_failed(&self, rows: u32) -> Figures {
        let figures = self.account().await;
        let Figures { failed, lost, verified, why, .. } = &figures;
        assert_eq!((*failed, *lost), (0, 0), "{why:#?}");
        assert!(*verified >= u64::from(rows), "every row was looked at: {verified}");
        figures
    }

    /// Ends the load: nothing failed, nothing is lost, and both versions had something to do.
    pub(crate) async fn users_are_content(&self, rows: u32) {
        for version in ["v1", "v2"] {
            self.served_by(version, 50).await;
        }
        self.nothing_failed(rows).await;
    }
}
