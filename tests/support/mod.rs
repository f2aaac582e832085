//! An S3 server in this process (s3s-fs over a temporary folder), with faults on demand.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::{Service, service_fn};
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use okuo::store::S3;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;

/// The one bucket of the server.
pub(crate) const BUCKET: &str = "okuo-tests";

pub(crate) const KEY_ID: &str = "okuo";
pub(crate) const SECRET: &str = "okuo-secret";

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 503 SlowDown instead of an answer.
    Busy,
    /// 429 instead of an answer.
    TooMany,
    /// 500 InternalError instead of an answer.
    Broken,
    /// The connection is closed before the request is carried out.
    Reset,
    /// 200 with the page of a proxy, and nothing carried out.
    Page,
    /// 409 ConditionalRequestConflict instead of an answer.
    Contended,
    /// The answer's body ends in the middle, and with it the connection.
    BrokenBody,
    /// The request is carried out, and the connection closed without an answer.
    LostAnswer,
    /// Nothing is answered, and the connection stays open.
    Silence,
}

/// What goes wrong with so many of a hundred requests of these methods, one fault after the other.
struct Rate {
    faults: Vec<Fault>,
    methods: Vec<Method>,
    of_hundred: usize,
    /// The number of the next request of these methods; 0 fails at any rate.
    number: usize,
}

impl Rate {
    /// What goes wrong with the next request of its methods.
    fn next(&mut self) -> Option<Fault> {
        let number = self.number;
        self.number += 1;
        // Spread evenly, and without a rhythm that a client could meet: the multiples of an odd number.
        let fails = number * 37 % 100 < self.of_hundred;
        fails.then(|| self.faults[number % self.faults.len()])
    }
}

type Body = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

struct Shared {
    service: S3Service,
    /// s3s-fs checks a condition and then writes: one writer at a time makes that one step.
    writing: tokio::sync::Mutex<()>,
    faults: Mutex<VecDeque<(Method, Fault)>>,
    rate: Mutex<Option<Rate>>,
    requests: Mutex<Vec<Method>>,
}

/// The server; it ends with the runtime of the test that started it.
pub(crate) struct Server {
    /// `http://127.0.0.1:port`.
    pub(crate) endpoint: String,
    shared: Arc<Shared>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts a server with an empty bucket on a free port of 127.0.0.1.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let shared = Arc::new(Shared {
            service: service.build(),
            writing: tokio::sync::Mutex::new(()),
            faults: Mutex::default(),
            rate: Mutex::default(),
            requests: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                tokio::spawn(async move {
                    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
                    // An error is a fault that we made, or a client that went away.
                    let _ = Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(socket), service)
                        .await;
                });
            }
        });
        Self {
            endpoint,
            shared,
            _folder: folder,
        }
    }

    /// Lets the next request of this method go wrong (the one after it, if one is already waiting).
    pub(crate) fn inject(&self, method: Method, fault: Fault) {
        self.shared
            .faults
            .lock()
            .unwrap()
            .push_back((method, fault));
    }

    /// Lets so many of a hundred requests of any method go wrong from now on.
    pub(crate) fn fail(&self, fault: Fault, of_hundred: usize) {
        let all = [
            Method::GET,
            Method::HEAD,
            Method::PUT,
            Method::POST,
            Method::DELETE,
        ];
        self.fail_of(&[fault], &all, of_hundred, 0);
    }

    /// Lets so many of a hundred requests of these methods go wrong from now on. The next one has this
    /// number; number 0 fails at any rate.
    pub(crate) fn fail_of(
        &self,
        faults: &[Fault],
        methods: &[Method],
        of_hundred: usize,
        number: usize,
    ) {
        *self.shared.rate.lock().unwrap() = Some(Rate {
            faults: faults.to_vec(),
            methods: methods.to_vec(),
            of_hundred,
            number,
        });
    }

    /// Ends what [`Server::fail`] and [`Server::fail_of`] began.
    pub(crate) fn heal(&self) {
        *self.shared.rate.lock().unwrap() = None;
    }

    /// How many requests of this method have come.
    pub(crate) fn requests(&self, method: &Method) -> usize {
        self.shared
            .requests
            .lock()
            .unwrap()
            .iter()
            .filter(|seen| *seen == method)
            .count()
    }

    /// The bucket of the server.
    pub(crate) fn store(&self) -> S3 {
        S3::with_config(BUCKET, &config(&self.endpoint, KEY_ID, SECRET)).unwrap()
    }

    /// A bucket of the server as somebody else sees it.
    pub(crate) fn store_as(&self, bucket: &str, key_id: &str, secret: &str) -> S3 {
        S3::with_config(bucket, &config(&self.endpoint, key_id, secret)).unwrap()
    }

    /// Another bucket, with the server's own credentials.
    pub(crate) fn bucket(&self, bucket: &str) -> S3 {
        self.store_as(bucket, KEY_ID, SECRET)
    }
}

