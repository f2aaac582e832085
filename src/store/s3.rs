//! Objects in a bucket of S3, or of a server that speaks its protocol.

mod environment;
mod failure;
mod retry;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{ConfigLoader, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use bytes::{Bytes, BytesMut};

use super::{ObjectMeta, PutMode, Store, changed, check_key};
use crate::error::{Error, Kind, Result};
pub use environment::{PATH_STYLE, RETRY_SECONDS};
use failure::{Operation, Peer};
pub use retry::RETRY_BUDGET;
use retry::Tries;

/// How often a write is tried that another writer is in the way of: the other one wins then.
const CONTENDED_TRIES: u32 = 3;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// For the answer to one request. Of a download, for its beginning: the SDK ends a transfer that
/// stalls after 20 s.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// The slowest upload that is waited for.
const UPLOAD_BYTES_PER_SECOND: u64 = 1_000_000;

/// S3 takes at most this many bytes in one request.
const MAX_UPLOAD: usize = 5 << 30;

/// A Content-Length header is believed up to this many bytes when memory is reserved.
const MAX_RESERVED: usize = 1 << 30;

/// A bucket as a store. Each write is one request: S3 itself makes it whole and keeps its
/// condition.
pub struct S3 {
    client: Client,
    bucket: String,
    endpoint: Endpoint,
    retry_budget: Duration,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3")
            .field("bucket", &self.bucket)
            .field("endpoint", &self.endpoint.name())
            .finish_non_exhaustive()
    }
}

