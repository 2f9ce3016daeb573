//! What is trusted, and what is shown, over TLS: certificates and keys out of files.

use crate::router::tunnel::settings::{ClientTls, ServerTls};
use crate::system::secrets;
use anyhow::{Context, Result, bail};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use webpki::EndEntityCert;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What a server ciphers with.
///
/// # Errors
/// When a file cannot be read, or does not have what it is to have.
pub(super) fn acceptor(settings: &ServerTls) -> Result<TlsAcceptor> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match &settings.clients {
        Some(ca) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider()).build();
            let context = || format!("trust those that {} signs", ca.display());
            builder.with_client_cert_verifier(verifier.with_context(context)?)
        }
        None => builder.with_no_client_auth(),
    };
    let (chain, key) = (certificates(&settings.certificate)?, key(&settings.key)?);
    let config = builder.with_single_cert(chain, key);
    let config = config.with_context(|| format!("use the certificate {}", settings.certificate.display()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What a client ciphers with, and the name that the server must have.
///
/// # Errors
/// As [`acceptor`].
pub(super) fn connector(settings: &ClientTls) -> Result<(TlsConnector, ServerName<'static>)> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let trusted = match &settings.ca {
        Some(ca) => roots(ca)?,
        None => of_this_machine()?,
    };
    let builder = builder.with_root_certificates(trusted);
    let config = match &settings.identity {
        Some((certificate, file)) => {
            let config = builder.with_client_auth_cert(certificates(certificate)?, key(file)?);
            config.with_context(|| format!("use the certificate {}", certificate.display()))?
        }
        None => builder.with_no_client_auth(),
    };
    let name = settings.name.clone();
    let name = ServerName::try_from(name).with_context(|| format!("`{}` is no name of a server", settings.name))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

/// The names (DNS) of a certificate that was verified.
pub(super) fn names(chain: Option<&[CertificateDer<'_>]>) -> Vec<String> {
    let Some(first) = chain.and_then(<[_]>::first) else { return Vec::new() };
    let Ok(certificate) = EndEntityCert::try_from(first) else { return Vec::new() };
    certificate.valid_dns_names().map(str::to_owned).collect()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.with_context(|| format!("read the certificate {}", path.display()))?;
    if all.is_empty() { bail!("there is no certificate in {}", path.display()) } else { Ok(all) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(secrets::place(path)).with_context(|| format!("read the key {}", path.display()))
}

fn roots(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).with_context(|| format!("trust a certificate of {}", path.display()))?;
    }
    Ok(roots)
}

fn of_this_machine() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (count, _) = roots.add_parsable_certificates(found.certs);
    if count == 0 { bail!("this machine trusts nobody: install ca-certificates, or name a `CA`") } else { Ok(roots) }
}
