"""Receipts drawn from a seed, as published, with every member that a page reads: for what must hold whatever a run has
found.
"""

from __future__ import annotations

from random import Random
from typing import Any

from reconciler.model import Policy

SEVERITIES = ("critical", "high", "medium", "low", None)
_OUTCOMES = (None, "corrected", "held", "waiting", "blocked", "failed")
_REASONS = (None, "hold_tag", "dry_run", "quota", "access_denied")
_CLASSES = ("throughout", "undeclared", "missing", "declared_now", "broken")
_COUNTS = ("planned", "in_sync", "corrected", "held", "waiting", "blocked", "failed", "drifted", "unmanaged", "breaks")
_REACHES = {
    "source": "the internet",
    "target": "a machine",
    "traffic": "tcp 22",
    "opened": True,
    "certain": True,
    "replies": False,
}
_KINDS = ("security_group", "subnet", "route_table", "network_acl", "vpc")


class _Drawing:
    """Draws values that occur once: what is told of one can be found."""

    def __init__(self, random: Random, least: int) -> None:
        self._random, self._number, self._least = random, 0, least
        self.choice, self.randint = random.choice, random.randint

    def word(self, stem: str) -> str:
        self._number += 1
        return f"{stem}q{self._number}z"

    def maybe(self, value: Any) -> Any:
        return value if self._least or self._random.random() < 0.7 else None

    def several(self, make: Any, most: int) -> list[Any]:
        return [make() for _ in range(self.randint(min(self._least, most), most))]

    def time(self) -> str:
        return f"2026-11-{self.randint(1, 28):02}T{self.randint(0, 23):02}:{self.randint(0, 59):02}:00Z"


def random_receipt(random: Random, *, most: int = 12, least: int = 0) -> dict[str, Any]:
    """A receipt with `least` to `most` members of each list; with at least one, nothing is missing that may be."""
    draw = _Drawing(random, least)
    drifted = [_drift(draw, number) for number in range(1, draw.randint(least, most) + 1)]
    addresses = [one["address"] for one in drifted] + draw.several(lambda: draw.word("subnet/n"), most)
    ids = {address: draw.word("id-") for address in addresses}
    for one in drifted:
        one["id"] = ids[one["address"]]
    actions = [_action(draw, number, len(drifted)) for number in range(1, draw.randint(least, most) + 1)]
    states = [{"name": "before", "call": None, "predicted": False}]
    states += [{"name": f"after call {one['number']}", "call": one["number"], "predicted": True} for one in actions]
    states += [{"name": "as declared", "call": None, "predicted": True}]
    return {
        "receipt": 1,
        "format_version": 1,
        "previous": draw.maybe({"key": draw.word("receipts/k"), "sha256": draw.word("sha")}),
        "account": "123456789012",
        "region": "eu-central-1",
        "document": {
            "name": "shop",
            "revision": draw.randint(1, 99),
            "sha256": draw.word("sha"),
            "origin": draw.word("file"),
            "version_id": draw.maybe(draw.word("version")),
            "uploaded": draw.maybe({"who": draw.word("who"), "at": draw.time(), "source_ip": draw.word("ip")}),
            "rollback": draw.maybe({"to": 3, "reason": draw.word("why")}),
        },
        "run": {
            "id": draw.maybe(draw.word("run")),
            "trigger": {"source": "event", "detail": draw.maybe(draw.word("detail"))},
            "tool": draw.word("tool"),
            "mode": "plan",
            "ending": "completed",
            "problem": draw.maybe(draw.word("problem")),
            "approved_by": draw.maybe(draw.word("who")),
            "reads": 9,
            "writes": 0,
            "started": "2026-11-27T05:12:08Z",
            "seconds": 0.2,
        },
        "started": "2026-11-27T05:12:08Z",
        "seconds": 0.2,
        "wrote": False,
        "in_sync": not drifted,
        "state": "differs",
        "severity": None,
        "digest": draw.word("digest"),
        "fingerprint": "0123456789abcdef",
        "held_as_a_whole": draw.maybe(draw.word("held")),
        "policy": vars(Policy()),
        "ids": ids,
        "drifted": drifted,
        "actions": actions,
        "findings": draw.several(lambda: _finding(draw), most),
        "pending": draw.several(lambda: _pending(draw), most),
        "unmanaged": draw.several(lambda: _unmanaged(draw), most),
        "intents": draw.several(lambda: _intent(draw), most),
        "openings": draw.several(lambda: _opening(draw), most),
        "exceptions": draw.several(lambda: _exception(draw), most),
        "holds": draw.several(lambda: _hold(draw), most),
        "unseen": draw.several(lambda: {"kind": draw.word("kind"), "why": draw.word("why")}, most),
        "untagged": draw.several(lambda: draw.word("subnet/u"), most),
        "found_by": {one: {"id": ids[one], "by": "tags", "how": "its tags"} for one in addresses},
        "counts": dict.fromkeys(_COUNTS, 0) | {"reads": 9, "writes": 0, "drifted": len(drifted)},
        "actors": {one["address"]: _actor(draw) for one in drifted if draw.maybe(True)},
        "actors_unknown": draw.word("unknown") if drifted else None,
        "since": {one["address"]: draw.time() for one in drifted if draw.maybe(True)},
        "since_unknown": draw.word("unknown") if drifted else None,
        "exposed": {one["address"]: draw.randint(1, 9_999) for one in drifted if draw.maybe(True)},
        "exposed_unknown": [one["address"] for one in drifted if draw.maybe(True)],
        "network": {
            "declared": {one: {} for one in addresses},
            "external": [],
            "workloads": {},
            "first": None,
            "last": None,
        },
        "orphaned": [],
        "lanes": draw.maybe(
            {
                "states": states,
                "basis": "predicted",
                "broken": False,
                "disagree": draw.several(lambda: draw.word("disagree"), 2),
                "flows": draw.several(lambda: _flow(draw, len(states)), most),
                "left_out": 0,
            }
        ),
        "lanes_unknown": None,
        "before": {},
        "left_out": {},
    }


