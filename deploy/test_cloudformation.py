#!/usr/bin/env python3
"""Runs the state machines of cloudformation.yaml, as far as they are used there. Needs cfn-lint for its reader; run by .ci/test."""

import copy
import json
import pathlib
import re
import unittest

from cfnlint.decode import cfn_yaml

TEMPLATE = cfn_yaml.load(str(pathlib.Path(__file__).with_name("cloudformation.yaml")))
RESOURCES = TEMPLATE["Resources"]


class Failed(Exception):
    """An execution that ended with an error; its text is the error's name."""


class TaskError(Exception):
    """What a task ends with."""

    def __init__(self, name, cause=""):
        super().__init__(name)
        self.name, self.cause = name, cause


def definition(machine):
    """A state machine, each variable of which is replaced by its name."""
    text = RESOURCES[machine]["Properties"]["DefinitionString"]["Fn::Sub"]
    text = text if isinstance(text, str) else text[0]
    return json.loads(re.sub(r"\$\{([^}]+)\}", r"\1", text))


def at(path, data):
    for key in path.split(".")[1:]:
        data = data[key]
    return data


def filled(template, data):
    """Parameters, whose keys that end with .$ are paths, or the one function that is used."""
    if isinstance(template, list):
        return [filled(item, data) for item in template]
    if not isinstance(template, dict):
        return template
    result = {}
    for key, value in template.items():
        if not key.endswith(".$"):
            result[key] = filled(value, data)
        elif added := re.fullmatch(r"States\.MathAdd\((\S+), (\d+)\)", value):
            result[key[:-2]] = at(added[1], data) + int(added[2])
        else:
            result[key[:-2]] = at(value, data)
    return result


def holds(rule, data):
    if "Or" in rule:
        return any(holds(part, data) for part in rule["Or"])
    value = at(rule["Variable"], data)
    if "NumericGreaterThanEquals" in rule:
        return value >= rule["NumericGreaterThanEquals"]
    # Only the star is a wildcard there.
    return re.fullmatch(".*".join(map(re.escape, rule["StringMatches"].split("*"))), value, re.S) is not None


def matches(names, error):
    return error in names or "States.ALL" in names or ("States.TaskFailed" in names and error != "States.Timeout")


def run(machine, data, task):
    """Runs it; `task` is called with the parameters of each try. Returns the seconds that it waited."""
    states, waited, data = machine["States"], 0, copy.deepcopy(data)
    name = machine["StartAt"]
    tries = {}
    while True:
        state = states[name]
        kind = state["Type"]
        if kind == "Fail":
            raise Failed(at(state["ErrorPath"], data))
        if kind == "Choice":
            name = next((rule["Next"] for rule in state["Choices"] if holds(rule, data)), state["Default"])
            continue
        if kind == "Wait":
            waited += state["Seconds"]
        elif kind == "Pass" and "Result" in state:
            data[state["ResultPath"].removeprefix("$.")] = state["Result"]
        elif kind == "Pass":
            data = filled(state["Parameters"], data)
        elif kind == "Task":
            try:
                task(filled(state["Parameters"], data))
            except TaskError as error:
                index, retry = next(((i, it) for i, it in enumerate(state.get("Retry", [])) if matches(it["ErrorEquals"], error.name)), (0, None))
                done = tries.get(index, 0)
                if retry and done < retry["MaxAttempts"]:
                    tries[index] = done + 1
                    waited += retry["IntervalSeconds"] * retry["BackoffRate"] ** done
                    continue
                catch = next((it for it in state.get("Catch", []) if matches(it["ErrorEquals"], error.name)), None)
                if not catch:
                    raise Failed(error.name) from error
                data[catch["ResultPath"].removeprefix("$.")] = {"Error": error.name, "Cause": error.cause}
                name = catch["Next"]
                continue
        else:
            raise AssertionError(kind)
        if state.get("End"):
            return waited
        name = state["Next"]


class Ending:
    """A task that ends with one error after another, and then well."""

    def __init__(self, *errors):
        self.errors, self.seen = list(errors), []

    def __call__(self, parameters):
        self.seen.append(parameters)
        if self.errors:
            raise self.errors.pop(0)


def exit_code(code):
    containers = [{"ContainerArn": "arn", "ExitCode": code, "LastStatus": "STOPPED"}]
    return TaskError("States.TaskFailed", json.dumps({"Containers": containers, "Cpu": "1"}, separators=(",", ":")))


