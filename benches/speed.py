#!/usr/bin/env python3
"""How fast and how small is okuo beside its Python peer and a bare polars scan?

    python3 benches/speed.py --okuo target/release/okuo --lines x1=cj.parquet --lines x20=cj20.parquet --lines x100=cj100.parquet \\
        --python venv/bin/python --peer python_peer.py --output benches/runs/NAME.json [--runs 3] [--only train-x1,score-x1,...] [--work DIR]

Measures whole processes and prints a Markdown table of medians; --output keeps every raw run with the machine, the commit of the folder,
the binary's SHA-256 and the data. Cases: train-x1, score-x1, train-x20, score-x20, train-x100, score-x100, each if its data is given; x20
and x100 are x1 with every customer 20 and 100 times. Scoring uses the model of the smallest data. The Python peer runs where it is asked
to (--peer-on). Needs Python 3.11 alone; --python is that of the peer, with polars.
"""
import argparse
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import platform
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SIZES = ["x1", "x20", "x100"]
CASES = ["train-x1", "score-x1", "train-x20", "score-x20", "train-x100", "score-x100"]
FIGURES = {"wall_seconds": "wall s", "cpu_seconds": "CPU s", "megabytes": "MB"}
OKUO, ONE_THREAD, LIMITED, PEER, DISTINCT, SCAN = (
    "okuo", "okuo --threads 1", "okuo --memory-limit 1GB", "Python peer", "polars scan + distinct", "polars scan")
POLARS = "import sys, polars; polars.scan_parquet(sys.argv[1]).select(sys.argv[2:]){}.collect(engine='streaming')"
COUNT = "import sys, polars; [print(polars.scan_parquet(name).select(polars.len()).collect().item()) for name in sys.argv[1:]]"
VERSIONS = ("import json, platform; from importlib.metadata import distributions; print(json.dumps({'python': platform.python_version()} | "
            "{d.name: d.version for d in distributions() if d.name in ('polars', 'pandas', 'numpy', 'scikit-learn', 'lightgbm')}))")


@dataclasses.dataclass
class Contender:
    name: str
    command: list[str]
    result: pathlib.Path | None = None  # removed before each run, so that all runs find the same folder
    runs: list[dict] = dataclasses.field(default_factory=list)

    def median(self, figure: str) -> float:
        return statistics.median(run[figure] for run in self.runs)


