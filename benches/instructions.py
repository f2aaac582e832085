#!/usr/bin/env python3
"""Counts the instructions of okuo's three hottest functions with valgrind, so that a regression shows on a noisy machine too.

    python3 benches/instructions.py [--record] [--allow PERCENT]

Prints each count beside the recorded one (benches/runs/instructions.json). --record writes it; --allow fails where a count is more than so many
percent above it. Counts differ by a percent or so between compilers and C libraries: record and compare on one machine.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys

FUNCTIONS = ("ingest", "boosting", "features")
HERE = pathlib.Path(__file__).resolve().parent
RECORDED = HERE / "runs" / "instructions.json"


def executable():
    """The bench as cargo builds it."""
    command = ["cargo", "bench", "--locked", "--bench", "instructions", "--no-run", "--message-format", "json"]
    messages = subprocess.run(command, cwd=HERE.parent, check=True, stdout=subprocess.PIPE, text=True).stdout
    built = [json.loads(line) for line in messages.splitlines() if line.startswith("{")]
    found = [one["executable"] for one in built if one.get("target", {}).get("name") == "instructions" and one.get("executable")]
    return found[-1]


def count(program, function):
    """Instructions within the function, on whichever thread they run."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--collect-atstart=no",
               f"--toggle-collect=*hot_{function}*", program, function]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not collected:
        sys.exit(f"valgrind failed ({done.returncode}):\n{done.stderr}")
    return int(collected.group(1))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--record", action="store_true")
    arguments.add_argument("--allow", type=float)
    options = arguments.parse_args()
    program = executable()
    before = json.loads(RECORDED.read_text())["instructions"] if RECORDED.exists() else {}
    now, worse = {}, []
    for function in FUNCTIONS:
        now[function] = count(program, function)
        change = 100 * (now[function] / before[function] - 1) if before.get(function) else 0.0
        print(f"{function:10} {now[function]:>15,} instructions   {change:+.2f} % against the recorded count")
        if options.allow is not None and change > options.allow:
            worse.append(function)
    if options.record:
        version = subprocess.run(["rustc", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], check=True, stdout=subprocess.PIPE, text=True, cwd=HERE).stdout.strip()
        RECORDED.parent.mkdir(exist_ok=True)
        RECORDED.write_text(json.dumps({"rustc": version, "commit": commit, "instructions": now}, indent=1) + "\n")
    if worse:
        sys.exit(f"more than {options.allow} % above the recorded count: {', '.join(worse)}")


if __name__ == "__main__":
    main()
