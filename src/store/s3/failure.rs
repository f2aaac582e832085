//! What an error of S3 means for a person, and what can be done about it.

use std::fmt;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::environment::{self, CA_BUNDLE};
use crate::error::Error;

/// What S3 was asked to do, which decides the permission that it takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    List,
    Get,
    Put,
    Delete,
}

impl Operation {
    /// The permission and what it must be granted on.
    fn permission(self, bucket: &str) -> String {
        match self {
            Self::List => format!("s3:ListBucket on arn:aws:s3:::{bucket}"),
            Self::Get => format!(
                "s3:GetObject on arn:aws:s3:::{bucket}/* (and s3:ListBucket on \
                 arn:aws:s3:::{bucket}, without which S3 denies an object that does not exist)"
            ),
            Self::Put => format!("s3:PutObject on arn:aws:s3:::{bucket}/*"),
            Self::Delete => format!("s3:DeleteObject on arn:aws:s3:::{bucket}/*"),
        }
    }
}

/// Who is asked, and through which proxy.
#[derive(Debug)]
pub(super) struct Peer {
    /// Scheme, host and port.
    pub(super) endpoint: String,
    /// The same of the proxy, if there is one for this endpoint.
    pub(super) proxy: Option<String>,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.endpoint)?;
        match &self.proxy {
            Some(proxy) => write!(f, " through the proxy {proxy}"),
            None => Ok(()),
        }
    }
}

impl Peer {
    /// A hint, and what to look at besides if a proxy stands between.
    fn hint(&self, hint: &str) -> String {
        match self.proxy {
            Some(_) => format!(
                "{hint}; the proxy is that of HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, and NO_PROXY names \
                 hosts that are reached without it"
            ),
            None => hint.to_owned(),
        }
    }
}

/// The HTTP status of the answer, if there was one.
pub(super) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error
        .raw_response()
        .map(|response| response.status().as_u16())
}

fn code<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<&str> {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::code)
}

/// Whether the object is not there, its bucket being there.
pub(super) fn is_no_such_key<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    status(error) == Some(404)
        && code(error).is_none_or(|code| matches!(code, "NoSuchKey" | "NotFound"))
}

/// Whether the same request may succeed a moment later.
pub(super) fn is_transient<E>(error: &SdkError<E>) -> bool
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::DispatchFailure(_) => is_of_connection(error) && !is_of_certificate(error),
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(_) => {
            is_of_another_service(error)
                || matches!(status(error), Some(408 | 409 | 429 | 500 | 502..=599))
                || matches!(
                    code(error),
                    Some(
                        "RequestTimeout" | "RequestTimeoutException" | "SlowDown" | "InternalError"
                    )
                )
        }
        _ => false,
    }
}

/// Whether the answer is the page of a network that wants somebody to log in first.
fn is_of_another_service<E>(error: &SdkError<E>) -> bool {
    matches!(status(error), Some(200..=299 | 302 | 303 | 511))
}

/// Whether S3 surely has not carried out the request.
pub(super) fn is_refusal<E>(error: &SdkError<E>) -> bool {
    status(error).is_some_and(|status| (400..500).contains(&status))
}

/// The error for an answer that no S3 service gives.
pub(super) fn not_understood(peer: &Peer) -> Error {
    Error::system(format!(
        "the answer of {peer} is none of an S3 service: a proxy or a log-in page may have answered"
    ))
    .hint(peer.hint("check that AWS_ENDPOINT_URL_S3 is the address of an S3 service"))
}

/// The error of okuo for one of the SDK. The caller names the object.
pub(super) fn explain<E>(
    error: SdkError<E>,
    operation: Operation,
    bucket: &str,
    peer: &Peer,
) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match &error {
        _ if is_of_another_service(&error) => not_understood(peer).source(error),
        SdkError::ServiceError(_) => answered(&error, operation, bucket, peer),
        SdkError::TimeoutError(_) => Error::system(format!("{peer} does not answer"))
            .source(error)
            .hint(peer.hint("try again later; check the network and AWS_ENDPOINT_URL_S3")),
        SdkError::ResponseError(_) => not_understood(peer).source(error),
        SdkError::DispatchFailure(_) if is_of_certificate(&error) => {
            Error::system(format!("the certificate of {peer} is not trusted"))
                .source(error)
                .hint(peer.hint(&certificate_hint()))
        }
        SdkError::DispatchFailure(_) if is_of_connection(&error) => {
            Error::system(format!("cannot reach {peer}"))
                .source(error)
                .hint(peer.hint("check the network, the region and AWS_ENDPOINT_URL_S3"))
        }
        // What is left failed before anything was sent: nearly always the credentials.
        _ if is_of_credentials(&error) => Error::system("no usable AWS credentials were found")
            .source(error)
            .hint(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (aws configure, \
                 aws sso login), or give the machine a role",
            ),
        _ => Error::system("the request to S3 could not be sent")
            .source(error)
            .hint("check the AWS_* variables and the AWS profile"),
    }
}

