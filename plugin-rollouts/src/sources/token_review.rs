//! Whose token is it: asks the Kubernetes API (TokenReview), for the gate's own audience only.

use std::time::Duration;

use ::kube::{Api, Client, Error, api::PostParams};
use async_trait::async_trait;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use schema_phases::Because;
use tokio::sync::{OnceCell, Semaphore};

use super::kube::connect;
use crate::{
    chain::chain,
    serve::{
        callers::{Reviewed, TokenCheck},
        token::AUDIENCE,
    },
};

/// Questions at the same time: whoever sends tokens that nobody knows must not keep the API server busy.
const AT_ONCE: usize = 8;

/// Asks through the API. Nothing is connected before the first token.
pub struct TokenReviews {
    client: OnceCell<Client>,
    slots: Semaphore,
    patience: Duration,
}

impl TokenReviews {
    /// Gives up on a question after `patience`.
    pub fn new(patience: Duration) -> Self {
        Self { client: OnceCell::new(), slots: Semaphore::new(AT_ONCE), patience }
    }
}

#[async_trait]
impl TokenCheck for TokenReviews {
    async fn review(&self, token: &str) -> Result<Reviewed, Because> {
        let made = self.client.get_or_try_init(|| connect(self.patience)).await;
        let client =
            made.map_err(|error| Because::Unreachable(format!("the Kubernetes API: {}", chain(&error))))?.clone();
        // Never closed, so never an error.
        let _slot = self.slots.acquire().await.map_err(|_| Because::Unreachable("shutting down".to_owned()))?;
        let review = TokenReview {
            spec: TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(vec![AUDIENCE.to_owned()]) },
            ..TokenReview::default()
        };
        let answer = Api::<TokenReview>::all(client).create(&PostParams::default(), &review).await;
        answer.map(reviewed).map_err(|error| because(&error))
    }
}

/// What an answer says. One without a status, or with an error in it, says no.
fn reviewed(answer: TokenReview) -> Reviewed {
    let status = answer.status.unwrap_or_default();
    let authenticated = status.authenticated.unwrap_or(false) && status.error.is_none_or(|error| error.is_empty());
    Reviewed {
        authenticated,
        audiences: status.audiences.unwrap_or_default(),
        user: status.user.and_then(|user| user.username).unwrap_or_default(),
    }
}

/// Never the error's own text: a client may repeat in it what it sent.
fn because(error: &Error) -> Because {
    if let Error::Api(status) = error {
        return match status.code {
            401 | 403 => Because::NotPermitted(
                "the gate's service account may not create tokenreviews; apply manifests/serve".to_owned(),
            ),
            code => Because::Unreachable(format!("the Kubernetes API answered {code} to a TokenReview")),
        };
    }
    Because::Unreachable(format!("the Kubernetes API: {}", chain(error)))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::authentication::v1::{TokenReviewStatus, UserInfo};

    use super::*;

    #[test]
    fn only_a_plain_yes_is_a_yes() {
        let yes = || TokenReviewStatus {
            authenticated: Some(true),
            audiences: Some(vec![AUDIENCE.to_owned()]),
            user: Some(UserInfo { username: Some("somebody".to_owned()), ..UserInfo::default() }),
            error: None,
        };
        let of = |status| reviewed(TokenReview { status, ..TokenReview::default() });
        assert_eq!(
            of(Some(yes())),
            Reviewed { authenticated: true, audiences: vec![AUDIENCE.to_owned()], user: "somebody".to_owned() }
        );
        for no in [
            None,
            Some(TokenReviewStatus::default()),
            Some(TokenReviewStatus { authenticated: Some(false), ..yes() }),
            Some(TokenReviewStatus { authenticated: None, ..yes() }),
            Some(TokenReviewStatus { error: Some("expired".to_owned()), ..yes() }),
        ] {
            assert!(!of(no.clone()).authenticated, "{no:?}");
        }
    }
}
