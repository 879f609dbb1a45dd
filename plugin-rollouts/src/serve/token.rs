//! What a service account token says of itself. That is no proof of anything: it spares the API server what could only
//! be refused, and bounds how long an answer about the token may be kept. Pure.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

/// The audience that tokens for the gate bear. The default token of a controller has another one: replayed by whoever
/// runs a gate, it could read every Secret of the cluster.
pub const AUDIENCE: &str = "phasegate";

/// Longer ones are none: the API server's own are about 1 KiB.
const LONGEST: usize = 16 * 1024;

/// What a token claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who it is for.
    pub audiences: Vec<String>,
    /// Who bears it.
    pub subject: String,
    /// Until when, in seconds since the Unix epoch; 0 when it does not say.
    pub expires: u64,
}

/// The token in an `Authorization` header.
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= LONGEST).then_some(token)
}

/// What the token claims; none when it is no service account token.
pub fn claims(token: &str) -> Option<Claims> {
    #[derive(Deserialize)]
    struct Payload {
        #[serde(default)]
        aud: OneOrMany,
        #[serde(default)]
        sub: String,
        #[serde(default)]
        exp: u64,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    impl Default for OneOrMany {
        fn default() -> Self {
            Self::Many(Vec::new())
        }
    }

    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let Payload { aud, sub, exp } = serde_json::from_slice(&payload).ok()?;
    let audiences = match aud {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    };
    Some(Claims { audiences, subject: sub, expires: exp })
}

#[cfg(test)]
pub(crate) fn token(payload: &serde_json::Value) -> String {
    let part = |value: &[u8]| URL_SAFE_NO_PAD.encode(value);
    format!("{}.{}.{}", part(b"{}"), part(payload.to_string().as_bytes()), part(b"signature"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_header_holds_a_bearers_token_or_none() {
        for (header, want) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer ", None),
            ("Bearer", None),
            ("abc", None),
            ("", None),
        ] {
            assert_eq!(bearer(header), want, "{header:?}");
        }
        assert_eq!(bearer(&format!("Bearer {}", "x".repeat(LONGEST + 1))), None);
    }

    #[test]
    fn a_token_says_whom_it_is_for() {
        let made = token(&json!({"aud": ["phasegate", "x"], "sub": "system:serviceaccount:a:b", "exp": 1_700_000_000}));
        let found = claims(&made).unwrap();
        assert_eq!(found.audiences, ["phasegate", "x"]);
        assert_eq!((found.subject.as_str(), found.expires), ("system:serviceaccount:a:b", 1_700_000_000));
        assert_eq!(claims(&token(&json!({"aud": "phasegate"}))).unwrap().audiences, ["phasegate"]);
        assert_eq!(claims(&token(&json!({}))).unwrap().audiences, Vec::<String>::new());
    }

    #[test]
    fn anything_else_is_none() {
        let odd = token(&json!({"aud": 7}));
        let negative = token(&json!({"exp": -1}));
        for no in ["", "a.b", "a.b.c", "a.b.c.d", "..", "\u{0}.\u{0}.\u{0}", &odd, &negative] {
            assert_eq!(claims(no), None, "{no:?}");
        }
    }
}
