//! What the Kubernetes API refuses, in words: who may not do what, and what grants it.

use ::kube::Error;
use schema_phases::Because;

use crate::chain::chain;

/// Where this process runs: whose rights count, and what grants them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsIn {
    /// Below the Argo Rollouts controller, with its service account.
    Controller,
    /// As `phasegate-rollouts serve`, with its own.
    Serve,
}

impl RunsIn {
    /// Who, if the API does not name it.
    const fn account(self) -> &'static str {
        match self {
            Self::Controller => "the service account of the Argo Rollouts controller",
            Self::Serve => "the service account of `phasegate-rollouts serve`",
        }
    }

    /// What grants the right.
    pub(super) const fn remedy(self, namespace: &str) -> Remedy<'_> {
        Remedy { runs_in: self, namespace }
    }
}

/// What to apply.
pub(super) struct Remedy<'a> {
    runs_in: RunsIn,
    namespace: &'a str,
}

impl std::fmt::Display for Remedy<'_> {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.runs_in {
            RunsIn::Controller => to.write_str("apply manifests/plugin-rollouts"),
            RunsIn::Serve => {
                write!(to, "apply manifests/serve-namespace to {}, with the Secrets' names in its Role", self.namespace)
            }
        }
    }
}

/// Why the API gave nothing.
pub(super) fn because(error: &Error, runs_in: RunsIn, verb: &str, plural: &str, namespace: &str) -> Because {
    let Error::Api(status) = error else {
        return Because::Unreachable(format!("the Kubernetes API: {}", chain(error)));
    };
    match status.code {
        401 | 403 => {
            let remedy = runs_in.remedy(namespace);
            let who = named(&status.message).map_or_else(|| runs_in.account().to_owned(), |user| format!("`{user}`"));
            Because::NotPermitted(format!("{who} may not {verb} {plural} in namespace {namespace}; {remedy}"))
        }
        code => Because::Unreachable(format!("the Kubernetes API answered {code} to {verb} {plural} in {namespace}")),
    }
}

/// Whom the API server means: `... is forbidden: User "system:serviceaccount:a:b" cannot ...`.
fn named(message: &str) -> Option<&str> {
    let (user, _) = message.split_once("User \"")?.1.split_once('"')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:@".contains(c);
    (!user.is_empty() && user.len() <= 300 && user.chars().all(plain)).then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_the_one_that_the_api_refused() {
        let said = "secrets \"x\" is forbidden: User \"system:serviceaccount:phasegate:phasegate-serve\" cannot get \
                    resource \"secrets\" in API group \"\" in the namespace \"shop\"";
        assert_eq!(named(said), Some("system:serviceaccount:phasegate:phasegate-serve"));
        let long = format!("User \"{}\"", "a".repeat(301));
        for nobody in ["", "Unauthorized", "User \"", "User \"\"", "User \"a\u{1b}[0m\"", "User \"a b\"", &long] {
            assert_eq!(named(nobody), None, "{nobody:?}");
        }
    }

    #[test]
    fn a_refusal_says_who_may_not_do_what_and_what_grants_it() {
        let told = |code, message: &str, runs_in| {
            let status = ::kube::core::Status::failure(message, "Forbidden").with_code(code);
            format!("{:?}", because(&Error::Api(status.boxed()), runs_in, "get", "secrets", "shop"))
        };
        let forbidden = "it is forbidden: User \"system:serviceaccount:phasegate:phasegate-serve\" cannot get it";
        assert_eq!(
            told(403, forbidden, RunsIn::Serve),
            "NotPermitted(\"`system:serviceaccount:phasegate:phasegate-serve` may not get secrets in namespace shop; apply \
             manifests/serve-namespace to shop, with the Secrets' names in its Role\")"
        );
        assert_eq!(
            told(401, "Unauthorized", RunsIn::Controller),
            "NotPermitted(\"the service account of the Argo Rollouts controller may not get secrets in namespace shop; \
             apply manifests/plugin-rollouts\")"
        );
        assert!(told(503, forbidden, RunsIn::Serve).starts_with("Unreachable("));
    }

    #[test]
    fn the_remedy_is_what_grants_the_right_to_that_process() {
        assert_eq!(RunsIn::Controller.remedy("shop").to_string(), "apply manifests/plugin-rollouts");
        assert!(RunsIn::Serve.remedy("shop").to_string().starts_with("apply manifests/serve-namespace to shop,"));
    }
}
