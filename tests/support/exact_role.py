"""The functions' roles are exact, measured over a whole run of the tests: every call that was made is allowed, and
every action that is allowed was used.

`conftest.py` registers `ExactRole`. Each process notes what the sessions of the laboratory called (`strict_aws.used`);
at the end of a run that was complete and green the sum is compared with `artefact/permissions.py`, which the templates
repeat word for word (contract/test_template.py). A difference fails the run.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lab.strict_aws import Used

NOT_THE_PRODUCT = (
    "tests/lab/",
    "tests/contract/test_ninth_kind.py",
    "tests/doors/test_cli_import.py",
    "tests/runs/test_import.py",
)
"""Tests whose calls are those of the laboratory itself, of a kind that the product does not have, or of the import: it
looks with a person's own permissions at things that no function needs to see.
"""
ONLY_WITH = {
    "s3:GetObjectVersion": "VersionId",
    "ec2:CreateTags": "TagSpecifications",
    "rds:AddTagsToResource": "Tags",
    "kms:DescribeKey": "ManageMasterUserPassword",
    "secretsmanager:CreateSecret": "ManageMasterUserPassword",
    "secretsmanager:TagResource": "ManageMasterUserPassword",
}
"""What a call takes beside the permission of its own name only where it has this parameter (Service Authorization
Reference; RDS user guide, Password management with Secrets Manager).
"""

_MAY_BE_LEFT_OUT = ("browser", "long")
_WHOLE = ("not long", "not long and not browser")
"""Markers of tests that need nothing of a role, and what the gate asks pytest for."""

Needs = Mapping[tuple[str, str], Collection[str]]
"""By a call's service and operation, all permissions that it may take."""


def differences(made: Iterable[Used], needs: Needs, allowed: Collection[str]) -> list[str]:
    """A sentence for each call that was made and stands in no table, and for each action that no call has used."""
    made = list(made)
    strange = sorted({(one.service, one.operation) for one in made} - needs.keys())
    exercised = {action for one in made for action in _taken(one, needs)}
    return [
        *(
            f"{service}:{operation} is called by a test, and no role allows it: add it to the kind that calls it "
            "(operations, looks) or to DOORS in artefact/permissions.py, and to the templates; where the product does "
            "not make this call, make it with outsider()"
            for service, operation in strange
        ),
        *(
            f"{action} is allowed, and no test uses it: write the test that needs it, or take it out of the kind's "
            "table or of DOORS in artefact/permissions.py, and of the templates"
            for action in sorted(set(allowed) - exercised)
        ),
        *(
            f"{action} is used by a test, and no role allows it: see artefact/permissions.py and the templates"
            for action in sorted(exercised - set(allowed))
        ),
    ]


def _taken(one: Used, needs: Needs) -> Iterator[str]:
    own = f"{one.service}:{one.operation}"
    for action in needs.get((one.service, one.operation), ()):
        if action == own or ONLY_WITH.get(action) is None or ONLY_WITH[action] in one.params:
            yield action


def needed() -> dict[tuple[str, str], set[str]]:
    """What the product's calls take, out of its tables."""
    from artefact.permissions import DOORS, read_permissions
    from reconciler.kinds import REGISTRY

    found: dict[tuple[str, str], set[str]] = {}
    for permission in read_permissions().actions:
        service, _, operation = permission.partition(":")
        found[service, operation] = {permission}
    for kind in REGISTRY.values():
        for row in kind.operations:
            found.setdefault((row.service, row.name), set()).update({row.permission, *row.also_needs})
    for one in DOORS:
        found.setdefault((one.service, one.operation), set()).update(one.permissions)
    return found


def allowed() -> set[str]:
    """Every action that the roles of a stack with all its leave allow, but for what Lambda itself does with them."""
    from artefact.permissions import DOORS, policies, read_permissions

    statements = [read_permissions(), *(one for policy in policies().values() for one in policy)]
    actions = {action for one in statements for action in one.actions}
    return actions | {permission for one in DOORS for permission in one.permissions}


class ExactRole:
    """Gathers the calls of all test processes, and whether the run was whole; without xdist there is one process."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told: list[tuple[str, str, list[str]]] = []
        self._whole = True
        self._found: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        before = set(_used())
        answer = yield
        if item.nodeid.startswith(NOT_THE_PRODUCT):
            _used().intersection_update(before)
        return answer

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        if not all(any(item.get_closest_marker(name) for name in _MAY_BE_LEFT_OUT) for item in items):
            self._whole = False

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """xdist tells the process that steers of one that has ended."""
        told = getattr(node, "workeroutput", {}).get("exact_role")
        if told is None:
            self._whole = False
            return
        self._whole &= told["whole"]
        self._told += told["used"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if hasattr(self._config, "workeroutput"):
            calls = [(one.service, one.operation, sorted(one.params)) for one in _used()]
            self._config.workeroutput["exact_role"] = {"whole": self._whole, "used": calls}
            return
        if not self._whole or exitstatus != pytest.ExitCode.OK or not complete(self._config):
            return
        from lab.strict_aws import Used

        told = {Used(service, operation, frozenset(params)) for service, operation, params in self._told}
        self._found = differences(told | _used(), needed(), allowed())
        if self._found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._found:
            terminalreporter.section("the roles are not exact", sep="=", red=True, bold=True)
            for sentence in self._found:
                terminalreporter.write_line(f"ERROR {sentence}", red=True)


def _used() -> set[Used]:
    """What this process called so far; without importing the laboratory, which is dear, where no test has."""
    laboratory = sys.modules.get("lab.strict_aws")
    return laboratory.used if laboratory else set()


def complete(config: pytest.Config) -> bool:
    """Whether this run was asked for all tests but the long ones and those in a browser: no paths, no narrowing,
    nothing left out.
    """
    option = config.option
    narrowing = (
        "keyword",
        "deselect",
        "ignore",
        "ignore_glob",
        "lf",
        "stepwise",
        "collectonly",
        "setuponly",
        "setupplan",
    )
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and option.markexpr.strip() in _WHOLE
    return whole and not any(getattr(option, name, None) for name in narrowing)
