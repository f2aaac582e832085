//! What becomes of a night when the store fails: the table of docs/explanation/reliability.md.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use hyper::Method;
use okuo::publish::runs::read_run;
use okuo::store::{Location, PutMode, Store};
use tokio::task::spawn_blocking;

use crate::sandbox::{NIGHT, Run, Sandbox, TICKETS};
use crate::support::{BUCKET, Fault, KEY_ID, SECRET, Server};

/// With this variable the test writes the table instead of comparing it.
const WRITE_TABLE: &str = "OKUO_WRITE_REFERENCE";

const PAGE: &str = "docs/explanation/reliability.md";
const BEGIN: &str = "<!-- written by tests/binary/faults.rs -->\n";
const END: &str = "<!-- end -->\n";

/// How many nights are scored at a time: most of their time they wait.
const AT_A_TIME: usize = 8;

/// Seconds that requests are tried again where all fail.
const LITTLE: &str = "2";
/// And where some do.
const ENOUGH: &str = "60";

const KINDS: [(Fault, &str); 8] = [
    (Fault::Busy, "503 SlowDown"),
    (Fault::TooMany, "429 TooManyRequests"),
    (Fault::Broken, "500 InternalError"),
    (
        Fault::Reset,
        "connection closed before the request is carried out",
    ),
    (
        Fault::LostAnswer,
        "connection closed after it was carried out",
    ),
    (Fault::BrokenBody, "answer that breaks off"),
    (Fault::Page, "page of a proxy (200, HTML)"),
    (Fault::Silence, "no answer at all"),
];

const RATES: [usize; 3] = [5, 30, 100];

/// The requests that go wrong.
const READS: &[Method] = &[Method::GET, Method::HEAD];
const WRITES: &[Method] = &[Method::PUT, Method::POST, Method::DELETE];

/// A bucket with tickets, a promoted model and a night that was published with other settings.
struct Bucket {
    server: Server,
    sandbox: Arc<Sandbox>,
    former: String,
}

/// Scores the night on a bucket, with so many offers for each customer.
fn score(sandbox: &Sandbox, endpoint: &str, seconds: &str, offers: &str) -> Run {
    let place = format!("s3://{BUCKET}");
    let arguments = [
        "score",
        "--config",
        &format!("offers-{offers}.toml"),
        "--input",
        &format!("{place}/tickets/"),
        "--as-of",
        NIGHT,
        "--registry",
        &format!("{place}/models"),
        "--output",
        &format!("{place}/out"),
    ];
    let variables = [
        ("AWS_ENDPOINT_URL_S3", endpoint),
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("OKUO_RETRY_SECONDS", seconds),
    ];
    sandbox.okuo_with(&arguments, &variables)
}

impl Bucket {
    /// With a former run, which is scored.
    async fn scored(sandbox: &Arc<Sandbox>) -> Self {
        let mut objects = vec![("tickets/2024.csv".to_owned(), TICKETS.clone())];
        objects.extend(sandbox.files("models"));
        let bucket = Self::with(sandbox, objects, "").await;
        bucket.score(LITTLE, "1").await.done();
        let former = bucket.standing().await;
        Self { former, ..bucket }
    }

    /// Another one with the same objects.
    async fn again(&self) -> Self {
        let store = self.server.store();
        let mut objects = vec![];
        for object in store.list("").await.unwrap() {
            let (content, _) = store.get(&object.key).await.unwrap();
            objects.push((object.key, content.to_vec()));
        }
        Self::with(&self.sandbox, objects, &self.former).await
    }

    async fn with(sandbox: &Arc<Sandbox>, objects: Vec<(String, Vec<u8>)>, former: &str) -> Self {
        let server = Server::start().await;
        let store = server.store();
        for (key, content) in objects {
            store
                .put(&key, content.into(), PutMode::Overwrite)
                .await
                .unwrap();
        }
        Self {
            server,
            sandbox: Arc::clone(sandbox),
            former: former.to_owned(),
        }
    }

    async fn score(&self, seconds: &'static str, offers: &'static str) -> Run {
        let (sandbox, endpoint) = (Arc::clone(&self.sandbox), self.server.endpoint.clone());
        spawn_blocking(move || score(&sandbox, &endpoint, seconds, offers))
            .await
            .unwrap()
    }

    /// The id of the run that stands, all of whose tables are verified.
    async fn standing(&self) -> String {
        let output = Location::new(Arc::new(self.server.store()), "out");
        let (manifest, _) = read_run(&output, NIGHT.parse().unwrap()).await.unwrap();
        manifest.run_id
    }