class StateMachines(unittest.TestCase):
    EVENT = {"command": "score", "at": "2017-11-08T05:00:00Z"}
    TASK = {"role": "arn:role", "command": ["train", "--at", "2017-11-01T03:00:00Z", "--json"]}

    def test_a_night_on_lambda_waits_for_its_tickets(self):
        task = Ending(*[TaskError("Okuo.NoData")] * 10)
        self.assertEqual(run(definition("Night"), self.EVENT, task), 5 * 3600)
        # Each try is the same night.
        self.assertEqual([it["Payload"] for it in task.seen], [self.EVENT] * 11)
        with self.assertRaisesRegex(Failed, "Okuo.NoData"):
            run(definition("Night"), self.EVENT, Ending(*[TaskError("Okuo.NoData")] * 11))

    def test_what_may_pass_is_tried_again_on_lambda(self):
        for name in ("Okuo.System", "Okuo.Conflict", "Lambda.TooManyRequestsException", "Runtime.ExitError"):
            run(definition("Night"), self.EVENT, Ending(*[TaskError(name)] * 4))
            with self.subTest(name), self.assertRaisesRegex(Failed, name):
                run(definition("Night"), self.EVENT, Ending(*[TaskError(name)] * 5))

    def test_what_does_not_pass_is_not_tried_again_on_lambda(self):
        for name in ("Okuo.Request", "Okuo.Input", "Okuo.NotFound", "Okuo.Guard", "Okuo.Deadline"):
            task = Ending(TaskError(name))
            with self.subTest(name), self.assertRaisesRegex(Failed, name):
                run(definition("Night"), self.EVENT, task)
            self.assertEqual(len(task.seen), 1)

    def test_what_may_pass_is_tried_again_on_fargate(self):
        for error in (exit_code(2), exit_code(4), exit_code(137), exit_code(13), TaskError("ECS.ServerException", "no task")):
            task = Ending(*[copy.copy(error)] * 10)
            self.assertEqual(run(definition("Run"), self.TASK, task), 5 * 3600)
            for seen in task.seen:
                self.assertEqual(seen["Overrides"]["TaskRoleArn"], "arn:role")
                self.assertEqual(seen["Overrides"]["ContainerOverrides"], [{"Name": "okuo", "Command": self.TASK["command"]}])
            with self.subTest(error), self.assertRaises(Failed):
                run(definition("Run"), self.TASK, Ending(*[copy.copy(error)] * 11))

    def test_what_does_not_pass_is_not_tried_again_on_fargate(self):
        for error in (exit_code(1), exit_code(3), TaskError("States.Timeout")):
            task = Ending(error)
            with self.subTest(error), self.assertRaises(Failed):
                run(definition("Run"), self.TASK, task)
            self.assertEqual(len(task.seen), 1)


class Template(unittest.TestCase):
    def allowed(self, *policies):
        """Actions with the parts of the bucket that they are allowed for."""
        statements = [s for policy in policies for s in RESOURCES[policy]["Properties"]["PolicyDocument"]["Statement"]]
        return {
            (action, place.get("Fn::Sub", "").removeprefix("${Bucket.Arn}/").rstrip("*"))
            for statement in statements
            for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
            for place in (statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]])
        }

    def test_a_score_writes_no_model_and_a_training_no_night(self):
        score, train = self.allowed("ReadPolicy", "ScorePolicy"), self.allowed("ReadPolicy", "TrainPolicy")
        self.assertIn(("s3:PutObject", "nightly/"), score)
        self.assertNotIn(("s3:PutObject", "models/"), score)
        self.assertIn(("s3:PutObject", "models/"), train)
        self.assertFalse([place for _, place in train if place.startswith("nightly")])
        for name, policies in (("FunctionRole", {"ReadPolicy", "ScorePolicy"}), ("ScoreRole", {"ReadPolicy", "ScorePolicy"}), ("TrainRole", {"ReadPolicy", "TrainPolicy"})):
            managed = {it["Ref"] for it in RESOURCES[name]["Properties"]["ManagedPolicyArns"] if "Ref" in it}
            self.assertEqual(managed, policies)

    def test_each_command_has_its_role(self):
        for schedule, role, command in (("NightOnFargate", "ScoreRole", "score"), ("MonthOnFargate", "TrainRole", "train")):
            given = json.loads(RESOURCES[schedule]["Properties"]["Target"]["Input"]["Fn::Sub"])
            self.assertEqual((given["role"], given["command"][0]), (f"${{{role}.Arn}}", command))

    def test_function_and_task_read_the_same_settings(self):
        function = set(RESOURCES["Function"]["Properties"]["Environment"]["Variables"])
        listed = RESOURCES["Task"]["Properties"]["ContainerDefinitions"][0]["Environment"]
        task = {(it["Fn::If"][1] if "Fn::If" in it else it)["Name"] for it in listed}
        self.assertEqual(function, task)
        self.assertIn("OKUO_CONFIG", task)


if __name__ == "__main__":
    unittest.main()
