#!/usr/bin/env python3
"""What stands in a real S3 store while many publish one night, and after okuo was killed.

    .ci/s3 benches/reliability.py publishers target/release/okuo [--rounds 10]
    .ci/s3 benches/reliability.py kills target/release/okuo [--kills 200]

`publishers`: 8 runs with different offers publish the same night at once, while a reader follows the manifest every 20 ms and compares each table
with its SHA-256. `kills`: `train` and `score` are killed (SIGKILL) at a random moment, where nothing stands and where another run or model does;
then what stands must be all of the former or all of the new one, and the same command must succeed.

Each prints a Markdown table; exit code 1 if a look was broken, a mixture was seen or a run failed. Needs Python 3 alone.
"""
import argparse
import datetime
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ENDPOINT, BUCKET = os.environ.get("AWS_ENDPOINT_URL_S3", ""), os.environ.get("OKUO_TEST_S3_BUCKET", "")
NIGHT = "2024-06-30"
PUBLISHERS = 8
LOCAL = threading.local()


def get(key: str) -> bytes | None:
    """An object of the bucket, or None; signature version 4."""
    host, region = ENDPOINT.removeprefix("http://"), os.environ["AWS_REGION"]
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    empty = hashlib.sha256(b"").hexdigest()
    path = urllib.parse.quote(f"/{BUCKET}/{key}")
    headers = {"host": host, "x-amz-content-sha256": empty, "x-amz-date": now}
    names = ";".join(headers)
    request = f"GET\n{path}\n\n" + "".join(f"{name}:{value}\n" for name, value in headers.items()) + f"\n{names}\n{empty}"
    scope = f"{now[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    secret = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in scope.split("/"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, SignedHeaders={names}, Signature={signature}"
    for _ in range(2):
        connection = getattr(LOCAL, "connection", None) or http.client.HTTPConnection(host, timeout=30)
        LOCAL.connection = connection
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
        except (http.client.HTTPException, OSError):
            # A connection that was kept for too long.
            connection.close()
            LOCAL.connection = None
            continue
        if answer.status in (200, 404):
            return content if answer.status == 200 else None
        raise OSError(f"{path}: status {answer.status}")
    raise OSError(f"{path}: no answer")


def look(output: str) -> tuple[str | None, list[str]]:
    """The id of the run that stands, and what is wrong with it, as a reader sees it who knows nothing of okuo but the manifest."""
    night = f"{output}/as_of={NIGHT}"
    manifest = get(f"{night}/manifest.json")
    if manifest is None:
        return None, []
    manifest = json.loads(manifest)
    wrong = []
    for table in manifest["tables"].values():
        content = get(f"{night}/{table['path']}")
        if content is None:
            wrong.append(f"{table['path']} is missing")
        elif hashlib.sha256(content).hexdigest() != table["sha256"]:
            wrong.append(f"{table['path']} is another")
    return manifest["run_id"], wrong


class Reader(threading.Thread):
    """Looks every 20 ms until it is told to stop."""

    def __init__(self, output: str):
        super().__init__(daemon=True)
        self.output, self.stopped, self.looks, self.broken, self.runs = output, threading.Event(), 0, [], set()

    def run(self):
        while not self.stopped.wait(0.02):
            run, wrong = look(self.output)
            if run is not None:
                self.looks += 1
                self.runs.add(run)
                self.broken += wrong[:1]


class Store:
    """Simulated tickets, and the arguments of okuo's commands."""

    def __init__(self, okuo: str, folder: str):
        self.okuo, self.folder = okuo, pathlib.Path(folder)
        self.tickets = str(self.folder / "tickets.parquet")
        self.call("simulate", "-o", self.tickets, "--customers", "400", "--start", "2024-01-01", "--days", "200", "--seed", "5", "-q")

    def config(self, name: str, offers: str) -> str:
        path = self.folder / f"{name}.toml"
        path.write_text(f"[offers]\n{offers}\n")
        return str(path)

    def score(self, output: str, registry: str, config: str) -> list[str]:
        return [self.okuo, "score", "--config", config, "--input", self.tickets, "--as-of", NIGHT, "--registry", registry,
                "--output", f"s3://{BUCKET}/{output}", "--basket-share", "0.5", "--force", "-q"]

    def train(self, registry: str, *others: str) -> list[str]:
        return [self.okuo, "train", "--input", self.tickets, "--as-of", "2024-05-31", "--registry", registry, "--basket-share", "0.5", "--fast", "--promote", "always",
                "-q", *others]

    def call(self, *arguments: str) -> None:
        subprocess.run([self.okuo, *arguments], check=True, stdout=subprocess.DEVNULL)


def succeed(command: list[str]) -> bool:
    run = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        print(f"exit code {run.returncode}: {run.stderr}", file=sys.stderr)
    return run.returncode == 0