class Bench:
    def __init__(self, arguments: argparse.Namespace, scratch: pathlib.Path):
        self.arguments, self.scratch = arguments, scratch
        # No configuration but the arguments: no OKUO_ variables, no okuo.toml of the current folder; and nothing written beside the peer.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("OKUO_")} | {"PYTHONDONTWRITEBYTECODE": "1"}
        arguments.okuo = shutil.copy2(arguments.okuo, str(scratch / "okuo"))  # one binary throughout, whatever is built meanwhile
        self.limit_offered = "--memory-limit" in self.output_of([arguments.okuo, "score", "--help"])

    def output_of(self, command: list[str]) -> str:
        done = subprocess.run(command, cwd=self.scratch, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            fail(command, done.returncode, done.stderr)
        return done.stdout

    def measure(self, contender: Contender) -> dict:
        """One run. Not by hyperfine, which gives no memory: wait4 gives wall, CPU and peak memory of the same run, of that very process and
        those that it waited for. The kernel counts this script's own peak (about 20 MB, in the output) before exec, so no figure is below."""
        if contender.result and contender.result.is_dir():
            shutil.rmtree(contender.result)
        load = os.getloadavg()[0]
        with open(self.scratch / "stderr", "w+", errors="replace") as stderr:
            start = time.perf_counter()
            process = subprocess.Popen(contender.command, cwd=self.scratch, env=self.environment, stdout=subprocess.DEVNULL, stderr=stderr)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                stderr.seek(0)
                fail(contender.command, process.returncode, stderr.read())
        return {"wall_seconds": round(wall, 4), "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 4),
                "megabytes": round(usage.ru_maxrss * 1024 / 1e6, 2), "load_before": round(load, 2)}

    def okuo(self, verb: str, size: str, *more: str) -> list[str]:
        given = self.arguments
        rest = (["--registry", str(self.registry(size)), "--as-of", given.train_as_of, "--promote", "always"] if verb == "train" else
                ["--registry", str(self.registry(given.smallest)), "--as-of", given.score_as_of, "--output", str(self.scratch / "okuo-output")])
        return [given.okuo, verb, "--input", given.lines[size], "--customer", given.customer, "--product", given.product, "--time", given.time,
                "--quantity", given.quantity, "--time-zone", given.zone, "--utc", "--basket-share", given.basket_share, *rest, "-q", *more]

    def peer(self, verb: str, size: str) -> list[str]:
        given = self.arguments
        rest = ["--as-of", given.train_as_of] if verb == "train" else ["--as-of", given.score_as_of, "--output", str(self.scratch / "peer-output")]
        model = str(self.peer_model(size if verb == "train" else given.smallest))
        return [given.python, given.peer, verb, "--lines", given.lines[size], "--model", model, "--customer", given.customer,
                "--product", given.product, "--time", given.time, "--zone", given.zone, "--quantity", given.quantity,
                "--basket-share", given.basket_share, *rest]

    def registry(self, size: str) -> pathlib.Path:
        return self.scratch / f"registry-{size}"

    def peer_model(self, size: str) -> pathlib.Path:
        return self.scratch / f"peer-model-{size}"

    def contenders(self, case: str) -> list[Contender]:
        (verb, size), given = case.split("-"), self.arguments
        result = self.registry(size) if verb == "train" else self.scratch / "okuo-output"
        found = [Contender(OKUO, self.okuo(verb, size), result)]
        if case in given.peer_on:
            found.append(Contender(PEER, self.peer(verb, size), self.scratch / "peer-output"))
        if verb == "score":
            found += [Contender(name, [given.python, "-c", POLARS.format(operation), given.lines[size], given.customer, given.product, given.time])
                      for name, operation in ((DISTINCT, ".unique()"), (SCAN, ""))]
        if case in ("train-x1", "score-x1", "score-x20", "score-x100"):
            found.append(Contender(ONE_THREAD, self.okuo(verb, size, "--threads", "1"), result))
        if case == "score-x100" and self.limit_offered:
            found.append(Contender(LIMITED, self.okuo(verb, size, "--memory-limit", "1GB"), result))
        return found

    def prepare(self, case: str) -> None:
        """What is not to be measured: the models to score with, if no case has trained them, and cold disks."""
        verb, size = case.split("-")
        smallest = self.arguments.smallest
        if verb == "score" and not self.registry(smallest).exists():
            self.output_of(self.okuo("train", smallest))
        if verb == "score" and case in self.arguments.peer_on and not self.peer_model(smallest).exists():
            self.output_of(self.peer("train", smallest))
        if case in self.arguments.peer_on:
            self.output_of([self.arguments.python, self.arguments.peer, "--help"])  # imports all its libraries
        with open(self.arguments.lines[size], "rb") as lines:
            while lines.read(1 << 20):
                pass

    def run(self, case: str) -> list[Contender]:
        self.prepare(case)
        contenders = self.contenders(case)
        for number in range(1, self.arguments.runs + 1):
            for contender in contenders:  # in turn, so that a noisy machine hits all alike
                run = self.measure(contender)
                contender.runs.append(run)
                say(f"{case}, run {number}: {contender.name} {run['wall_seconds']:.2f} s, CPU {run['cpu_seconds']:.2f} s, {run['megabytes']:.0f} MB")
        return contenders

    def startup(self) -> dict:
        """Mean milliseconds of `okuo --help`."""
        if shutil.which("hyperfine"):
            report = self.scratch / "startup.json"
            self.output_of(["hyperfine", "-N", "--warmup", "3", "--export-json", str(report), f"{shlex.quote(self.arguments.okuo)} --help"])
            return {"milliseconds": round(json.loads(report.read_text())["results"][0]["mean"] * 1000, 2), "by": "hyperfine"}
        walls = [self.measure(Contender("help", [self.arguments.okuo, "--help"]))["wall_seconds"] for _ in range(20)]
        return {"milliseconds": round(statistics.mean(walls) * 1000, 2), "by": "20 runs"}

    def provenance(self) -> dict:
        given, here = self.arguments, pathlib.Path(__file__).resolve().parent
        processors = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        rows = self.output_of([given.python, "-c", COUNT, *given.lines.values()]).split()
        with open(given.okuo, "rb") as binary:
            digest = hashlib.file_digest(binary, "sha256").hexdigest()
        return {
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "commit": self.output_of(["git", "-C", str(here), "rev-parse", "HEAD"]).strip(),
            "dirty": bool(self.output_of(["git", "-C", str(here), "status", "--porcelain"]).strip()),
            "okuo": {"version": self.output_of([given.okuo, "--version"]).strip(), "bytes": os.path.getsize(given.okuo), "sha256": digest},
            "python": json.loads(self.output_of([given.python, "-c", VERSIONS])),
            "machine": {"cpu": processors[0] if processors else platform.machine(), "cores": len(os.sched_getaffinity(0)),
                        "memory_megabytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6, "kernel": platform.release()},
            "data": [{"size": size, "name": pathlib.Path(name).name, "bytes": os.path.getsize(name), "rows": int(count)}
                     for (size, name), count in zip(given.lines.items(), rows)],
        }


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def fail(command: list[str], code: int, stderr: str) -> None:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    sys.exit(f"error: {shlex.join(command)} {how}\n{stderr.strip()}")


def table(cases: dict[str, list[Contender]]) -> str:
    ratios = " | ".join(f"to {name}: wall, CPU, MB" for name in (PEER, DISTINCT))
    lines = [f"| case | contender | {' | '.join(FIGURES.values())} | {ratios} |", "|---|---|---|---|---|---|---|"]
    for case, contenders in cases.items():
        beside = {contender.name: contender for contender in contenders if contender.name in (PEER, DISTINCT)}
        for contender in contenders:
            cells = [f"{contender.median(figure):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})" for figure, digits in
                     zip(FIGURES, (2, 2, 0)) if (values := [run[figure] for run in contender.runs])]
            for name in (PEER, DISTINCT):
                cells.append(", ".join(f"{contender.median(figure) / beside[name].median(figure):.3f}" for figure in FIGURES) if name in beside else "")
            lines.append(f"| {case} | {contender.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def derive(cases: dict[str, list[Contender]]) -> dict[str, float]:
    """The ratios that we make claims about, of medians."""
    ratios: dict[str, float] = {}
    found = {(case, contender.name): contender for case, contenders in cases.items() for contender in contenders}

    def ratio(what: str, figure: str, over: tuple[str, str], under: tuple[str, str]) -> None:
        if over in found and under in found:
            ratios[f"{what}, {FIGURES[figure]}"] = round(found[over].median(figure) / found[under].median(figure), 4)

    for figure in ("wall_seconds", "megabytes"):
        for verb in ("train", "score"):
            ratio(f"{verb}-x100 to {verb}-x20", figure, (f"{verb}-x100", OKUO), (f"{verb}-x20", OKUO))
    for case in CASES:
        ratio(f"{case}: one thread to {len(os.sched_getaffinity(0))}", "wall_seconds", (case, ONE_THREAD), (case, OKUO))
        for figure in FIGURES:
            ratio(f"{case}: okuo to the Python peer", figure, (case, OKUO), (case, PEER))
        ratio(f"{case}: okuo to polars scan + distinct", "wall_seconds", (case, OKUO), (case, DISTINCT))
    return ratios


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("okuo", "python", "peer"):
        parser.add_argument(f"--{name}", required=True, metavar="FILE")
    parser.add_argument("--lines", required=True, action="append", metavar="SIZE=FILE")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", metavar="CASE,CASE", help=", ".join(CASES))
    parser.add_argument("--peer-on", metavar="CASE,CASE", default="train-x1,score-x1,score-x20",
                        help="where the Python peer runs: training takes it long, and much memory [default: %(default)s]")
    parser.add_argument("--work", metavar="DIR", help="where the scratch folder is made, and removed at the end")
    parser.add_argument("--output", metavar="FILE")
    for name, value in {"customer": "household_id", "product": "product_id", "time": "transaction_timestamp", "quantity": "quantity",
                        "zone": "America/New_York", "basket-share": "0.5", "train-as-of": "2017-10-31", "score-as-of": "2017-11-07"}.items():
        parser.add_argument(f"--{name}", default=value, help=f"[default: {value}]")
    given = parser.parse_args()
    if given.runs < 1:
        parser.error(f"--runs should be at least 1, but is {given.runs}")
    lines = dict(line.partition("=")[::2] for line in given.lines)
    if unknown := set(lines) - set(SIZES):
        parser.error(f"--lines should name a size of {', '.join(SIZES)} (as in x1=FILE), but names {', '.join(sorted(unknown))}")
    given.only = given.only.split(",") if given.only else [case for case in CASES if case.split("-")[1] in lines]
    given.peer_on = given.peer_on.split(",")
    if unknown := set(given.peer_on) - set(CASES):
        parser.error(f"--peer-on should name cases of {', '.join(CASES)}, but names {', '.join(sorted(unknown))}")
    for case in given.only:
        if case not in CASES or case.split("-")[1] not in lines:
            parser.error(f"--only {case}: " + ("its data is not given" if case in CASES else f"the cases are {', '.join(CASES)}"))
    given.python = shutil.which(given.python) or given.python
    # Absolute, since the children run elsewhere; not resolved, since a virtual environment's python is a link.
    given.okuo, given.python, given.peer = (os.path.abspath(name) for name in (given.okuo, given.python, given.peer))
    given.lines = {size: os.path.abspath(lines[size]) for size in SIZES if size in lines}
    given.smallest = next(iter(given.lines))
    for name in (given.okuo, given.python, given.peer, *given.lines.values()):
        if not os.path.isfile(name):
            parser.error(f"there is no file {name}")
    return given


def main() -> None:
    given = read_arguments()
    if given.work:
        os.makedirs(given.work, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="okuo-speed-", dir=given.work and os.path.abspath(given.work)) as scratch:
        bench = Bench(given, pathlib.Path(scratch))
        report = bench.provenance() | {"startup": bench.startup()}
        if "score-x100" in given.only and not bench.limit_offered:
            say("okuo score has no --memory-limit: left out")
        cases = {case: bench.run(case) for case in CASES if case in given.only}
    report |= {"floor_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 2), "derived": derive(cases), "cases": [
        {"case": case, "contender": contender.name, "command": shlex.join(contender.command).replace(scratch, "SCRATCH"),
         "median": {figure: contender.median(figure) for figure in FIGURES}, "runs": contender.runs}
        for case, contenders in cases.items() for contender in contenders]}
    if given.output:
        os.makedirs(os.path.dirname(os.path.abspath(given.output)), exist_ok=True)
        pathlib.Path(given.output).write_text(json.dumps(report, indent=1) + "\n")
    machine, okuo = report["machine"], report["okuo"]
    load = max(run["load_before"] for contenders in cases.values() for contender in contenders for run in contender.runs)
    print(f"{okuo['version']}, {report['commit'][:10]}{' with changes' if report['dirty'] else ''}, {okuo['bytes'] / 1e6:.1f} MB, on {machine['cpu']}, "
          f"{machine['cores']} cores, {machine['memory_megabytes'] / 1000:.0f} GB, {report['date']}; median (lowest–highest) of "
          f"{given.runs} runs, load average before a run up to {load}\n")
    print(f"{table(cases)}\n\npolars scan + distinct only reads.\n")
    print(f"- okuo --help: {report['startup']['milliseconds']} ms ({report['startup']['by']})")
    for name, ratio in report["derived"].items():
        print(f"- {name}: × {ratio:.3f}")


if __name__ == "__main__":
    main()
