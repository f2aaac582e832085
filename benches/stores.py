#!/usr/bin/env python3
"""Is okuo at least as good as the best baseline in stores of every kind?

    benches/stores.py target/release/okuo

Simulates a store of each style, and a short history of one, evaluates its last two months and prints a Markdown table; exit code 1 if a baseline is better beyond the
bootstrap's doubt (its 95 % interval of the difference excludes 0). Needs Python 3 alone.
"""
import json
import subprocess
import sys
import tempfile

# What the rule has to ask for so that the store has recurrent customers: a corner store's baskets are small, a sparse one's visits rare.
STORES = {
    "grocery": ["--basket-share", "0.5"],
    "dense": ["--min-products", "3", "--basket-share", "0.5"],
    "sparse": ["--min-purchases", "1", "--min-products", "1"],
    "seasonal": ["--basket-share", "0.5"],
    "drifting": ["--basket-share", "0.5"],
    "promotions": ["--basket-share", "0.5"],
    "short": ["--basket-share", "0.5", "--periods", "2"],
}

# A short history is that of a grocery of 149 days, whose fourth month is held out: 28 days follow.
STYLES = {"short": "grocery"}
DAYS = {"short": "149"}


def held_out(style: str) -> list[str]:
    months = ["2024-04"] if style == "short" else ["2024-11", "2024-12"]
    return [argument for month in months for argument in ("--holdout", month)]


def main(okuo: str) -> int:
    worse = 0
    print("| store | rows | figure | okuo | best baseline | difference (95 % interval) | |\n|---|---|---|---|---|---|---|")
    for style, rule in STORES.items():
        with tempfile.TemporaryDirectory() as folder:
            tickets = f"{folder}/tickets.parquet"
            subprocess.run([okuo, "simulate", "-o", tickets, "--style", STYLES.get(style, style), "--customers", "800", "--days", DAYS.get(style, "366"), "--seed", "11", "-q"],
                           check=True, stdout=subprocess.DEVNULL)
            run = subprocess.run([okuo, "eval", "--input", tickets, *held_out(style), "--json", "-q", *rule],
                                 check=True, stdout=subprocess.PIPE)
        okuo_row, *others = json.loads(run.stdout)["evaluation"]["contenders"]
        figures = {contender["name"]: contender["figures"] for contender in [okuo_row, *others]}
        for difference in okuo_row["differences"]:
            figure, other = difference["figure"], difference["to"]
            if figure not in ("mae_all", "ndcg@10"):
                continue
            worse += difference["verdict"] == "worse"
            print(f"| {style} | {okuo_row['figures']['rows']} | {figure} | {okuo_row['figures'][figure]:.4f} | {figures[other][figure]:.4f} ({other}) "
                  f"| {difference['difference']:+.4f} ({difference['low']:+.4f} … {difference['high']:+.4f}) | {difference['verdict']} |", flush=True)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
