#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""All documented options work: start the emulator with each form of each option.

The emulator lists the forms (`-show options=json`): each option, each type of back end, each key
and each value of a key with a fixed set of values. Every form requires a check in options/*.py that
starts the emulator and observes an effect, or a row in the table of forms without effect. The test
fails for a form without a check, and for a check without a form. A new option, key or value
therefore requires a check. Properties of devices, CPUs and machines are checked by generic rules.
-help and docs/reference/options.md must list the same options.
"""

import concurrent.futures
import json
import os
import re
import resource
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "options"))
sys.path.insert(0, str(HERE.parent / "lib"))

import walk                                     # noqa: E402
import actions                                  # noqa: E402,F401
import backends                                 # noqa: E402,F401
import devices                                  # noqa: E402
import disks                                    # noqa: E402,F401
import nbd                                      # noqa: E402,F401
import numa                                     # noqa: E402,F401
import process                                  # noqa: E402,F401
import qcow2                                    # noqa: E402,F401
import remote                                   # noqa: E402,F401
import throttle                                 # noqa: E402,F401
from compatibility import WITHOUT_EFFECT        # noqa: E402

GENERIC = ("device", "cpu", "M", "machine")


def key_forms(prefix: str, key: dict) -> list[str]:
    """Return the forms of one key."""
    fixed = {"bool": ["on", "off"], "onoffauto": ["on", "off", "auto"]}
    values = fixed.get(key.get("kind", ""), key.get("values", []))
    return [f"{prefix} {key['name']}={value}" for value in values or [""]]


def probed(option: str, kind: str, key: str) -> list[str]:
    """Return the values that the error message for an invalid value lists; an empty list if any
    text is accepted."""
    given = {"-chardev": f"{kind},id=x", "-netdev": f"{kind},id=x", "-drive": "id=x",
             "-blockdev": f"{kind},node-name=x"}[option]
    if option == "-chardev" and kind == "socket" and key == "wait":
        given += ",server=on"
    if option == "-chardev" and kind in ("file", "socket") and key not in ("path", "host"):
        given += f",path={devices.SCRATCH.name}/probe-{os.getpid()}-{key}"
    if option == "-drive" and key != "file":
        given += ",file=null-co://,format=raw"
    _, _, err = walk.run("-M", "virt", "-accel", "qtest", "-bios", "none", "-display", "none",
                         "-serial", "none", "-monitor", "none", "-qmp", "stdio", option,
                         f"{given},{key}=no-such-value",
                         text='{"execute":"qmp_capabilities"}{"execute":"quit"}',
                         cwd=devices.SCRATCH.name)      # the value may be used as a file name
    match = re.search(rf"{key}=no-such-value: use (?:one of )?"
                      r"((?:[\w-]+(?:, | and | or ))*[\w-]+)$", err.strip())
    return re.split(r", | and | or ", match[1]) if match else []


def forms_of(table: list[dict]) -> list[str]:
    """Return all forms that require a check, except those of GENERIC types."""
    forms = []
    for option in table:
        name = f"-{option['name']}"
        forms.append(name)
        for key in option.get("keys", []) + option.get("common", []):
            forms += key_forms(name, key)
        for kind in option.get("kinds", []):
            if option["name"] in GENERIC:
                continue
            prefix = name if option["name"] == "drive" else f"{name} {kind['name']}"
            if prefix != name:
                forms.append(prefix)
            for key in kind.get("keys", []):
                shared = f"{name} {key['name'].split('.')[0]}="
                if "kind" in key:
                    forms += key_forms(prefix, key)
                elif name == "-blockdev" and shared in walk.CHECKS:
                    forms.append(shared)        # a key of every driver
                else:
                    values = probed(name, kind["name"], key["name"])
                    forms += [f"{prefix} {key['name']}={value}" for value in values or [""]]
    return forms


def generic_jobs(table: list[dict]) -> list[tuple]:
    """Return (form, function, arguments) for the properties of devices, CPUs and machines."""
    jobs = []
    for option in table:
        for kind in option.get("kinds", []) if option["name"] in GENERIC else []:
            for key in kind["keys"]:
                form = f"-{option['name']} {kind['name']} {key['name']}="
                if option["name"] == "device":
                    jobs += [(form + value, devices.try_value, (kind["name"], key, value))
                             for value in devices.values_of(key)]
                elif option["name"] == "cpu":
                    jobs.append((form, devices.check_cpu_key, (kind["name"], key)))
                else:
                    jobs.append((form, devices.check_machine_key, (kind["name"], key, "")))
    return jobs


def check_pages(table: list[dict]) -> list[str]:
    """-help and the reference list each option, and mark those without effect."""
    problems = []
    _, text, _ = walk.run("-help")
    page = (HERE.parents[1] / "docs/reference/options.md").read_text()
    shown = dict(re.findall(r"^-([\w-]+)(.*(?:\n {20}.*)?)", text, re.MULTILINE))
    listed = dict(re.findall(r"^\| `-([\w-]+)[^`]*` \| (.*) \|$", page, re.MULTILINE))
    names = {option["name"] for option in table}
    if set(shown) != names or set(listed) != names:
        problems.append(f"-help or options.md: {set(shown) ^ names} {set(listed) ^ names}")
    for option in table:
        for where, lines in (("-help", shown), ("options.md", listed)):
            marked = "[compatibility: no effect]" in lines.get(option["name"], "")
            if marked != option["compat"]:
                problems.append(f"{where}: -{option['name']} is marked wrongly")
        known = f"-{option['name']}" in WITHOUT_EFFECT
        if known != option["compat"]:
            problems.append(f"-{option['name']}: compat is {option['compat']}, in the table: {known}")
        free = option["name"] in ("global", "set")      # any property of any type
        if "=" in option.get("arg", "") and not free and not option.get("keys") and not \
                option.get("common") and not option.get("kinds"):
            problems.append(f"-{option['name']} {option['arg']}: declares no keys")
    return problems


def is_by_hand(form: str) -> bool:
    """Forms that the table of options does not list: the short forms of -serial, forms checked by
    the generic rules, and spellings."""
    return form.startswith("-serial ") or form.split()[0] in ("-M", "-machine") or "(" in form \
        or form == "-d trace[:PATTERN]"


def accept(form: str) -> None:
    """A form without effect is accepted."""
    with walk.Machine(*WITHOUT_EFFECT[form][0]):
        pass


def main() -> int:
    _, text, _ = walk.run("-show", "options=json")
    table = json.loads(text)
    forms = forms_of(table)
    wanted = set(forms)
    problems = check_pages(table)
    for form in sorted(wanted - set(walk.CHECKS) - set(WITHOUT_EFFECT)):
        problems.append(f"{form}: nothing observes its effect: add a check to options/*.py")
    named_by_hand = {form for form in walk.CHECKS if is_by_hand(form)}
    for form in sorted((set(walk.CHECKS) | set(WITHOUT_EFFECT)) - wanted - named_by_hand):
        problems.append(f"{form}: the emulator has no such form: remove its row")
    jobs = generic_jobs(table)
    refused: dict[str, list[bool]] = {}
    skipped: list[str] = []
    only = sys.argv[1:]

    def guarded(form: str, function, arguments: tuple) -> str | None:
        try:
            result = function(*arguments)
        except walk.Skip as reason:
            skipped.append(f"{form}: {reason}")
            return None
        except Exception as error:      # noqa: BLE001: any failure of a check is its result
            return f"{form}: {type(error).__name__}: {error}"
        if function is devices.try_value:
            refused.setdefault(form.rsplit("=", 1)[0], []).append(result == devices.REFUSED)
        return result if result not in (None, devices.REFUSED) else None

    named = {check: form for form, check in walk.CHECKS.items()}
    work = [(form, check, ()) for check, form in named.items()]
    work += [(form, accept, (form,)) for form in WITHOUT_EFFECT]
    work += jobs
    if only:
        problems.clear()
        work = [w for w in work if w[0] in only or w[1].__name__ in only]
    with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool:
        results = list(pool.map(lambda job: guarded(*job), work))
    problems += [result for result in results if result]
    problems += [f"{form}: every value is refused" for form, all_ in refused.items() if all(all_)]
    used = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    cpu = sum(u.ru_utime + u.ru_stime for u in used)
    print(f"# {len(forms) + len(jobs)} forms, {walk.COUNT['starts']} starts, {cpu:.1f} s CPU")
    for reason in skipped:
        print(f"# not checked: {reason}")
    for problem in problems:
        print(f"# {problem}")
    print(f"1..1\n{'not ok' if problems else 'ok'} 1 option walk")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
