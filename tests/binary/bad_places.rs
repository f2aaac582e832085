//! Places that cannot be reached or written to: exit code 2 where okuo's surroundings fail, and
//! nothing half-written.

use crate::sandbox::{Run, SETTINGS, Sandbox, TICKETS, TRAINED, assert_run};
use crate::support::{BUCKET, KEY_ID, SECRET, Server};

/// Trains from S3 with these credentials.
async fn train_from(server: &Server, input: &str, key: &str, secret: &str) -> Run {
    let (endpoint, input, key, secret) = (
        server.endpoint.clone(),
        input.to_owned(),
        key.to_owned(),
        secret.to_owned(),
    );
    tokio::task::spawn_blocking(move || {
        let sandbox = Sandbox::empty();
        sandbox.write("okuo.toml", SETTINGS);
        let variables = [
            ("AWS_ENDPOINT_URL_S3", &*endpoint),
            ("AWS_ACCESS_KEY_ID", &*key),
            ("AWS_SECRET_ACCESS_KEY", &*secret),
        ];
        let run = sandbox.okuo_with(
            &["train", "--input", &input, "--as-of", TRAINED],
            &variables,
        );
        assert_eq!(sandbox.files("models"), []);
        run
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_permission_on_the_bucket() {
    let server = Server::start().await;
    let run = train_from(
        &server,
        &format!("s3://{BUCKET}/tickets"),
        "stranger",
        "secret",
    )
    .await;
    assert_run!(run.failed(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_such_bucket() {
    let server = Server::start().await;
    let run = train_from(&server, "s3://no-such-bucket/tickets", KEY_ID, SECRET).await;
    assert_run!(run.failed(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_below_the_prefix() {
    let server = Server::start().await;
    for input in ["tickets/", "tickets", "2024-07-*.csv"] {
        let input = format!("s3://{BUCKET}/{input}");
        train_from(&server, &input, KEY_ID, SECRET).await.failed(4);
    }
}

#[test]
fn an_endpoint_that_cannot_be_reached() {
    let sandbox = Sandbox::new();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let variables = [
        ("AWS_ENDPOINT_URL_S3", &*endpoint),
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];
    assert_run!(
        sandbox
            .okuo_with(
                &[
                    "train",
                    "--input",
                    "s3://bucket/tickets",
                    "--as-of",
                    TRAINED
                ],
                &variables
            )
            .failed(2)
    );
    assert_eq!(sandbox.files("models"), []);
}

#[test]
fn a_registry_or_an_output_that_cannot_be_reached_is_told_before_anything_is_read() {
    let sandbox = Sandbox::trained();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let variables = [
        ("AWS_ENDPOINT_URL_S3", &*endpoint),
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];
    for arguments in [
        [
            "train",
            "--input",
            "missing.csv",
            "--as-of",
            TRAINED,
            "--registry",
            "s3://bucket/models",
        ],
        [
            "score",
            "--input",
            "missing.csv",
            "--as-of",
            "2024-07-10",
            "--output",
            "s3://bucket/out",
        ],
    ] {
        let run = sandbox.okuo_with(&arguments, &variables);
        assert!(run.failed(2).err.contains("cannot reach"), "{run}");
    }
}

#[test]
fn no_credentials() {
    let sandbox = Sandbox::new();
    let run = sandbox.okuo(&[
        "train",
        "--input",
        "s3://bucket/tickets",
        "--as-of",
        TRAINED,
    ]);
    assert!(run.failed(2).err.contains("AWS_ACCESS_KEY_ID"), "{run}");
}

#[test]
fn another_kind_of_address() {
    let run = Sandbox::new().train_fails(1, &["--input", "gs://bucket/tickets"]);
    assert!(run.err.contains("gs:// is not supported"), "{run}");
}

#[test]
fn a_file_where_a_folder_is_needed_is_told_before_anything_is_read() {
    let sandbox = Sandbox::trained();
    sandbox.write("file", "a file where a folder is needed");
    std::fs::create_dir(sandbox.path("folder.csv")).unwrap();
    let of = |arguments: &[&str]| {
        format!(
            "$ okuo {}\n{}\n",
            arguments.join(" "),
            sandbox.okuo(arguments).failed(1)
        )
    };
    let runs = [
        of(&[
            "score",
            "--input",
            "missing.csv",
            "--as-of",
            "2024-07-10",
            "--output",
            "file",
        ]),
        of(&[
            "score",
            "--input",
            "missing.csv",
            "--as-of",
            "2024-07-10",
            "--output",
            "file/out",
        ]),
        of(&[
            "train",
            "--input",
            "missing.csv",
            "--as-of",
            TRAINED,
            "--registry",
            "file",
        ]),
        of(&["models", "list", "--registry", "file"]),
        of(&["demo", "--output", "file"]),
        of(&["simulate", "--output", "folder.csv"]),
        of(&["simulate", "--output", "file/t.csv"]),
        of(&["simulate", "--output", "t.csv", "--truth", "file/t.json"]),
    ];
    assert_run!(runs.join("\n"));
    assert_eq!(sandbox.read("file"), b"a file where a folder is needed");
    assert!(!sandbox.path("t.csv").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_the_system_refuses() {
    let run = Sandbox::trained().okuo(&[
        "score",
        "--input",
        "tickets.csv",
        "--as-of",
        "2024-07-10",
        "--output",
        "/proc/okuo",
    ]);
    assert_eq!(
        (run.code, run.err.matches("error: /proc/okuo/").count()),
        (2, 1),
        "{run}"
    );
    assert!(
        run.err.contains("cannot be written") && run.err.contains("hint: name another place"),
        "{run}"
    );
}

#[test]
fn a_registry_that_is_not_there() {
    let run = Sandbox::empty().okuo(&["models", "list", "--registry", "modles"]);
    assert!(
        run.failed(1).err.contains("modles: there is no registry"),
        "{run}"
    );
}

#[test]
fn the_beginning_of_a_models_id() {
    let sandbox = Sandbox::trained();
    let hint = format!("hint: name the whole of it: {}", sandbox.model_id());
    for arguments in [
        &[
            "score",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-07-10",
            "--output",
            "out",
            "--model",
            TRAINED,
        ][..],
        &["models", "show", TRAINED],
        &["models", "promote", TRAINED],
    ] {
        let run = sandbox.okuo(arguments);
        assert!(run.failed(1).err.contains(&hint), "{run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_three_verbs_on_s3_give_the_bytes_of_the_local_ones() {
    let server = Server::start().await;
    server
        .store()
        .put_object("tickets/2024.csv", TICKETS.clone())
        .await;
    let endpoint = server.endpoint.clone();
    let (local, remote) = tokio::task::spawn_blocking(move || {
        let sandbox = Sandbox::trained();
        let variables = [
            ("AWS_ENDPOINT_URL_S3", &*endpoint),
            ("AWS_ACCESS_KEY_ID", KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ];
        let (input, models, out) = (
            format!("s3://{BUCKET}/tickets/"),
            format!("s3://{BUCKET}/models"),
            format!("s3://{BUCKET}/out"),
        );
        let train = [
            "train",
            "--input",
            &input,
            "--as-of",
            TRAINED,
            "--registry",
            &models,
            "--promote",
            "always",
        ];
        sandbox.okuo_with(&train, &variables).done();
        let listed = sandbox
            .okuo_with(
                &["models", "list", "--registry", &models, "--json"],
                &variables,
            )
            .json();
        assert_eq!(listed[0]["model_id"], sandbox.model_id());
        let score = |input: &str, models: &str, out: &str| {
            let arguments = [
                "score",
                "--input",
                input,
                "--as-of",
                "2024-07-10",
                "--registry",
                models,
                "--output",
                out,
                "--json",
            ];
            sandbox.okuo_with(&arguments, &variables).json()
        };
        (
            score("tickets.csv", "models", "out"),
            score(&input, &models, &out),
        )
    })
    .await
    .unwrap();
    // A run's id is made of its tables' checksums.
    assert_eq!(local["run_id"], remote["run_id"]);
    assert_eq!(
        remote["manifest"],
        format!("s3://{BUCKET}/out/as_of=2024-07-10/manifest.json")
    );
}

/// Puts one object.
trait PutObject {
    async fn put_object(&self, key: &str, content: Vec<u8>);
}

impl PutObject for okuo::store::S3 {
    async fn put_object(&self, key: &str, content: Vec<u8>) {
        use okuo::store::{PutMode, Store};
        self.put(key, content.into(), PutMode::Overwrite)
            .await
            .unwrap();
    }
}
