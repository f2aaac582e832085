"""okuo on Airflow: a model every month, predictions and offers every night.

The worker has the program okuo, okuo.toml (OKUO_CONFIG names it) and credentials. The time that a run is due is Airflow's, not the clock's, so
a run that is cleared scores the same night again.
"""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

# Exit codes of okuo (docs/reference/exit-codes.md) that a retry does not change: 1, the request or the input is wrong; 3, a guard stopped it.
# 2 (okuo or its surroundings failed) and 4 (no data yet) are tried again.
FINAL = {1: "the request or the input is wrong", 3: "a guard stopped it"}

DEFAULTS = {
    "retries": 6,
    "retry_delay": timedelta(minutes=10),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(hours=1),
}


def run_okuo(arguments: list[str]) -> None:
    """Runs okuo, whose messages go to the task's log, and fails as its exit code says."""
    code = subprocess.run(["okuo", *arguments], check=False).returncode
    if code in FINAL:
        raise AirflowFailException(f"okuo {arguments[0]} ended with exit code {code}: {FINAL[code]}")
    if code != 0:
        raise AirflowException(f"okuo {arguments[0]} ended with exit code {code}, which may pass")


@task
def okuo(command: str, due: str) -> None:
    """`due` is when the run is due: okuo speaks from the last day that is over in the store then."""
    run_okuo([command, "--at", due])


# Hours of UTC: set them to when the store's tickets have arrived. Which day is over is a matter of time_zone in okuo.toml.
# The runs of a day that was missed are made by `okuo score --from --to`, which is quicker than a run of Airflow for each.
@dag(schedule="0 5 * * *", start_date=datetime(2025, 1, 1, tzinfo=timezone.utc), catchup=False, max_active_runs=1, default_args=DEFAULTS, tags=["okuo"])
def okuo_nightly():
    okuo.override(task_id="score", execution_timeout=timedelta(hours=4))("score", "{{ data_interval_end | ts }}")


@dag(schedule="0 3 1 * *", start_date=datetime(2025, 1, 1, tzinfo=timezone.utc), catchup=False, max_active_runs=1, default_args=DEFAULTS, tags=["okuo"])
def okuo_monthly():
    okuo.override(task_id="train", execution_timeout=timedelta(hours=12))("train", "{{ data_interval_end | ts }}")


okuo_nightly()
okuo_monthly()
