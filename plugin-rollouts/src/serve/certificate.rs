//! The server's certificate, read anew when its files change: whoever renews it (cert-manager, a Secret) restarts nobody.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use tokio_rustls::rustls::{
    self, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// Where a certificate and its key lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, PEM, the server's own certificate first.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// The files hold nothing to serve with. No variant holds a key's bytes.
#[derive(Debug, thiserror::Error)]
pub enum NoCertificate {
    /// A file cannot be read.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// There is nothing of the kind in it.
    #[error("`{path}` holds no {wanted} in PEM")]
    Absent {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// The two do not belong together, or the key is of a kind nobody can use.
    #[error("the certificate in `{certificate}` and the key in `{key}` cannot be used together")]
    Unusable {
        /// The one file.
        certificate: PathBuf,
        /// The other.
        key: PathBuf,
        /// What the TLS library says.
        #[source]
        cause: rustls::Error,
    },
    /// The TLS library has no protocol in common with itself.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// What became of a look at the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// They hold what is served already.
    Same,
    /// Connections from now on get the new one.
    Renewed,
}

/// The certificate that is served now.
pub struct Certificate {
    files: CertificateFiles,
    /// What was read last, to see a change.
    read: Mutex<(Vec<u8>, Vec<u8>)>,
    current: RwLock<Arc<CertifiedKey>>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// [`NoCertificate`].
    pub fn read(files: CertificateFiles) -> Result<Arc<Self>, NoCertificate> {
        let provider = Arc::new(ring::default_provider());
        let read = bytes(&files)?;
        let current = usable(&files, &read, &provider)?;
        Ok(Arc::new(Self { files, read: Mutex::new(read), current: RwLock::new(Arc::new(current)), provider }))
    }

    /// Looks whether the files changed. What cannot be used changes nothing, and is looked at again the next time.
    ///
    /// # Errors
    /// [`NoCertificate`]; the old one is served on.
    pub fn renew(&self) -> Result<Renewal, NoCertificate> {
        let found = bytes(&self.files)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if *read == found {
            return Ok(Renewal::Same);
        }
        let fresh = Arc::new(usable(&self.files, &found, &self.provider)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        *read = found;
        Ok(Renewal::Renewed)
    }

    /// TLS with whatever certificate is current when a connection begins; HTTP/2, or 1.1 for whoever has nothing newer.
    ///
    /// # Errors
    /// [`NoCertificate::Tls`].
    pub fn tls(self: &Arc<Self>) -> Result<ServerConfig, NoCertificate> {
        let versions = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(NoCertificate::Tls)?;
        let mut config = versions.with_no_client_auth().with_cert_resolver(Arc::clone(self) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn bytes(files: &CertificateFiles) -> Result<(Vec<u8>, Vec<u8>), NoCertificate> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|cause| NoCertificate::Unreadable { path: path.to_owned(), cause });
    Ok((read(&files.certificate)?, read(&files.key)?))
}

fn usable(
    files: &CertificateFiles,
    (certificate, key): &(Vec<u8>, Vec<u8>),
    provider: &CryptoProvider,
) -> Result<CertifiedKey, NoCertificate> {
    let absent = |path: &Path, wanted| NoCertificate::Absent { path: path.to_owned(), wanted };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain =
        chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| absent(&files.certificate, "certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| absent(&files.key, "private key"))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|cause| NoCertificate::Unusable {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        cause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::certificate;

    fn files(directory: &Path) -> CertificateFiles {
        CertificateFiles { certificate: directory.join("tls.crt"), key: directory.join("tls.key") }
    }

    #[test]
    fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        let (first, second) = (certificate("one"), certificate("two"));
        let write = |certificate: &str, key: &str| {
            std::fs::write(&files.certificate, certificate).unwrap();
            std::fs::write(&files.key, key).unwrap();
        };
        write(&first.0, &first.1);
        let served = Certificate::read(files.clone()).unwrap();
        let current = || served.current.read().unwrap().cert.clone();
        let before = current();
        assert_eq!(served.renew().unwrap(), Renewal::Same);
        // Half of a renewal: the certificate is new and the key is not.
        write(&second.0, &first.1);
        assert!(served.renew().unwrap_err().to_string().contains("cannot be used together"));
        write("", "");
        assert!(served.renew().unwrap_err().to_string().contains("holds no certificate in PEM"));
        std::fs::remove_file(&files.key).unwrap();
        assert!(served.renew().unwrap_err().to_string().contains("tls.key"));
        assert_eq!(current(), before);
        write(&second.0, &second.1);
        assert_eq!(served.renew().unwrap(), Renewal::Renewed);
        assert_ne!(current(), before);
    }

    #[test]
    fn what_cannot_be_served_is_said_with_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let files = files(directory.path());
        assert!(Certificate::read(files.clone()).unwrap_err().to_string().contains("tls.crt"));
        let (chain, key) = certificate("one");
        std::fs::write(&files.certificate, &chain).unwrap();
        std::fs::write(&files.key, "no key").unwrap();
        let told = Certificate::read(files.clone()).unwrap_err().to_string();
        assert!(told.contains("tls.key` holds no private key"), "{told}");
        std::fs::write(&files.key, key).unwrap();
        assert!(Certificate::read(files).unwrap().tls().is_ok());
    }
}