def _rule(draw: _Drawing) -> Any:
    rule = {"protocol": "tcp", "ports": draw.randint(1, 65535), "source": draw.word("peer")}
    return draw.choice([rule | {"description": draw.word("note")}, rule, draw.word("value")])


def _drift(draw: _Drawing, number: int) -> dict[str, Any]:
    sign = draw.choice(["add", "change", "remove"])
    outcome = draw.choice(_OUTCOMES)
    return {
        "number": number,
        "address": draw.word(f"{draw.choice(_KINDS)}/r"),
        "id": None,
        "field": draw.maybe(draw.word("field")),
        "key": draw.maybe(draw.word("key")),
        "sign": sign,
        "want": None if sign == "remove" else _rule(draw),
        "have": None if sign == "add" else _rule(draw),
        "severity": draw.choice(SEVERITIES),
        "sentence": draw.maybe(draw.word("sentence")),
        "outcome": outcome,
        "reason": outcome and draw.choice(_REASONS),
        "message": draw.word("message") if outcome else "",
        "consequence": draw.maybe(
            {"severity": "low", "sentence": draw.word("reach"), "flows": [_REACHES], "stopped_by": None}
        ),
    }


def _action(draw: _Drawing, number: int, drifted: int) -> dict[str, Any]:
    ended = draw.choice([None, "held"])
    loses = draw.maybe(draw.word("loses"))
    return {
        "number": number,
        "id": draw.maybe(draw.word("id-")),
        "operation": draw.word("ec2:Call"),
        "address": draw.word("subnet/a"),
        "why": draw.word("why"),
        **({"loses": loses} if loses else {}),
        "phase": "bind",
        "risk": "traffic",
        "breaks": 0,
        "resolves": [],
        "resolves_drifted": [draw.randint(0, drifted - 1)] if drifted else [],
        "params": {},
        "ended": ended,
        "reason": ended and "hold_tag",
        "message": draw.word("message") if ended else "",
    }


