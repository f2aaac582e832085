//! What the environment says of the way to S3, and what is said where it cannot be so.

use crate::sandbox::{NIGHT, Run, Sandbox};

/// A port where nothing answers: the one of discard.
const NOBODY: &str = "http://127.0.0.1:9";

fn score(sandbox: &Sandbox, variables: &[(&str, &str)]) -> Run {
    let keys = [
        ("AWS_ACCESS_KEY_ID", "okuo"),
        ("AWS_SECRET_ACCESS_KEY", "okuo-secret"),
    ];
    let arguments = [
        "score",
        "--input",
        "s3://tickets-of-a-store/tickets/",
        "--as-of",
        NIGHT,
        "--output",
        "out",
    ];
    sandbox.okuo_with(&arguments, &[&keys, variables].concat())
}

#[test]
fn a_line_break_in_a_variable_is_told_and_its_value_is_not() {
    let sandbox = Sandbox::trained();
    for (name, value, what) in [
        ("AWS_SECRET_ACCESS_KEY", "okuo-sec\nret", "a line break"),
        ("AWS_SECRET_ACCESS_KEY", "okuo-secret\n", "a line break"),
        ("AWS_ACCESS_KEY_ID", "okuo\r\n", "a line break"),
        ("AWS_SESSION_TOKEN", "okuo-sec\nret", "a line break"),
        ("AWS_REGION", "eu-west-1\n", "a line break"),
        ("AWS_REGION", "eu-\nwest-1", "a line break"),
        ("AWS_REGION", " eu-west-1", "ends with a space"),
        (
            "AWS_ENDPOINT_URL_S3",
            "http://127.0.0.1:9\n",
            "a line break",
        ),
    ] {
        let run = score(&sandbox, &[("AWS_ENDPOINT_URL_S3", NOBODY), (name, value)]);
        run.failed(1);
        assert!(
            run.err.contains(&format!("{name} ")) && run.err.contains(what),
            "{run}"
        );
        assert!(!run.err.contains("okuo-sec"), "{run}");
    }
}

#[test]
fn a_proxy_is_named_where_the_way_leads_through_it() {
    let sandbox = Sandbox::trained();
    let proxy = "http://user:password@127.0.0.1:9";
    for (variables, endpoint) in [
        (
            &[
                ("HTTP_PROXY", proxy),
                ("AWS_ENDPOINT_URL_S3", "http://s3.example.org"),
            ][..],
            "http://s3.example.org",
        ),
        (
            &[
                ("HTTPS_PROXY", proxy),
                ("AWS_ENDPOINT_URL_S3", "https://s3.example.org"),
            ],
            "https://s3.example.org",
        ),
        (
            &[("ALL_PROXY", proxy), ("AWS_REGION", "eu-west-1")],
            "https://tickets-of-a-store.s3.eu-west-1.amazonaws.com",
        ),
        // The switch, which needs no endpoint.
        (
            &[
                ("HTTPS_PROXY", proxy),
                ("AWS_REGION", "eu-west-1"),
                ("OKUO_S3_PATH_STYLE", "true"),
            ],
            "https://s3.eu-west-1.amazonaws.com",
        ),
    ] {
        let run = score(&sandbox, variables);
        let text = format!("cannot reach {endpoint} through the proxy http://127.0.0.1:9");
        assert!(run.failed(2).err.contains(&text), "{run}");
        assert!(
            run.err.contains("HTTPS_PROXY") && run.err.contains("NO_PROXY"),
            "{run}"
        );
        assert!(!run.err.contains("password"), "{run}");
    }
    let excepted = [
        ("HTTP_PROXY", proxy),
        ("NO_PROXY", "127.0.0.1"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9"),
    ];
    let run = score(&sandbox, &excepted);
    assert!(!run.failed(2).err.to_lowercase().contains("proxy"), "{run}");
}

#[test]
fn addresses_have_the_bucket_in_the_path_or_in_the_host() {
    let sandbox = Sandbox::trained();
    for (style, endpoint) in [
        ("true", "http://localhost:9"),
        ("false", "http://tickets-of-a-store.localhost:9"),
    ] {
        let variables = [
            ("AWS_ENDPOINT_URL_S3", "http://localhost:9"),
            ("OKUO_S3_PATH_STYLE", style),
        ];
        let run = score(&sandbox, &variables);
        let text = format!("cannot reach {endpoint}\n");
        let first = run.failed(2).err.replace(": ", "\n");
        assert!(first.contains(&text), "{run}");
    }
    let run = score(
        &sandbox,
        &[
            ("AWS_ENDPOINT_URL_S3", NOBODY),
            ("OKUO_S3_PATH_STYLE", "host"),
        ],
    );
    assert!(
        run.failed(1).err.contains("OKUO_S3_PATH_STYLE is \"host\""),
        "{run}"
    );
}

#[test]
fn a_file_of_certificates_that_is_none_is_told() {
    let sandbox = Sandbox::trained();
    sandbox.write("empty.pem", "");
    sandbox.write("text.pem", "not a certificate");
    sandbox.write(
        "damaged.pem",
        "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
    );
    sandbox.write(
        "other.pem",
        "-----BEGIN CERTIFICATE-----\nb2t1bw==\n-----END CERTIFICATE-----\n",
    );
    for (file, what) in [
        ("missing.pem", "cannot be read"),
        ("empty.pem", "has no certificate"),
        ("text.pem", "has no certificate"),
        ("damaged.pem", "is damaged"),
        ("other.pem", "has a certificate that is none"),
    ] {
        let run = score(
            &sandbox,
            &[("AWS_ENDPOINT_URL_S3", NOBODY), ("AWS_CA_BUNDLE", file)],
        );
        let text = format!("{file}: the file of AWS_CA_BUNDLE {what}");
        assert!(run.failed(1).err.contains(&text), "{run}");
    }
    // One that can be read is no hindrance.
    let certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/authority.pem");
    let run = score(
        &sandbox,
        &[
            ("AWS_ENDPOINT_URL_S3", NOBODY),
            ("AWS_CA_BUNDLE", certificate),
        ],
    );
    assert!(
        run.failed(2)
            .err
            .contains(&format!("cannot reach {NOBODY}")),
        "{run}"
    );
}

/// A server whose certificate an authority of its own has signed, by Python's TLS.
#[test]
fn a_certificate_that_nobody_trusts_is_told_and_one_of_the_bundle_is_accepted() {
    let server = r#"
import http.server, ssl, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"<html>log in</html>"
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_HEAD = do_PUT = do_GET
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let mut process = std::process::Command::new("python3")
        .args(["-c", server, &format!("{fixtures}/server.pem")])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    let out = process.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut port).unwrap();
    let endpoint = format!("https://127.0.0.1:{}", port.trim());
    let sandbox = Sandbox::trained();
    let stranger = score(&sandbox, &[("AWS_ENDPOINT_URL_S3", &endpoint)]);
    let authority = format!("{fixtures}/authority.pem");
    let trusted = score(
        &sandbox,
        &[
            ("AWS_ENDPOINT_URL_S3", &endpoint),
            ("AWS_CA_BUNDLE", &authority),
        ],
    );
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(
        stranger
            .failed(2)
            .err
            .contains(&format!("the certificate of {endpoint} is not trusted")),
        "{stranger}"
    );
    assert!(stranger.err.contains("AWS_CA_BUNDLE"), "{stranger}");
    // The connection stands, and what answers is a page.
    assert!(
        trusted.failed(2).err.contains(&format!(
            "the answer of {endpoint} is none of an S3 service"
        )),
        "{trusted}"
    );
}
