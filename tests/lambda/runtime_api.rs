//! The runtime API of Lambda, as far as a function needs it, and a function that runs beside it.

use std::convert::Infallible;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, Notify};

use crate::sandbox::Sandbox;

/// A time in which any of the tests' runs is done.
pub(crate) const LONG: Duration = Duration::from_secs(300);

/// The answer to an invocation: a response, or an error in Lambda's form.
type Answer = Result<Value, Value>;

struct RuntimeApi {
    /// Events with their deadlines, in milliseconds since 1970.
    events: Mutex<UnboundedReceiver<(Value, u128)>>,
    /// Tells that an event was fetched.
    fetched: Notify,
    answers: UnboundedSender<Answer>,
}

impl RuntimeApi {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let Some(path) = path.strip_prefix("/2018-06-01/runtime/") else {
            return plain(404, "no such API");
        };
        if request.method() == Method::GET && path == "invocation/next" {
            return self.next().await;
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let answer = match path.rsplit('/').next() {
            Some("response") => Ok(body),
            Some("error") => Err(body),
            _ => return plain(404, "no such path"),
        };
        self.answers.send(answer).unwrap();
        plain(202, "{\"status\":\"OK\"}")
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        // As Lambda, it keeps the function waiting until there is something to do.
        let Some((event, deadline)) = self.events.lock().await.recv().await else {
            return plain(500, "the test is over");
        };
        self.fetched.notify_one();
        Response::builder()
            .header(
                "lambda-runtime-aws-request-id",
                "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            )
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:1:function:okuo",
            )
            .header(
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            )
            .body(Full::from(event.to_string()))
            .unwrap()
    }
}

fn plain(status: u16, text: &'static str) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .body(Full::from(text))
        .unwrap()
}

/// A process of the function, and the runtime API that it talks to.
pub(crate) struct Function {
    api: Arc<RuntimeApi>,
    events: UnboundedSender<(Value, u128)>,
    answers: UnboundedReceiver<Answer>,
    process: std::process::Child,
}

impl Function {
    /// Starts both in a folder, with these variables of the environment, a temporary folder tmp, and
    /// a file log for what it prints.
    pub(crate) async fn start(sandbox: &Sandbox, variables: &[(&str, &str)]) -> Self {
        let (events, waiting) = unbounded_channel();
        let (answers, answered) = unbounded_channel();
        let api = Arc::new(RuntimeApi {
            events: Mutex::new(waiting),
            fetched: Notify::new(),
            answers,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(serve(listener, Arc::clone(&api)));
        std::fs::create_dir_all(sandbox.path("tmp")).unwrap();
        let process = std::process::Command::new(env!("CARGO_BIN_EXE_okuo-lambda"))
            .current_dir(sandbox.path(""))
            .env_clear()
            .env("HOME", sandbox.path(""))
            .env("TMPDIR", sandbox.path("tmp"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", "us-east-1")
            .env("OKUO_RETRY_SECONDS", "0")
            .env("OKUO_LAMBDA_LOCAL_PLACES", "true")
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "okuo")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(sandbox.path("log")).unwrap())
            .spawn()
            .unwrap();
        Self {
            api,
            events,
            answers: answered,
            process,
        }
    }

    /// Hands over an event and waits for its answer.
    pub(crate) async fn invoke(&mut self, event: Value, time: Duration) -> Answer {
        self.events.send((event, deadline(time))).unwrap();
        tokio::time::timeout(LONG, self.answers.recv())
            .await
            .expect("no answer")
            .unwrap()
    }

    /// Hands over an event and returns when the function has it.
    pub(crate) async fn send(&mut self, event: Value, time: Duration) {
        self.events.send((event, deadline(time))).unwrap();
        self.api.fetched.notified().await;
    }

    /// Kills the process, as Lambda does at a time-out.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// The exit code, if the process has ended.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.process.try_wait().unwrap()?.code()
    }

    /// Waits for the process to end, and returns its exit code.
    pub(crate) async fn end(&mut self) -> Option<i32> {
        let ended = async {
            loop {
                if let Some(status) = self.process.try_wait().unwrap() {
                    return status.code();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LONG, ended).await.expect("it runs on")
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn deadline(time: Duration) -> u128 {
    let end = SystemTime::now() + time;
    end.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis()
}

async fn serve(listener: TcpListener, api: Arc<RuntimeApi>) {
    while let Ok((socket, _)) = listener.accept().await {
        let api = Arc::clone(&api);
        let service = service_fn(move |request| {
            let api = Arc::clone(&api);
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        tokio::spawn(async move {
            // An error is a function that was killed.
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}
