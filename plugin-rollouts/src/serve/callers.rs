//! Who may ask the gate, and about what. A caller is a service account with a token of our own audience, which the API
//! server confirms; what it said is kept for seconds, never longer than the token lasts, and of so many tokens at most.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt};
use schema_phases::Because;
use sha2::{Digest, Sha256};

use super::token::{AUDIENCE, Claims, bearer, claims};
use crate::gate::{Clock, Looks, Manner, Memory};

/// How long what the API server said of a token is believed. A revoked one is refused after that at the latest.
pub const KEEP: Duration = Duration::from_secs(10);
/// Tokens that are remembered at a time.
const MOST: usize = 1024;
const IDLE: Duration = Duration::from_secs(30);
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Asks whoever issues tokens.
#[async_trait]
pub trait TokenCheck: Send + Sync {
    /// What is known of a token, for our audience.
    ///
    /// # Errors
    /// Why it cannot be told; the texts go to users.
    async fn review(&self, token: &str) -> Result<Reviewed, Because>;
}

/// What is known of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reviewed {
    /// Whether it is good.
    pub authenticated: bool,
    /// Those of the asked audiences that it is good for. A server that knows no audiences names none.
    pub audiences: Vec<String>,
    /// Whose it is.
    pub user: String,
}

/// Who may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Users that may ask about every namespace: the Argo Rollouts controllers.
    pub everywhere: BTreeSet<String>,
    /// The name of the service account that may ask about its own namespace only, in each of them.
    pub at_home: String,
}

/// Somebody who may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its name.
    pub user: String,
    scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    Everywhere,
    Namespace(String),
}

/// Why somebody may not ask. The texts go to whoever asks, and never hold a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// There is no token.
    #[error(
        "there is no token; send `Authorization: Bearer <token>` with a service account token of audience {AUDIENCE}"
    )]
    NoToken,
    /// It is no service account token, or has another audience, or the API server does not know it.
    #[error("the token is refused: {why}")]
    BadToken {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A good token of somebody else.
    #[error("`{user}` may not ask this gate; name it with --caller, or use the service account of the namespace's own")]
    NotAllowed {
        /// Who.
        user: String,
    },
    /// It may ask about another namespace only.
    #[error("`{user}` may ask about its own namespace only, and not about `{namespace}`")]
    OtherNamespace {
        /// Who.
        user: String,
        /// About which.
        namespace: String,
    },
    /// The API server cannot say.
    #[error("nobody can say whose token this is: {why}")]
    Unknown {
        /// Why not.
        why: String,
    },
}

impl Denied {
    /// The word for metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::BadToken { .. } => "bad_token",
            Self::NotAllowed { .. } => "not_allowed",
            Self::OtherNamespace { .. } => "other_namespace",
            Self::Unknown { .. } => "unknown",
        }
    }
}

impl Caller {
    /// Whether it may ask about this namespace.
    ///
    /// # Errors
    /// [`Denied::OtherNamespace`].
    pub fn may_ask_about(&self, namespace: &str) -> Result<(), Denied> {
        match &self.scope {
            Scope::Everywhere => Ok(()),
            Scope::Namespace(own) if own == namespace => Ok(()),
            Scope::Namespace(_) => {
                Err(Denied::OtherNamespace { user: self.user.clone(), namespace: namespace.chars().take(80).collect() })
            }
        }
    }
}

impl Allowed {
    fn confirmed(&self, reviewed: &Reviewed) -> Result<Caller, Denied> {
        let Reviewed { authenticated, audiences, user } = reviewed;
        if !authenticated {
            return Err(Denied::BadToken { why: "the API server does not know it, or not any more" });
        }
        // An API server that does not know audiences says yes to any token and names none.
        if !audiences.iter().any(|audience| audience == AUDIENCE) {
            return Err(Denied::BadToken { why: "the API server did not confirm the audience phasegate" });
        }
        self.caller(user)
    }