def _finding(draw: _Drawing) -> dict[str, Any]:
    at = {
        "address": draw.word("subnet/f"),
        "id": draw.word("id-"),
        "field": draw.maybe(draw.word("field")),
        "key": None,
    }
    return at | {"outcome": "held", "reason": draw.choice(_REASONS), "message": draw.word("message")}


def _pending(draw: _Drawing) -> dict[str, Any]:
    values = {"now": draw.word("now"), "accepted": draw.word("accepted")}
    return {"address": draw.word("db_instance/d"), "id": None, "field": draw.word("field"), **values}


def _unmanaged(draw: _Drawing) -> dict[str, Any]:
    remark = draw.maybe(draw.word("remark"))
    return {"address": draw.word("subnet/x"), "id": draw.word("id-"), "ours": False, "remark": remark}


def _intent(draw: _Drawing) -> dict[str, Any]:
    hop = {"side": "ingress", "reply": False, "member": draw.word("member"), "declared": True, "passes": False}
    hop |= {"component": draw.word("hop")}
    blocker = hop | {"certain": True, "missing": "", "decided_by": draw.word("decided"), "mend": [draw.word("mend")]}
    return {
        "name": draw.word("intent"),
        "expect": draw.choice(["reachable", "blocked", "only"]),
        "status": draw.choice(["kept", "broken", "unknown"]),
        "partly": False,
        "severity": draw.choice(["critical", "high", None]),
        "enforcement": "hold",
        "since": draw.maybe(draw.time()),
        "pairs": [{"source": draw.word("from"), "target": draw.word("to"), "certain": True, "partly": False}],
        "pairs_in_all": 1,
        "witness": draw.maybe({"traffic": "tcp 22", "source": draw.word("s"), "destination": draw.word("d")}),
        "path": [hop],
        "blockers": [blocker],
        "nobody": draw.several(lambda: draw.word("nobody"), 1),
        "unknown": draw.several(lambda: draw.word("unknown"), 1),
        "rests_on": draw.several(lambda: draw.word("rests"), 1),
        "before": "kept",
        "after_plan": "kept",
        "tolerated_until": draw.maybe(draw.time()),
    }


def _opening(draw: _Drawing) -> dict[str, Any]:
    ends = {"source": draw.word("from"), "target": draw.word("to"), "traffic": draw.word("tcp")}
    return ends | {"opened": True, "certain": draw.choice([True, False]), "replies": False}


def _exception(draw: _Drawing) -> dict[str, Any]:
    until = draw.choice(["2027-01-01T00:00:00Z", "2026-01-01T00:00:00Z"])
    about = {"address": draw.word("subnet/e"), "field": draw.word("field"), "value": _rule(draw)}
    return about | {"until": until, "reason": draw.word("reason"), "active": until > "2026-06"}


def _hold(draw: _Drawing) -> dict[str, Any]:
    who, since = draw.maybe(draw.word("who")), draw.maybe(draw.time())
    return {"address": draw.word("subnet/h"), "since": since, "who": who, "until": None}


def _actor(draw: _Drawing) -> dict[str, Any]:
    names = ("who", "call", "source_ip", "user_agent", "event_id")
    return {name: draw.word(name) for name in names} | {"at": draw.time()}


def _flow(draw: _Drawing, states: int) -> dict[str, Any]:
    first, last = sorted((draw.randint(0, states - 1), draw.randint(0, states - 1)))
    return {
        "from": _end(draw),
        "to": _end(draw),
        "traffic": draw.word("tcp"),
        "addresses": draw.maybe(draw.word("from")),
        "in_full": None,
        "class": draw.choice(_CLASSES),
        "on": [[first, last]],
        "perhaps": [],
        "under_way": [],
        "certain": draw.choice([True, False]),
        "verdict": draw.word("verdict"),
        "rests_on": draw.several(lambda: draw.word("rests"), 2),
    }


def _end(draw: _Drawing) -> dict[str, Any]:
    name = draw.word("end")
    return {"kind": "workload", "name": name, "label": name, "address": None, "subnets": []}