    /// Scores while requests fail, and says in words what came of it: one of two things, or the test
    /// fails.
    async fn outcome(&self, rate: usize, quiet: &str) -> &'static str {
        let seconds = if rate == 100 { LITTLE } else { ENOUGH };
        let run = self.score(seconds, "2").await;
        self.server.heal();
        let standing = self.standing().await;
        if run.code == 0 {
            assert_eq!(standing, quiet, "{run}");
            return "published";
        }
        run.failed(2);
        assert!(run.err.contains("s3://"), "{run}");
        assert_eq!(standing, self.former, "{run}");
        "error"
    }
}

/// What came of one kind of fault.
async fn cell(
    scored: &Bucket,
    quiet: &str,
    (fault, of, rate): (Fault, &'static [Method], usize),
) -> &'static str {
    if fault == Fault::Silence && rate == 30 {
        // 20 seconds for each of them.
        return "–";
    }
    let bucket = scored.again().await;
    // The first request fails, but for the one that is not tried for so long: before the endpoint has ever
    // answered, requests are tried for 15 seconds.
    let number = match (fault, rate) {
        (Fault::Silence, 5) => 18,
        _ => 0,
    };
    bucket.server.fail_of(&[fault], of, rate, number);
    let outcome = bucket.outcome(rate, quiet).await;
    assert!(
        rate == 100 || outcome == "published",
        "{fault:?}, {rate} %: {outcome}"
    );
    outcome
}

/// How many of so many nights are published while 30 % of all requests fail, in all ways.
async fn published_among_all_faults(scored: &Bucket, quiet: &str, nights: usize) -> usize {
    let faults: Vec<Fault> = KINDS
        .iter()
        .map(|(fault, _)| *fault)
        .filter(|fault| *fault != Fault::Silence)
        .collect();
    let runs = futures::stream::iter(0..nights).map(|night| {
        // Each night meets others.
        let (number, faults) = (7 * night, &faults);
        async move {
            let bucket = scored.again().await;
            bucket
                .server
                .fail_of(faults, &[READS, WRITES].concat(), 30, number);
            bucket.outcome(30, quiet).await == "published"
        }
    });
    let runs: Vec<bool> = runs.buffer_unordered(AT_A_TIME).collect().await;
    runs.into_iter().filter(|published| *published).count()
}

fn table(outcomes: &[&str], published: usize, nights: usize) -> String {
    let mut text =
        String::from("| what goes wrong | of | 5 % | 30 % | 100 % |\n|---|---|---|---|---|\n");
    let mut rows = outcomes.chunks(RATES.len());
    for (_, kind) in KINDS {
        for of in ["reads", "writes"] {
            let cells = rows.next().unwrap().join(" | ");
            writeln!(text, "| {kind} | {of} | {cells} |").unwrap();
        }
    }
    writeln!(
        text,
        "\nAll of these but the last at once, on 30 % of all requests: {published} of {nights} nights published."
    )
    .unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_faults_is_what_happens() {
    const NIGHTS: usize = 20;
    #[expect(
        clippy::disallowed_methods,
        reason = "the time of a failure is what is tested"
    )]
    let started = Instant::now();
    let sandbox = Arc::new(Sandbox::trained());
    for offers in ["1", "2"] {
        let settings = format!(
            "{}[offers]\nper_customer = {offers}\n",
            crate::sandbox::SETTINGS
        );
        sandbox.write(&format!("offers-{offers}.toml"), settings);
    }
    let scored = Bucket::scored(&sandbox).await;
    let bucket = scored.again().await;
    bucket.score(LITTLE, "2").await.done();
    let standing = bucket.standing().await;
    let quiet = &*standing;
    assert_ne!(quiet, scored.former);
    let mut cells = vec![];
    for (fault, _) in KINDS {
        for of in [READS, WRITES] {
            cells.extend(RATES.map(|rate| (fault, of, rate)));
        }
    }
    let outcomes = futures::stream::iter(cells).map(|each| cell(&scored, quiet, each));
    let outcomes: Vec<&str> = outcomes.buffered(2 * AT_A_TIME).collect().await;
    let published = published_among_all_faults(&scored, quiet, NIGHTS).await;
    assert_eq!(published, NIGHTS);
    // Faults and pauses, and the work of nearly seventy nights.
    assert!(started.elapsed() < Duration::from_secs(300));
    compare(&table(&outcomes, published, NIGHTS));
}

/// Compares the table with that of the page, or writes it there.
fn compare(table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os(WRITE_TABLE).is_some() {
        std::fs::write(&file, format!("{before}{BEGIN}\n{table}\n{END}{after}")).unwrap();
        return;
    }
    assert!(
        written.trim() == table.trim(),
        "{PAGE} does not say what happens; write it anew with {WRITE_TABLE}=1 cargo nextest run --release \
         --test binary faults\n{table}"
    );
}
