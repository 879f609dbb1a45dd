//! What the app tells Prometheus: how it answered.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

/// Answers by status code.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    pod_template_hash: String,
    by_code: Arc<Mutex<BTreeMap<u16, u64>>>,
}

impl Answers {
    /// None yet, by a pod of that template.
    pub(crate) fn new(pod_template_hash: String) -> Self {
        Self { pod_template_hash, by_code: Arc::default() }
    }

    /// In Prometheus' text format.
    pub(crate) fn text(&self) -> String {
        let hash = &self.pod_template_hash;
        let mut text = "# TYPE customers_answers_total counter\n".to_owned();
        for (code, count) in &*self.by_code.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(text, "customers_answers_total{{code=\"{code}\",pod_template_hash=\"{hash}\"}} {count}");
        }
        text
    }
}

/// Counts every answer.
pub(crate) async fn count(State(answers): State<Answers>, request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    let mut by_code = answers.by_code.lock().unwrap_or_else(PoisonError::into_inner);
    *by_code.entry(answer.status().as_u16()).or_default() += 1;
    drop(by_code);
    answer
}
