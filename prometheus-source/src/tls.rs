//! Whom this process trusts when it asks somebody over TLS.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Trust in these certificates, PEM; without them, in the system's.
///
/// # Errors
/// What is wrong with them.
pub fn client_config(certificates: Option<&[u8]>) -> Result<ClientConfig, &'static str> {
    let mut roots = RootCertStore::empty();
    match certificates {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let trusted = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
                trusted.ok_or("its caFile holds something that is no certificate")?;
            }
            if roots.is_empty() {
                return Err("its caFile holds no certificate");
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|_| "no TLS version can be used")?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}