/// Whether the connection could not be made or was lost. The SDK calls a connection that ends
/// without an answer "other, transient".
fn is_of_connection<E>(error: &SdkError<E>) -> bool {
    let SdkError::DispatchFailure(failure) = error else {
        return false;
    };
    failure.is_io()
        || failure.is_timeout()
        || failure
            .as_connector_error()
            .is_some_and(|error| error.as_other().is_some())
}

/// Whether the search for credentials failed. The SDK says that only in the causes.
fn is_of_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    has_cause(error, "credential")
}

/// Whether the other side's certificate was refused. That too is said only in the causes, by rustls.
fn is_of_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    has_cause(error, "invalid peer certificate")
}

fn has_cause(error: &(dyn std::error::Error + 'static), text: &str) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains(text) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn certificate_hint() -> String {
    match environment::variable(CA_BUNDLE) {
        Some(path) => format!(
            "the authority that signed it must be in {path}, the file of {CA_BUNDLE}; no other one is \
             trusted"
        ),
        None => format!(
            "if your network has an authority of its own, set {CA_BUNDLE} to a PEM file with its \
             certificate"
        ),
    }
}

/// The error for an answer of S3 that is an error itself.
fn answered<E>(error: &SdkError<E>, operation: Operation, bucket: &str, peer: &Peer) -> Error
where
    E: ProvideErrorMetadata,
{
    let status = status(error).unwrap_or_default();
    let code = code(error).unwrap_or_default();
    let message = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message)
        .unwrap_or_default();
    let answer = match (code, message) {
        ("", _) => format!("status {status}"),
        (code, "") => format!("{code}, status {status}"),
        (code, message) => format!("{code}, status {status}: {}", message.trim()),
    };
    match (code, status) {
        ("NoSuchBucket", _) => Error::not_found(format!("there is no bucket {bucket:?} at {peer}"))
            .hint(format!(
                "check the name of the bucket {bucket}, the region and AWS_ENDPOINT_URL_S3"
            )),
        ("NoSuchKey" | "NotFound" | "", 404) => Error::not_found("there is no such object"),
        ("RequestTimeTooSkewed", _) => {
            denied(&answer, "the clock of this machine is wrong: set it")
        }
        (
            "PermanentRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException",
            _,
        )
        | (_, 301 | 307) => wrong_region(error, &answer),
        ("InvalidBucketName", _) => {
            Error::request(format!("{bucket:?} is no name of a bucket ({answer})"))
                .hint("names have 3 to 63 small letters, digits, - and .")
        }
        (_, 412) if matches!(operation, Operation::Get) => {
            Error::conflict("it is not the version that was asked for")
        }
        ("NotImplemented", _) | (_, 501) => {
            Error::system(format!("{peer} cannot do what okuo needs ({answer})"))
                .hint("okuo needs conditional writes (If-None-Match, If-Match)")
        }
        _ => match (credentials_hint(code), status) {
            (Some(hint), _) => denied(&answer, hint),
            (None, 401 | 403) => denied(&answer, format!("allow {}", operation.permission(bucket))),
            (None, 429 | 500..=599) => {
                Error::system(format!("{peer} fails again and again ({answer})"))
                    .hint("try again later")
            }
            _ => Error::system(format!("{peer} refuses the request ({answer})")),
        },
    }
}

/// What is wrong with the credentials that were sent, if a code says so.
fn credentials_hint(code: &str) -> Option<&'static str> {
    match code {
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "NotSignedUp"
        | "InvalidToken"
        | "UnrecognizedClientException" => Some(
            "S3 does not know these credentials: check AWS_ACCESS_KEY_ID, \
             AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN or AWS_PROFILE",
        ),
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => {
            Some("the credentials have expired: get new ones (aws sso login)")
        }
        _ => None,
    }
}

fn wrong_region<E>(error: &SdkError<E>, answer: &str) -> Error {
    let region = error
        .raw_response()
        .and_then(|response| response.headers().get("x-amz-bucket-region"));
    let hint = match region {
        Some(region) => format!("set AWS_REGION={region}"),
        None => "set AWS_REGION to the region of the bucket".to_owned(),
    };
    Error::system(format!("the bucket is in another region ({answer})")).hint(hint)
}

fn denied(answer: &str, hint: impl Into<String>) -> Error {
    Error::system(format!("permission denied ({answer})")).hint(hint)
}
