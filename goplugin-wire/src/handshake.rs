//! The handshake: is this process started by a host, where may the socket be, and the one line the host reads from
//! stdout. It reads no environment and opens nothing.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// `sun_path` holds 108 bytes on Linux, the closing NUL among them.
const LONGEST_SOCKET_PATH: usize = 107;

/// What host and plugin must agree on before they speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The application's protocol version, the second part of the line.
    pub protocol_version: u32,
    /// The name of the environment variable that a host sets.
    pub cookie_key: String,
    /// What it must be set to. Not a secret: it tells a host from a user's shell.
    pub cookie_value: String,
}

/// What is spoken on the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// net/rpc with gob over yamux: what every host accepts.
    NetRpc,
    /// gRPC, for a host that says it accepts it.
    Grpc,
}

impl Protocol {
    /// Every protocol.
    pub const ALL: [Self; 2] = [Self::NetRpc, Self::Grpc];

    /// go-plugin's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NetRpc => "netrpc",
            Self::Grpc => "grpc",
        }
    }
}

/// Why the handshake cannot be made.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum HandshakeError {
    /// The cookie is absent: a person started the plugin.
    #[error(
        "this is a plugin, started by its host and not by hand: the environment variable `{key}` is not set; \
         configure the host to run this program"
    )]
    NoCookie {
        /// The variable's name.
        key: String,
    },
    /// The cookie has another value: some other host, or another kind of plugin was wanted.
    #[error(
        "this plugin was started by a host that it does not serve: the environment variable `{key}` has another value \
         than `{wanted}`; configure it as the kind of plugin that it is"
    )]
    WrongCookie {
        /// The variable's name.
        key: String,
        /// What it should have been.
        wanted: String,
    },
    /// A unix socket cannot be bound at so long a path, or the host could not parse it.
    #[error(
        "the socket path `{path}` cannot be used: it must be UTF-8, without `|` or line breaks, and at most \
         {LONGEST_SOCKET_PATH} bytes long; set PLUGIN_UNIX_SOCKET_DIR to a shorter directory"
    )]
    UnusableSocketPath {
        /// The path.
        path: PathBuf,
    },
}

impl Handshake {
    /// Checks the cookie as found in the environment.
    pub fn check(&self, cookie: Option<&str>) -> Result<(), HandshakeError> {
        match cookie {
            None | Some("") => Err(HandshakeError::NoCookie { key: self.cookie_key.clone() }),
            Some(value) if value == self.cookie_value => Ok(()),
            Some(_) => {
                Err(HandshakeError::WrongCookie { key: self.cookie_key.clone(), wanted: self.cookie_value.clone() })
            }
        }
    }

    /// The line that tells the host where to connect, with its line break: `1|1|unix|/tmp/plugin7/s|netrpc|`.
    pub fn line(&self, socket: &Path, protocol: Protocol) -> Result<String, HandshakeError> {
        let unusable = || HandshakeError::UnusableSocketPath { path: socket.to_owned() };
        let path = socket.to_str().ok_or_else(unusable)?;
        if path.is_empty()
            || path.len() > LONGEST_SOCKET_PATH
            || path.contains(['|', '\n', '\r'])
            || path.trim() != path
        {
            return Err(unusable());
        }
        // The first 1 is go-plugin's own protocol version; the empty last part would be a TLS certificate.
        Ok(format!("1|{}|unix|{path}|{}|\n", self.protocol_version, protocol.as_str()))
    }
}

/// Where the socket may be, from the variables PLUGIN_UNIX_SOCKET_DIR (set by some hosts) and TMPDIR, else `/tmp`.
pub fn socket_directory(plugin_unix_socket_dir: Option<&str>, tmpdir: Option<&str>) -> PathBuf {
    let stated = |dir: Option<&str>| dir.filter(|dir| !dir.is_empty()).map(PathBuf::from);
    stated(plugin_unix_socket_dir).or_else(|| stated(tmpdir)).unwrap_or_else(|| PathBuf::from("/tmp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake() -> Handshake {
        Handshake { protocol_version: 1, cookie_key: "SHAPES_PLUGIN".into(), cookie_value: "round".into() }
    }

    #[test]
    fn a_wrong_or_missing_cookie_is_refused_with_the_variable_and_the_remedy() {
        let check = |cookie| handshake().check(cookie).map_err(|error| error.to_string());
        assert_eq!(check(Some("round")), Ok(()));
        for missing in [None, Some("")] {
            let message = check(missing).unwrap_err();
            assert!(message.contains("`SHAPES_PLUGIN` is not set; configure the host"), "{message}");
        }
        let message = check(Some("square")).unwrap_err();
        assert!(message.contains("has another value than `round`; configure"), "{message}");
        assert!(!message.contains("square"), "a variable's content is nobody's business: {message}");
    }

    #[test]
    fn the_line_is_what_go_plugin_reads() {
        let lines = Protocol::ALL.map(|protocol| handshake().line(Path::new("/tmp/plugin123"), protocol).unwrap());
        assert_eq!(lines, ["1|1|unix|/tmp/plugin123|netrpc|\n", "1|1|unix|/tmp/plugin123|grpc|\n"]);
    }

    #[test]
    fn a_path_that_host_or_kernel_cannot_take_is_refused() {
        let long = |bytes: usize| format!("/{}", "x".repeat(bytes - 1));
        let usable = |path: &str| handshake().line(Path::new(path), Protocol::NetRpc).is_ok();
        assert!(usable(&long(107)));
        for path in [long(108).as_str(), "", "/tmp/a|b", "/tmp/a\nb", "/tmp/a "] {
            assert!(!usable(path), "{path:?}");
        }
    }

    #[test]
    fn the_hosts_directory_comes_before_tmpdir_before_tmp() {
        for (host, tmpdir, expected) in [
            (Some("/run/p"), Some("/var/tmp"), "/run/p"),
            (None, Some("/var/tmp"), "/var/tmp"),
            (Some(""), Some(""), "/tmp"),
            (None, None, "/tmp"),
        ] {
            assert_eq!(socket_directory(host, tmpdir), Path::new(expected));
        }
    }
}