    fn caller(&self, user: &str) -> Result<Caller, Denied> {
        let scope = if self.everywhere.contains(user) {
            Some(Scope::Everywhere)
        } else {
            let parts = user.strip_prefix(SERVICE_ACCOUNT).and_then(|rest| rest.split_once(':'));
            parts.filter(|(_, name)| *name == self.at_home).map(|(own, _)| Scope::Namespace(own.to_owned()))
        };
        let user = || user.chars().take(200).collect::<String>();
        scope.map(|scope| Caller { user: user(), scope }).ok_or_else(|| Denied::NotAllowed { user: user() })
    }
}

/// A token's digest: what is kept must not be worth stealing.
type TokenKey = [u8; 32];

/// What was said, and how long that may be believed.
#[derive(Clone)]
struct Kept {
    reviewed: Reviewed,
    keep: Duration,
}

/// Tells callers from others.
pub struct Callers {
    check: Arc<dyn TokenCheck>,
    allowed: Arc<Allowed>,
    reviews: Looks<TokenKey, Kept>,
    clock: Clock,
}

impl Callers {
    /// Callers as `check` knows them; it is given `limit` for an answer.
    pub fn new(check: Arc<dyn TokenCheck>, allowed: Allowed, clock: Clock, limit: Duration) -> Self {
        let reviews = Looks::new(Manner { limit, keep: |kept: &Kept| kept.keep }, clock);
        Self { check, allowed: Arc::new(allowed), reviews, clock }
    }

    /// Who sends this `Authorization` header.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn admit(&self, header: Option<&str>) -> Result<Caller, Denied> {
        let token = header.and_then(bearer).ok_or(Denied::NoToken)?;
        let claims = claims(token).ok_or(Denied::BadToken { why: "it is no service account token" })?;
        if !claims.audiences.iter().any(|audience| audience == AUDIENCE) {
            return Err(Denied::BadToken { why: "its audience is not phasegate" });
        }
        // What it says of its bearer is not believed, but whom not even that would help need not be looked up.
        self.allowed.caller(&claims.subject)?;
        self.allowed.confirmed(&self.reviewed(token, claims).await?)
    }

    async fn reviewed(&self, token: &str, claims: Claims) -> Result<Reviewed, Denied> {
        if self.reviews.known() >= MOST {
            self.reviews.forget_idle(KEEP);
            if self.reviews.known() >= MOST {
                return Err(Denied::Unknown { why: "too many different tokens at once; try again".to_owned() });
            }
        }
        let key: TokenKey = Sha256::digest(token).into();
        let (check, allowed, clock) = (Arc::clone(&self.check), Arc::clone(&self.allowed), self.clock);
        let (token, expires) = (Arc::<str>::from(token), claims.expires);
        let how = move |_: &TokenKey| -> BoxFuture<'static, _> {
            let (check, allowed, token) = (Arc::clone(&check), Arc::clone(&allowed), Arc::clone(&token));
            async move {
                let reviewed = check.review(&token).await?;
                let left =
                    Duration::from_secs(expires).saturating_sub(Duration::from_millis(clock.now().unix_millis()));
                // A no is not kept: it may be a yes in a moment.
                let keep = if allowed.confirmed(&reviewed).is_ok() { left.min(KEEP) } else { Duration::ZERO };
                Ok(Kept { reviewed, keep })
            }
            .boxed()
        };
        let look = self.reviews.look(key, Memory::Allowed, how).await;
        look.outcome.map(|kept| kept.reviewed).map_err(|because| Denied::Unknown { why: told(&because) })
    }

    /// Forgets what is idle. To be called now and then.
    pub fn tidy(&self) {
        self.reviews.forget_idle(IDLE);
    }
}

fn told(because: &Because) -> String {
    match because {
        Because::Unreachable(why) | Because::NotPermitted(why) | Because::Untrusted(why) | Because::NotThere(why) => {
            why.clone()
        }
        Because::TimedOut(after) => format!("the API server did not answer within {} ms", after.as_millis()),
        Because::Stale { age } => format!("last known {} s ago", age.as_secs()),
    }
}

#[cfg(test)]
mod tests;
