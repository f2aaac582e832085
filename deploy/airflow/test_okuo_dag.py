#!/usr/bin/env python3
"""Tests okuo_dag.py with the Airflow that is installed. Needs a folder of its own in AIRFLOW_HOME; run by .ci/test."""

import importlib.util
import os
import pathlib
import stat
import tempfile
import unittest

from airflow.sdk.exceptions import AirflowException, AirflowFailException

FILE = pathlib.Path(__file__).with_name("okuo_dag.py")
specification = importlib.util.spec_from_file_location("okuo_dag", FILE)
okuo_dag = importlib.util.module_from_spec(specification)
specification.loader.exec_module(okuo_dag)


class OkuoDag(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.told = pathlib.Path(folder.name, "told")
        program = pathlib.Path(folder.name, "okuo")
        program.write_text(f'#!/bin/sh\necho "$@" >{self.told}\nexit "$CODE"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        before = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", before)
        os.environ["PATH"] = f"{folder.name}:{before}"

    def run_okuo(self, code):
        os.environ["CODE"] = str(code)
        okuo_dag.run_okuo(["score", "--at", "2017-11-08T05:00:00+00:00"])

    def test_it_is_done(self):
        self.run_okuo(0)
        self.assertEqual(self.told.read_text(), "score --at 2017-11-08T05:00:00+00:00\n")

    def test_what_may_pass_is_tried_again(self):
        for code in (2, 4, 143):
            with self.subTest(code), self.assertRaises(AirflowException) as raised:
                self.run_okuo(code)
            self.assertNotIsInstance(raised.exception, AirflowFailException)

    def test_what_does_not_pass_is_not_tried_again(self):
        for code in (1, 3):
            with self.subTest(code), self.assertRaises(AirflowFailException):
                self.run_okuo(code)

    def test_both_dags_run_one_command_with_the_time_of_the_schedule(self):
        for dag_function, name, command in (
            (okuo_dag.okuo_nightly, "score", "score"),
            (okuo_dag.okuo_monthly, "train", "train"),
        ):
            dag = dag_function()
            (task,) = dag.tasks
            self.assertEqual(task.task_id, name)
            self.assertEqual(task.op_args, (command, "{{ data_interval_end | ts }}"))
            self.assertEqual(task.retries, 6)
            self.assertFalse(dag.catchup)
            self.assertIn("op_args", task.template_fields)


if __name__ == "__main__":
    unittest.main()
