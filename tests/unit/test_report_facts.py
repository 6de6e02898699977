"""A report as text: whatever a run has found, each fact of its JSON is in it, or it counts what it leaves out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

import pytest

from desired_state.document import DocumentException
from desired_state.fields import Address, RuleKey
from reconciler.engine.gate import Gate
from reconciler.engine.result import Drift, PendingChange, Report
from reconciler.model import ABSENT, ActionResult, Cause, Ended, Finding, Outcome, Reason, Unmanaged
from reconciler.report.as_json import as_json
from reconciler.report.text import text
from tests.support.reports import NOW, VPC, action, document, drift, planned, report
from tests.support.sampling import sampled

MARK = re.compile(r"q[0-9]+z")
_KINDS = ("security_group", "subnet", "route_table", "network_acl", "db_instance")
_ENDED = (Outcome.HELD, Outcome.WAITING, Outcome.BLOCKED, Outcome.FAILED)


def drawn(seed: int) -> Report:
    """A report in which every name and text occurs once."""
    random, numbers = Random(seed), count(1)

    def word(stem: str) -> str:
        return f"{stem}q{next(numbers)}z"

    def cause() -> Cause:
        return Cause(random.choice([Reason.HOLD_TAG, Reason.REFUSED, Reason.THROTTLED]), word("because-"))

    def one_drift(wrote: bool) -> Drift:
        at = f"{random.choice(_KINDS[:2])}/{word('r')}"
        outcome = random.choice([*_ENDED, Outcome.CORRECTED]) if wrote else random.choice([None, *_ENDED])
        why = cause() if outcome in _ENDED else None
        rule = RuleKey("tcp", 22, 22, Address(f"security_group/{word('peer')}"))
        some: list[tuple[str, Any, Any, Any]] = [
            ("tags", word("key"), word("want"), word("have")),
            ("tags", word("key"), ABSENT, word("have")),
            ("cidr_block", None, word("want"), word("have")),
        ]
        if at.startswith("security_group/"):
            some += [("ingress", rule, ABSENT, word("note")), ("egress", rule, word("note"), word("note"))]
        field, key, want, have = random.choice(some)
        return drift(field, key, want, have, outcome, why, at=at)

    def several(make: Any, most: int = 5) -> tuple[Any, ...]:
        return tuple(make() for _ in range(random.randint(0, most)))

    wrote = random.random() < 0.5
    drifts = several(lambda: one_drift(wrote), 8)
    actions = several(lambda: action(word("why-"), at=f"subnet/{word('a')}"), 6)
    held = {index: cause() for index in range(len(actions)) if random.random() < 0.3}
    findings = several(lambda: Finding(Address(f"subnet/{word('f')}"), Outcome.HELD, cause(), "tags"))
    remarks = [word("remark-") for _ in range(2)]
    unmanaged = several(
        lambda: Unmanaged(Address(f"subnet/{word('x')}"), word("id-"), remark=random.choice(["", *remarks])), 12
    )
    until = NOW + timedelta(days=random.choice([-1, 1]))
    exceptions = several(lambda: DocumentException(VPC, "cidr_block", word("value"), until, word("reason-")), 3)
    pending = several(
        lambda: PendingChange(Address(f"db_instance/{word('d')}"), word("field"), word("now"), word("next"))
    )
    told = replace(document(), exceptions=tuple(one for one in exceptions if one.until <= NOW))
    return report(
        *drifts,
        document=told,
        wrote=wrote,
        plan=planned(*actions),
        gate=Gate(held=held, deferred={}, plan_held=cause() if random.random() < 0.2 else None, findings=findings),
        action_results=tuple(ActionResult(one, Ended.DONE) for one in actions) if wrote else (),
        findings=findings,
        excepted=tuple((one.difference, exc) for one, exc in zip(drifts, exceptions, strict=False) if exc.until > NOW),
        unmanaged=unmanaged,
        pending=pending,
        ids={one.address: word("id-") for one in drifts},
        untagged=several(lambda: Address(f"subnet/{word('u')}")),
        writes=len(actions) if wrote else 0,
    )


def facts(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """(where, mark) of everything in the JSON of a report that occurs once."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from ((at, mark) for mark in MARK.findall(str(key)))
            yield from facts(inner, (*at, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from facts(inner, at)
    else:
        yield from ((at, mark) for mark in MARK.findall(str(value)))


@pytest.mark.parametrize("seed", sampled(range(1_000), 25))
def test_every_fact_of_a_report_is_in_its_text_or_counted(seed: int) -> None:
    whole = drawn(seed)
    words = text(whole)
    missing = [(where, mark) for where, mark in facts(as_json(whole)) if f"{mark}" not in MARK.findall(words)]
    left = {where[0] for where, _ in missing}
    assert left <= {"actions", "unmanaged", "untagged"}, missing
    assert ("unmanaged", "remark") not in [where for where, _ in missing]
    if "actions" in left:  # a run that has written shows what became of them
        assert whole.wrote
        assert f"{len(whole.plan.actions)} write" in words
    if "unmanaged" in left:  # of many with one remark only their number
        alike = [int(number) for number in re.findall(r"^ {4}(\d+) resources, each of which: ", words, re.MULTILINE)]
        hidden = {mark for where, mark in missing if where == ("unmanaged", "address")}
        assert sum(alike) == len(hidden)
    if "untagged" in left:
        assert re.search(rf"{len(whole.untagged)} resources? do(es)? not carry Setpoint's tags yet", words)


def test_the_sample_has_what_is_counted() -> None:
    """Or the test above would say nothing about it."""
    texts = [text(drawn(seed)) for seed in range(60)]
    for told in (
        "resources, each of which: ",
        "do not carry Setpoint's tags",
        "The whole plan is held",
        "not in force yet",
    ):
        assert any(told in one for one in texts)