def publishers(store: Store, rounds: int) -> int:
    registry = str(store.folder / "models")
    subprocess.run(store.train(registry), check=True, stdout=subprocess.DEVNULL)
    configs = [store.config(f"publisher-{number}", f"control_share = 0.{number + 1:02}\nper_customer = {1 + number % 4}") for number in range(PUBLISHERS)]
    print("| round | night | runs published | looks | different runs seen | broken looks |\n|---|---|---|---|---|---|")
    failed = 0
    for number in range(rounds):
        # Two rounds to a night: one finds nothing, the other what the first left.
        output = f"race-{os.getpid()}-{number // 2}"
        reader = Reader(output)
        reader.start()
        order = random.Random(number).sample(configs, PUBLISHERS)
        running = [subprocess.Popen(store.score(output, registry, config), stdout=subprocess.DEVNULL) for config in order]
        ended = [run.wait() for run in running]
        time.sleep(0.5)
        reader.stopped.set()
        reader.join()
        failed += len(reader.broken) + sum(code != 0 for code in ended)
        for broken in reader.broken[:3]:
            print(f"round {number + 1}: {broken}", file=sys.stderr)
        print(f"| {number + 1} | {'fresh' if number % 2 == 0 else 'standing'} | {ended.count(0)} of {PUBLISHERS} | {reader.looks} | {len(reader.runs)} "
              f"| {len(reader.broken)} |", flush=True)
    return failed


def killed(command: list[str], after: float) -> bool:
    """Runs a command and kills it after some seconds; whether it was still at work."""
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        run.wait(after)
        return False
    except subprocess.TimeoutExpired:
        run.kill()
        run.wait()
        return True


def seconds_of(command: list[str]) -> float:
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def model_of(registry: str) -> tuple[str | None, list[str]]:
    """The SHA-256 of the promoted model's file, and what is wrong with it."""
    pointer = get(f"{registry}/latest.json")
    if pointer is None:
        return None, []
    identity = json.loads(pointer)["model_id"]
    model, card = get(f"{registry}/{identity}/model.okuo"), get(f"{registry}/{identity}/card.json")
    if model is None or card is None:
        return identity, ["the promoted model is not there"]
    return hashlib.sha256(model).hexdigest(), []


def kills(store: Store, count: int) -> int:
    prefix = f"kills-{os.getpid()}"
    local = str(store.folder / "models")
    subprocess.run(store.train(local), check=True, stdout=subprocess.DEVNULL)
    one, other = store.config("one", "per_customer = 2"), store.config("other", "per_customer = 3")
    place = f"s3://{BUCKET}/{prefix}"
    one_model, other_model = [], ["--seed", "2"]

    def score(output, config):
        return store.score(f"{prefix}/{output}", local, config)

    def train(registry, seed):
        return store.train(f"{place}/{registry}", *seed)

    seconds = {"score": seconds_of(score("quiet-one", one)), "train": seconds_of(train("quiet-one", one_model))}
    subprocess.run(score("quiet-other", other), check=True, stdout=subprocess.DEVNULL)
    subprocess.run(train("quiet-other", other_model), check=True, stdout=subprocess.DEVNULL)
    looks = {"score": look, "train": model_of}
    quiet = {job: [looks[job](f"{prefix}/quiet-{name}")[0] for name in ("one", "other")] for job in looks}
    assert all(one and other and one != other for one, other in quiet.values()), quiet
    commands = {"score": (score, one, other), "train": (train, one_model, other_model)}
    drawn, wrong_ones = random.Random(7), 0
    print("| killed | what stood | kills | former stands | new one stands | mixtures | runs after it that succeeded |\n|---|---|---|---|---|---|---|")
    for job, (command, first, second) in commands.items():
        for standing in (False, True):
            tally = {"kills": 0, "former": 0, "new": 0, "mixtures": 0, "again": 0}
            former = quiet[job][0] if standing else None
            new = quiet[job][1]
            number = 0
            while tally["kills"] < count // 4:
                number += 1
                name = f"{job}-{int(standing)}-{number}"
                if standing:
                    subprocess.run(command(name, first), check=True, stdout=subprocess.DEVNULL)
                # Half of them in the last third, where it writes.
                share = drawn.random() if number % 2 else 0.65 + 0.4 * drawn.random()
                if not killed(command(name, second), seconds[job] * share):
                    continue
                tally["kills"] += 1
                found, wrong = looks[job](f"{prefix}/{name}")
                is_mixture = bool(wrong) or found not in (former, new)
                tally["mixtures" if is_mixture else "new" if found == new else "former"] += 1
                again = succeed(command(name, second))
                found, wrong = looks[job](f"{prefix}/{name}")
                tally["again"] += again and not wrong and found == new
                if is_mixture:
                    print(f"{name}: {found} {wrong}", file=sys.stderr)
            wrong_ones += tally["mixtures"] + tally["kills"] - tally["again"]
            print(f"| `{job}` | {'another' if standing else 'nothing'} | {tally['kills']} | {tally['former']} | {tally['new']} | {tally['mixtures']} | {tally['again']} |",
                  flush=True)
    return wrong_ones


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["publishers", "kills"])
    parser.add_argument("okuo")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--kills", type=int, default=200)
    arguments = parser.parse_args()
    if not ENDPOINT or not BUCKET:
        parser.error("no S3 server: run it through .ci/s3")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(os.path.abspath(arguments.okuo), folder)
        wrong = publishers(store, arguments.rounds) if arguments.what == "publishers" else kills(store, arguments.kills)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