/// The SDK's configuration without the environment.
pub(crate) fn config(endpoint: &str, key_id: &str, secret: &str) -> SdkConfig {
    let credentials = Credentials::new(key_id, secret, None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// A request's way through the faults to the service.
async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Box<dyn Error + Send + Sync>> {
    let method = request.method().clone();
    shared.requests.lock().unwrap().push(method.clone());
    let drawn = {
        let mut rate = shared.rate.lock().unwrap();
        rate.as_mut()
            .filter(|rate| rate.methods.contains(&method))
            .and_then(Rate::next)
    };
    let fault = drawn.or_else(|| {
        let mut faults = shared.faults.lock().unwrap();
        let at = faults.iter().position(|(of, _)| *of == method);
        at.and_then(|at| faults.remove(at)).map(|(_, fault)| fault)
    });
    match fault {
        Some(Fault::Busy) => return Ok(refusal(503, "SlowDown")),
        Some(Fault::TooMany) => return Ok(refusal(429, "TooManyRequests")),
        Some(Fault::Broken) => return Ok(refusal(500, "InternalError")),
        Some(Fault::Reset) => return Err("the connection is reset".into()),
        Some(Fault::Page) => return Ok(page()),
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Contended) => return Ok(refusal(409, "ConditionalRequestConflict")),
        _ => {}
    }
    let response = {
        let _alone = match method {
            Method::PUT | Method::POST | Method::DELETE => Some(shared.writing.lock().await),
            _ => None,
        };
        Service::call(&shared.service, request)
            .await
            .map_err(|error| format!("{error:?}"))?
    };
    match fault {
        Some(Fault::LostAnswer) => Err("the answer is lost".into()),
        Some(Fault::BrokenBody) => {
            let (head, body) = response.into_parts();
            let whole = body.collect().await?.to_bytes();
            let half = whole.slice(..whole.len() / 2);
            let frames =
                futures::stream::iter([Ok(Frame::data(half)), Err("the body breaks off".into())]);
            Ok(Response::from_parts(
                head,
                StreamBody::new(frames).boxed_unsync(),
            ))
        }
        _ => Ok(response.map(|body| {
            body.map_err(|error| -> Box<dyn Error + Send + Sync> { error })
                .boxed_unsync()
        })),
    }
}

/// What a network shows to somebody who has not logged in.
fn page() -> Response<Body> {
    let body = Full::new(Bytes::from_static(
        b"<html><body>Please log in</body></html>",
    ))
    .map_err(|never: Infallible| match never {})
    .boxed_unsync();
    Response::builder()
        .status(200)
        .header("content-type", "text/html")
        .body(body)
        .unwrap()
}

fn refusal(status: u16, code: &str) -> Response<Body> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>as the test wants it</Message></Error>"
    );
    let body = Full::new(Bytes::from(text))
        .map_err(|never: Infallible| match never {})
        .boxed_unsync();
    Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .body(body)
        .unwrap()
}
