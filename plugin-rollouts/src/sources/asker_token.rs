//! The token that an AnalysisTemplate sends: asked of the API server, and written into the Secret that Argo reads it from.
//!
//! It is bound to that Secret: whoever deletes the Secret revokes the token.

use std::time::Duration;

use ::kube::{
    Api, Client, Error,
    api::{Patch, PatchParams, PostParams},
};
use k8s_openapi::{
    api::{
        authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
        core::v1::{Secret, ServiceAccount},
    },
    jiff::Timestamp,
};

use super::kube::{NoClient, connect};
use crate::{chain::chain, serve::token::AUDIENCE};

/// Where the token stands in the Secret.
const KEY: &str = "token";
/// When it ends, for people.
const ENDS: &str = "phasegate.dev/token-ends";

/// Whose token is put where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskerToken {
    /// The service account.
    pub account: String,
    /// The Secret, which is there already.
    pub secret: String,
    /// How long the token shall last; the API server may give less.
    pub lasts: Duration,
    /// How long one request may take.
    pub patience: Duration,
}

/// Why there is no new token. What was there stays.
#[derive(Debug, thiserror::Error)]
pub enum NotRenewed {
    /// There is no way to the API.
    #[error("the Kubernetes API cannot be asked")]
    NoClient(#[source] NoClient),
    /// It gives no token.
    #[error(
        "the API server gives no token of the service account {account} in namespace {namespace}: {why}; \
         manifests/serve-namespace makes the account and grants `create` on serviceaccounts/token"
    )]
    NoToken {
        /// Whose.
        account: String,
        /// Where.
        namespace: String,
        /// What it says.
        why: String,
    },
    /// Its answer holds none.
    #[error("the API server's answer holds no token")]
    Empty,
    /// It takes none.
    #[error(
        "the token cannot be written into the Secret {secret} in namespace {namespace}: {why}; \
         manifests/serve-namespace makes the Secret and grants `patch` on it"
    )]
    NotWritten {
        /// Where to.
        secret: String,
        /// Where.
        namespace: String,
        /// What it says.
        why: String,
    },
}

/// Puts a new token into the Secret, of the namespace that this process runs in; tells when it ends.
///
/// # Errors
/// [`NotRenewed`].
pub async fn renew(wanted: &AskerToken) -> Result<Timestamp, NotRenewed> {
    let client = connect(wanted.patience).await.map_err(NotRenewed::NoClient)?;
    let (token, ends) = request(&client, wanted).await?;
    write(&client, wanted, &token, ends).await?;
    Ok(ends)
}

async fn request(client: &Client, wanted: &AskerToken) -> Result<(String, Timestamp), NotRenewed> {
    let AskerToken { account, secret, lasts, patience: _ } = wanted;
    let spec = TokenRequestSpec {
        audiences: vec![AUDIENCE.to_owned()],
        expiration_seconds: i64::try_from(lasts.as_secs()).ok(),
        bound_object_ref: Some(BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Secret".to_owned()),
            name: Some(secret.clone()),
            uid: None,
        }),
    };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let api: Api<ServiceAccount> = Api::default_namespaced(client.clone());
    let answer = api.create_token_request(account, &PostParams::default(), &request).await;
    let answer = answer.map_err(|error| NotRenewed::NoToken {
        account: account.clone(),
        namespace: client.default_namespace().to_owned(),
        why: told(&error),
    })?;
    let status = answer.status.filter(|status| !status.token.is_empty()).ok_or(NotRenewed::Empty)?;
    Ok((status.token, status.expiration_timestamp.0))
}

async fn write(client: &Client, wanted: &AskerToken, token: &str, ends: Timestamp) -> Result<(), NotRenewed> {
    let api: Api<Secret> = Api::default_namespaced(client.clone());
    let patch = serde_json::json!({
        "metadata": {"annotations": {ENDS: ends.to_string()}},
        "stringData": {KEY: token},
    });
    let written = api.patch_metadata(&wanted.secret, &PatchParams::default(), &Patch::Merge(&patch)).await;
    written.map(|_| ()).map_err(|error| NotRenewed::NotWritten {
        secret: wanted.secret.clone(),
        namespace: client.default_namespace().to_owned(),
        why: told(&error).replace(token, "..."),
    })
}

/// An answer that cannot be read is not shown: it may hold a token.
fn told(error: &Error) -> String {
    if let Error::Api(status) = error {
        format!("{} {}", status.code, status.message).trim_end().to_owned()
    } else if let Error::SerdeError(_) = error {
        "its answer cannot be read".to_owned()
    } else {
        chain(error)
    }
}
