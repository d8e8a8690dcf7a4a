# SPDX-License-Identifier: GPL-2.0-or-later
"""Check QMP answers and events against the result of query-qmp-schema."""

from typing import Any

from waiting import TestFailure

JSON_TYPES = {"string": str, "boolean": bool, "object": dict, "array": list}


class Schema:
    """The entries of query-qmp-schema by class and name."""

    def __init__(self, entries: list[dict]) -> None:
        self.commands = {e["name"]: e for e in entries if e["meta-type"] == "command"}
        self.events = {e["name"]: e for e in entries if e["meta-type"] == "event"}
        self.types = {e["name"]: e for e in entries if e["meta-type"] not in ("command", "event")}

    def check_result(self, command: str, value: Any) -> None:
        """Fail unless the value is a result of the command."""
        entry = self.commands.get(command)
        if entry is None:
            raise TestFailure(f"schema: command {command} succeeded but is not in the schema")
        self._raise(command, self._problem(entry["ret-type"], value, "return"), value)

    def check_event(self, message: dict) -> None:
        """Fail unless the message is an event of the schema."""
        name = message["event"]
        if name not in self.events:
            raise TestFailure(f"schema: event {name} is not in the schema")
        data = message.get("data", {})
        self._raise(name, self._problem(self.events[name]["arg-type"], data, "data"), data)
        if not isinstance(message.get("timestamp", {}).get("seconds"), int):
            raise TestFailure(f"schema: event {name} has no timestamp")

    @staticmethod
    def _raise(what: str, problem: str, value: Any) -> None:
        if problem:
            raise TestFailure(f"schema: {what}: {problem}: {str(value)[:500]}")

    def _problem(self, name: str, value: Any, path: str) -> str:
        """Return the reason why a value does not have a type; empty if it has the type."""
        entry = self.types[name]
        meta = entry["meta-type"]
        if meta == "builtin":
            return self._builtin_problem(entry["json-type"], value, path)
        if meta == "enum":
            names = [m["name"] for m in entry["members"]]
            return "" if value in names else f"{path} is {value!r}, which is not in {name}"
        if meta == "array":
            if not isinstance(value, list):
                return f"{path} is not an array"
            problems = (self._problem(entry["element-type"], v, f"{path}[{i}]")
                        for i, v in enumerate(value))
            return next((p for p in problems if p), "")
        if meta == "alternate":
            problems = [self._problem(m["type"], value, path) for m in entry["members"]]
            return "" if "" in problems else f"{path} is not of type {name}"
        return self._object_problem(entry, value, path)

    @staticmethod
    def _builtin_problem(kind: str, value: Any, path: str) -> str:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if kind == "value":
            fine = True
        elif kind == "null":
            fine = value is None
        elif kind == "number":
            fine = number
        elif kind == "int":
            fine = number and isinstance(value, int)
        else:
            fine = isinstance(value, JSON_TYPES[kind])
        return "" if fine else f"{path} is {value!r}, expected: {kind}"

    def _members(self, entry: dict, value: dict) -> dict[str, dict]:
        """Return the members of an object of this type, including those that its tag selects."""
        members = {m["name"]: m for m in entry["members"]}
        tag = value.get(entry.get("tag"))
        for variant in entry.get("variants", []):
            if variant["case"] == tag:
                members.update({m["name"]: m for m in self.types[variant["type"]]["members"]})
        return members

    def _object_problem(self, entry: dict, value: Any, path: str) -> str:
        if not isinstance(value, dict):
            return f"{path} is not an object"
        members = self._members(entry, value)
        for key, inner in value.items():
            if key not in members:
                return f"{path}.{key} is not a member of {entry['name']}"
            problem = self._problem(members[key]["type"], inner, f"{path}.{key}")
            if problem:
                return problem
        missing = [m for m, e in members.items() if "default" not in e and m not in value]
        return f"{path}.{missing[0]} is missing" if missing else ""