impl S3 {
    /// A bucket as the usual environment configures it: `AWS_REGION`, `AWS_PROFILE`,
    /// `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, keys, the shared config and credentials files,
    /// SSO, web identity, container and instance roles, `AWS_CA_BUNDLE`, proxies. `OKUO_RETRY_SECONDS`
    /// is how long a request that fails is tried again, and `OKUO_S3_PATH_STYLE` whether addresses
    /// have the bucket in their path.
    ///
    /// # Errors
    /// [`crate::error::Kind::System`] if no region is configured and no endpoint is set,
    /// [`crate::error::Kind::Request`] if the endpoint is no URL, a variable has a line break or
    /// another value that cannot be, or the file of certificates cannot be read. Nothing is sent yet.
    pub async fn from_environment(bucket: &str) -> Result<Self> {
        environment::check_lines()?;
        let (budget, path_style) = (environment::retry_budget()?, environment::path_style()?);
        let ignored = environment::variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let endpoint = environment::variable("AWS_ENDPOINT_URL_S3")
            .or_else(|| environment::variable("AWS_ENDPOINT_URL"))
            .filter(|_| !ignored);
        let mut loader: ConfigLoader = environment::with_certificates(aws_config::from_env())?;
        if let Some(endpoint) = endpoint {
            // A server of one's own rarely cares for a region, but the signature needs one. The
            // metadata of a cloud instance are not asked for it.
            let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new())
                .or_else("us-east-1");
            loader = loader.endpoint_url(endpoint).region(region);
        }
        Ok(Self::new(bucket, &loader.load().await, path_style)?.with_retry_budget(budget))
    }

    /// The same bucket, whose requests are tried again for so long after they failed for a moment.
    #[must_use]
    pub fn with_retry_budget(self, retry_budget: Duration) -> Self {
        Self {
            retry_budget,
            ..self
        }
    }

    /// A bucket with explicit credentials, region and endpoint. A bucket at an endpoint of its own
    /// is named in the path, not in the host, as servers other than AWS expect it.
    ///
    /// # Errors
    /// As [`S3::from_environment`].
    pub fn with_config(bucket: &str, config: &SdkConfig) -> Result<Self> {
        Self::new(bucket, config, None)
    }

    fn new(bucket: &str, config: &SdkConfig, path_style: Option<bool>) -> Result<Self> {
        let name = format!("s3://{bucket}");
        if let Some(url) = config.endpoint_url()
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            let error = Error::request(format!("the S3 endpoint {url:?} is no URL")).object(name);
            return Err(error.hint("set AWS_ENDPOINT_URL_S3 to http://host:port or https://host"));
        }
        let mut builder = Builder::from(config);
        if config.region().is_none() {
            if config.endpoint_url().is_none() {
                let error = Error::system("no AWS region is configured").object(name);
                return Err(error.hint(
                    "set AWS_REGION (for instance eu-west-1), or region in the AWS profile",
                ));
            }
            builder = builder.region(aws_sdk_s3::config::Region::from_static("us-east-1"));
        }
        let endpoint = Endpoint::default();
        let builder = builder
            .force_path_style(path_style.unwrap_or(config.endpoint_url().is_some()))
            .timeout_config(timeouts(ANSWER_TIMEOUT))
            // The SDK gives up after a few tries, and does not see a body that breaks off.
            .retry_config(RetryConfig::disabled())
            .interceptor(endpoint.clone());
        Ok(Self {
            client: Client::from_conf(builder.build()),
            bucket: bucket.to_owned(),
            endpoint,
            retry_budget: RETRY_BUDGET,
        })
    }

    /// The tries of one request.
    fn tries(&self) -> Tries {
        Tries::within(self.retry_budget)
    }

    /// Sends a request, and again as long as its failure may pass.
    async fn send<T, E, F>(&self, request: impl Fn() -> F + Send) -> Result<T, SdkError<E>>
    where
        T: Send + Sync,
        F: Future<Output = Result<T, SdkError<E>>> + Send,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.send_until(request, |_| true).await
    }

    /// As [`S3::send`], and again as long as the answer is none that S3 gives.
    async fn send_until<T, E, F>(
        &self,
        request: impl Fn() -> F + Send,
        is_of_s3: impl Fn(&T) -> bool + Send,
    ) -> Result<T, SdkError<E>>
    where
        T: Send + Sync,
        F: Future<Output = Result<T, SdkError<E>>> + Send,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let mut tries = self.tries();
        loop {
            let answer = request().await;
            let may_pass = match &answer {
                Ok(answer) => !is_of_s3(answer),
                Err(error) => failure::is_transient(error),
            };
            if !may_pass || !tries.wait(self.endpoint.has_answered()).await {
                return answer;
            }
        }
    }

    fn failure<E>(&self, error: SdkError<E>, operation: Operation, key: &str) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        failure::explain(error, operation, &self.bucket, &self.endpoint.peer())
            .object(self.uri(key))
    }

    /// The error of an answer that is none of S3's, such as the page of a proxy.
    fn no_answer_of_s3(&self, key: &str) -> Error {
        failure::not_understood(&self.endpoint.peer()).object(self.uri(key))
    }

    /// Sends an upload once, and returns the tag, which an answer of S3 always has.
    async fn put_once(
        &self,
        key: &str,
        content: &Bytes,
        mode: &PutMode,
    ) -> Result<Option<String>, SdkError<PutObjectError>> {
        let transfer = Duration::from_secs(content.len() as u64 / UPLOAD_BYTES_PER_SECOND);
        let answer = ANSWER_TIMEOUT.saturating_add(transfer);
        let once = aws_sdk_s3::Config::builder().timeout_config(timeouts(answer));
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .body(ByteStream::from(content.clone()));
        let request = match mode {
            PutMode::Overwrite => request,
            PutMode::IfAbsent => request.if_none_match("*"),
            PutMode::IfMatch(etag) => request.if_match(quoted(etag)),
        };
        let output = request.customize().config_override(once).send().await?;
        Ok(output.e_tag.map(unquoted))
    }

    /// What the refusal of an upload means. If an earlier try may have been applied, the refusal
    /// may be because of our own object: then the upload has succeeded.
    async fn refused(
        &self,
        error: SdkError<PutObjectError>,
        key: &str,
        content: &Bytes,
        mode: &PutMode,
        may_be_applied: bool,
    ) -> Result<String> {
        let status = failure::status(&error);
        let condition_failed = *mode != PutMode::Overwrite
            && (matches!(status, Some(409 | 412)) || failure::is_no_such_key(&error));
        if !condition_failed {
            return Err(self.failure(error, Operation::Put, key));
        }
        if may_be_applied && matches!(status, Some(409 | 412)) {
            match self.get(key).await {
                Ok((present, etag)) if present == *content => return Ok(etag),
                Err(error) if error.kind() != Kind::NotFound => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        let what = if *mode == PutMode::IfAbsent {
            "is already there"
        } else {
            "has changed since it was read"
        };
        Err(Error::conflict(what).object(self.uri(key)))
    }
}

fn timeouts(answer: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(answer)
        .build()
}

impl S3 {
    /// Downloads an object, or what `narrow` makes of the request for it.
    async fn download(
        &self,
        key: &str,
        narrow: impl Fn(GetObjectFluentBuilder) -> GetObjectFluentBuilder + Send + Sync,
    ) -> Result<(Bytes, String)> {
        let mut tries = self.tries();
        loop {
            let request = narrow(self.client.get_object().bucket(&self.bucket).key(key));
            let (error, is_transient) = match request.send().await {
                Ok(output) => match self.whole(output, key, tries.failed + 1).await {
                    Ok(whole) => return Ok(whole),
                    Err(error) => (error, true),
                },
                Err(error) => {
                    let is_transient = failure::is_transient(&error);
                    (self.failure(error, Operation::Get, key), is_transient)
                }
            };
            if !is_transient || !tries.wait(self.endpoint.has_answered()).await {
                return Err(error);
            }
        }
    }

    /// The whole body and the tag of an answer to the request with this number.
    async fn whole(
        &self,
        output: GetObjectOutput,
        key: &str,
        number: u32,
    ) -> Result<(Bytes, String)> {
        let Some(etag) = output.e_tag.clone().map(unquoted) else {
            return Err(self.no_answer_of_s3(key));
        };
        match body(output).await {
            Ok(content) => Ok((content, etag)),
            Err(source) => Err(Error::system(match number {
                1 => "the download broke off".to_owned(),
                _ => format!("the download failed {number} times, and now broke off"),
            })
            .object(self.uri(key))
            .source(source)),
        }
    }

    /// The tag of an upload of which the store never said what became of it, if it was carried out.
    async fn looked_up(&self, key: &str, content: &Bytes) -> Option<String> {
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let output = request.send().await.ok()?;
        let (present, etag) = self.whole(output, key, 1).await.ok()?;
        (present == *content).then_some(etag)
    }
}

#[async_trait]
impl Store for S3 {
    fn name(&self) -> String {
        format!("s3://{}", self.bucket)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let mut objects = Vec::new();
        let mut next_page = None;
        loop {
            let page = self
                .send(|| {
                    self.client
                        .list_objects_v2()
                        .bucket(&self.bucket)
                        .prefix(prefix)
                        .set_continuation_token(next_page.clone())
                        .send()
                })
                .await
                .map_err(|error| self.failure(error, Operation::List, prefix))?;
            for object in page.contents.unwrap_or_default() {
                // A key that ends with / is a folder that the console made: no object of ours.
                if let Some(key) = object.key.filter(|key| !key.ends_with('/')) {
                    let size = object.size.and_then(|size| u64::try_from(size).ok());
                    objects.push(ObjectMeta {
                        key,
                        size: size.unwrap_or_default(),
                        etag: object.e_tag.map(unquoted).unwrap_or_default(),
                        age: self.endpoint.age(object.last_modified),
                    });
                }
            }
            next_page = page.next_continuation_token;
            if next_page.is_none() {
                break;
            }
        }
        // Not every server lists in byte order.
        objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    async fn children(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let page = self
            .send(|| {
                self.client
                    .list_objects_v2()
                    .bucket(&self.bucket)
                    .prefix(&prefix)
                    .delimiter("/")
                    .send()
            })
            .await
            .map_err(|error| self.failure(error, Operation::List, &prefix))?;
        let folders = page
            .common_prefixes
            .unwrap_or_default()
            .into_iter()
            .filter_map(|folder| folder.prefix);
        let objects = page
            .contents
            .unwrap_or_default()
            .into_iter()
            .filter_map(|object| object.key);
        let mut names: Vec<String> = folders
            .chain(objects)
            .filter_map(|key| {
                key.strip_prefix(&prefix)
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
            })
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        let answer = self
            .send_until(
                || {
                    let request = self.client.head_object().bucket(&self.bucket).key(key);
                    request.send()
                },
                |head| head.e_tag.is_some(),
            )
            .await;
        match answer {
            Ok(head) => {
                let size = head
                    .content_length
                    .and_then(|size| u64::try_from(size).ok());
                let etag = head.e_tag.map(unquoted);
                Ok(Some(ObjectMeta {
                    key: key.to_owned(),
                    size: size.unwrap_or_default(),
                    etag: etag.ok_or_else(|| self.no_answer_of_s3(key))?,
                    age: self.endpoint.age(head.last_modified),
                }))
            }
            // The answer to HEAD has no body and so does not tell a missing bucket from a missing
            // object: listing or reading will.
            Err(error) if failure::status(&error) == Some(404) => Ok(None),
            // Nor does it tell a wrong key from a missing permission: reading does.
            Err(error) if failure::status(&error) == Some(403) => {
                match self
                    .client
                    .get_object()
                    .bucket(&self.bucket)
                    .key(key)
                    .send()
                    .await
                {
                    Err(told) => Err(self.failure(told, Operation::Get, key)),
                    Ok(_) => Err(self.failure(error, Operation::Get, key)),
                }
            }
            Err(error) => Err(self.failure(error, Operation::Get, key)),
        }
    }

    async fn get(&self, key: &str) -> Result<(Bytes, String)> {
        check_key(key)?;
        self.download(key, |request| request).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>, etag: &str) -> Result<Bytes> {
        check_key(key)?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let bytes = format!("bytes={}-{}", range.start, range.end - 1);
        let answer = self
            .download(key, |request| {
                request.range(bytes.clone()).if_match(quoted(etag))
            })
            .await;
        match answer {
            Ok((content, found))
                if found == etag && content.len() as u64 == range.end - range.start =>
            {
                Ok(content)
            }
            Ok(_) => Err(changed(&self.uri(key))),
            Err(error) if error.kind() == Kind::Conflict => Err(changed(&self.uri(key))),
            Err(error) => Err(error),
        }
    }

    async fn put(&self, key: &str, content: Bytes, mode: PutMode) -> Result<String> {
        check_key(key)?;
        if content.len() > MAX_UPLOAD {
            let error = Error::request(format!(
                "{} bytes are more than S3 takes in one upload (5 GiB)",
                content.len()
            ));
            return Err(error
                .object(self.uri(key))
                .hint("write fewer customers or products at a time"));
        }
        let mut may_be_applied = false;
        let mut contended = 0;
        let mut tries = self.tries();
        loop {
            let (error, may_pass) = match self.put_once(key, &content, &mode).await {
                Ok(Some(etag)) => return Ok(etag),
                // The page of a proxy, say: the upload may have come through or not.
                Ok(None) => (None, true),
                Err(error) => {
                    contended += u32::from(failure::status(&error) == Some(409));
                    let may_pass = failure::is_transient(&error) && contended < CONTENDED_TRIES;
                    (Some(error), may_pass)
                }
            };
            // Without an answer, or with a server's failure, the write may have been applied.
            let is_refused = error.as_ref().is_some_and(failure::is_refusal);
            may_be_applied |= !is_refused;
            if may_pass && tries.wait(self.endpoint.has_answered()).await {
                continue;
            }
            if may_be_applied
                && !is_refused
                && let Some(etag) = self.looked_up(key, &content).await
            {
                return Ok(etag);
            }
            return match error {
                None => Err(self.no_answer_of_s3(key)),
                Some(error) => {
                    self.refused(error, key, &content, &mode, may_be_applied)
                        .await
                }
            };
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        // Once: the answer to one that was carried out may be lost, and by the time of a second one
        // another writer may have put the object there anew.
        let request = self.client.delete_object().bucket(&self.bucket).key(key);
        let answer = request.send().await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if failure::is_no_such_key(&error) => Ok(()),
            Err(error) => Err(self.failure(error, Operation::Delete, key)),
        }
    }
}

/// The whole body of an answer, checked against its announced length.
async fn body(output: GetObjectOutput) -> Result<Bytes, BoxError> {
    let announced = output
        .content_length
        .and_then(|length| usize::try_from(length).ok());
    let mut stream = output.body;
    let mut content = BytesMut::with_capacity(announced.unwrap_or_default().min(MAX_RESERVED));
    while let Some(chunk) = stream.try_next().await? {
        content.extend_from_slice(&chunk);
    }
    match announced {
        Some(announced) if announced != content.len() => {
            Err(format!("{} of {announced} bytes came", content.len()).into())
        }
        _ => Ok(content.freeze()),
    }
}

/// A tag without the quotation marks that HTTP puts around it.
fn unquoted(etag: String) -> String {
    match etag
        .strip_prefix('"')
        .and_then(|etag| etag.strip_suffix('"'))
    {
        Some(inner) => inner.to_owned(),
        None => etag,
    }
}

fn quoted(etag: &str) -> String {
    if etag.starts_with("W/") {
        etag.to_owned()
    } else {
        format!("\"{etag}\"")
    }
}

/// The endpoints that have answered this process, by name.
static ANSWERED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn answered() -> MutexGuard<'static, BTreeSet<String>> {
    ANSWERED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers where requests go, and what time it is there: the SDK's errors and answers do not say it.
#[derive(Debug, Clone, Default)]
struct Endpoint {
    name: Arc<OnceLock<String>>,
    /// The `Date` of the latest answer.
    clock: Arc<Mutex<Option<DateTime>>>,
}

impl Endpoint {
    fn name(&self) -> String {
        self.name
            .get()
            .cloned()
            .unwrap_or_else(|| "the S3 endpoint".to_owned())
    }

    /// The endpoint, and the proxy before it.
    fn peer(&self) -> Peer {
        let endpoint = self.name();
        Peer {
            proxy: environment::proxy_of(&endpoint),
            endpoint,
        }
    }

    /// Whether it ever answered this process.
    fn has_answered(&self) -> bool {
        self.name
            .get()
            .is_some_and(|name| answered().contains(name))
    }

    /// The clock of the endpoint. A time is whole, so a poisoned lock is as good as any.
    fn clock(&self) -> MutexGuard<'_, Option<DateTime>> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long before the latest answer something was written.
    fn age(&self, written: Option<DateTime>) -> Option<Duration> {
        let seconds = (*self.clock())?.secs() - written?.secs();
        Some(Duration::from_secs(
            u64::try_from(seconds).unwrap_or_default(),
        ))
    }
}

impl Intercept for Endpoint {
    fn name(&self) -> &'static str {
        "okuo-endpoint"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let uri = context.request().uri();
        // The scheme and the host: what stands before the first single /.
        let host_at = uri.find("://").map_or(0, |at| at + 3);
        let end = uri
            .get(host_at..)
            .and_then(|rest| rest.find('/'))
            .map_or(uri.len(), |at| host_at + at);
        let _ = self.name.set(uri.get(..end).unwrap_or(uri).to_owned());
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        if let Some(date) =
            date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok())
        {
            *self.clock() = Some(date);
        }
        if let Some(name) = self.name.get()
            && !self.has_answered()
        {
            answered().insert(name.clone());
        }
        Ok(())
    }
}
