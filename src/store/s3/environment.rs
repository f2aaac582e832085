//! What the environment says of the way to S3: credentials that cannot be sent, proxies, certificates,
//! the style of addresses, and how long requests are tried again.

use std::time::Duration;

use aws_config::ConfigLoader;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::retry::RETRY_BUDGET;
use crate::error::{Error, Result};

/// The variable of the environment that says how many seconds a request is tried again.
pub const RETRY_SECONDS: &str = "OKUO_RETRY_SECONDS";

/// The variable of the environment that says whether a bucket is named in the path of an address
/// (`true`) or in its host (`false`).
pub const PATH_STYLE: &str = "OKUO_S3_PATH_STYLE";

/// The variable of the environment that names a file of certificates, as for other AWS tools.
pub(super) const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// Variables whose values stand in addresses and headers, where no line break can be.
const ONE_LINE: [&str; 8] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
];

/// A variable of the environment; an empty one counts as absent.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Refuses values that were pasted or read from a file with a line break. The value itself may be a
/// secret and is not shown.
pub(super) fn check_lines() -> Result<()> {
    for name in ONE_LINE {
        let value = variable(name).unwrap_or_default();
        let what = if value.contains(char::is_control) {
            "has a line break or another control character in it"
        } else if value.trim() != value {
            "begins or ends with a space"
        } else {
            continue;
        };
        return Err(Error::request(format!("{name} {what}")).hint(format!(
            "set it again without: a file or a paste that it was taken from may end with one, and \
             {name}=\"$(cat FILE)\" drops line breaks at the end"
        )));
    }
    Ok(())
}

/// How long a request is tried again.
pub(super) fn retry_budget() -> Result<Duration> {
    match variable(RETRY_SECONDS) {
        None => Ok(RETRY_BUDGET),
        Some(seconds) => seconds.parse().map(Duration::from_secs).map_err(|_| {
            Error::request(format!("{RETRY_SECONDS} is {seconds:?}, and no number"))
                .hint("give whole seconds, for example 300")
        }),
    }
}

/// Whether buckets are named in the path of an address; `None` if nothing is said.
pub(super) fn path_style() -> Result<Option<bool>> {
    match variable(PATH_STYLE).as_deref() {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(other) => Err(Error::request(format!(
            "{PATH_STYLE} is {other:?}, and not true or false"
        ))
        .hint(
            "true names the bucket in the path (http://host/bucket), false in the host \
                 (http://bucket.host)",
        )),
    }
}

/// Lets connections trust the certificates of `AWS_CA_BUNDLE` alone, if it is set.
pub(super) fn with_certificates(loader: ConfigLoader) -> Result<ConfigLoader> {
    let Some(path) = variable(CA_BUNDLE) else {
        return Ok(loader);
    };
    let trusted = TrustStore::empty().with_pem_certificate(certificates(&path)?);
    let context = TlsContext::builder()
        .with_trust_store(trusted)
        .build()
        .map_err(|error| no_bundle(&path, "cannot be used").source(error))?;
    // As the SDK's own client is made, proxies included.
    let client = Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(context.clone());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    });
    Ok(loader.http_client(client))
}

/// The content of a file of certificates, which the SDK can read: it would panic otherwise.
fn certificates(path: &str) -> Result<Vec<u8>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a file of this machine's configuration, and no object"
    )]
    let pem =
        std::fs::read(path).map_err(|error| no_bundle(path, "cannot be read").source(error))?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate =
            certificate.map_err(|error| no_bundle(path, "is damaged").source(error))?;
        store
            .add(certificate)
            .map_err(|error| no_bundle(path, "has a certificate that is none").source(error))?;
    }
    match store.is_empty() {
        true => Err(no_bundle(path, "has no certificate")),
        false => Ok(pem),
    }
}

fn no_bundle(path: &str, what: &str) -> Error {
    Error::request(format!("the file of {CA_BUNDLE} {what}"))
        .object(path)
        .hint("name a PEM file with the certificates to trust, or unset AWS_CA_BUNDLE")
}

/// The proxy through which an address is reached, without the credentials that it may have.
pub(super) fn proxy_of(address: &str) -> Option<String> {
    let address: Uri = address.parse().ok()?;
    let proxy = Matcher::from_env().intercept(&address)?;
    let (uri, scheme) = (proxy.uri(), proxy.uri().scheme_str().unwrap_or("http"));
    let host = uri.host()?;
    Some(match uri.port_u16() {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}
