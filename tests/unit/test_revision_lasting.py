"""Two versions made comparable: each resource under its new name wherever it is named, and what is declared no more."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.load import load
from reconciler.revision.compare import compare
from reconciler.revision.lasting import lasting, renamed
from tests.support.documents import ADOPTED
from tests.support.revisions import FULL

UNTIL = {"until": "2027-01-31", "reason": "the migration"}
ENDS = ("subnet/a", "subnet/c", "security_group/web", "security_group/db", "vpc/main", "db_instance/orders")


def _full() -> dict[str, Any]:
    """Every field of every kind, and whatever else can name a resource."""
    written = deepcopy(FULL)
    written["workloads"] = {
        "api": {"subnets": ["subnet/a"], "security_groups": ["security_group/web"]},
        "job": {"subnets": ["subnet/c"], "security_groups": ["security_group/db"]},
    }
    told = {"protocol": "tcp", "ports": 443, "expect": "blocked"}
    written["intents"] = [
        *({"name": f"to {one}", "from": "internet", "to": one, **told} for one in ENDS),
        *({"name": f"from {one}", "from": one, "to": "internet", **told} for one in ENDS),
        *({"name": f"but {one}", "from": "anywhere", "except": [one], "to": "internet", **told} for one in ENDS),
    ]
    rule = {"protocol": "tcp", "ports": 22, "source": "security_group/web"}
    values: list[tuple[str, str, Any]] = [
        ("security_group/db", "ingress", rule),
        ("network_acl/front", "subnets", "subnet/c"),
        ("route_table/in", "routes", {"0.0.0.0/0": "internet_gateway/door"}),
        ("db_instance/orders", "vpc_security_groups", "security_group/web"),
        ("db_instance/orders", "db_subnet_group", "db_subnet_group/data"),
        ("db_instance/orders", "publicly_accessible", True),
        ("subnet/a", "tags", {"team": "subnet/a"}),
    ]
    written["exceptions"] = [{"address": at, "field": field, "value": value, **UNTIL} for at, field, value in values]
    return written


def _tagged(written: dict[str, Any]) -> dict[str, Any]:
    """A tag is a text, whatever it says: it is not renamed."""
    for one in written.get("exceptions", []):
        if one["field"] == "tags":
            one["value"] = {"team": "subnet/a"}
    return written


DOCUMENTS: dict[str, dict[str, Any]] = {"full": _full(), "adopted": json.loads(ADOPTED)}
RESOURCES = [
    pytest.param(which, f"{kind}/{name}", id=f"{which}-{kind}/{name}")
    for which, written in DOCUMENTS.items()
    for kind, some in written["resources"].items()
    for name in some
    if not kind.startswith("db_")  # RDS knows those by their names
]


def _loaded(written: dict[str, Any]) -> Document:
    return load(json.dumps(written).encode(), "shop.json")


def _under(written: dict[str, Any], at: str, name: str) -> dict[str, Any]:
    """The next version, in which the resource has this name."""
    kind, _, former = at.partition("/")
    later: dict[str, Any] = json.loads(json.dumps(written).replace(f'"{at}"', f'"{kind}/{name}"'))
    one = later["resources"][kind].pop(former)
    later["resources"][kind][name] = one | {"formerly": [*one.get("formerly", []), former]}
    return _tagged(later | {"revision": written["revision"] + 1})


def _said(document: Document, at: Address) -> tuple[Any, ...]:
    """All that a version says, but how the resource at this address was called."""
    resources = {one: spec.but(formerly=()) if one == at else spec for one, spec in document.resources.items()}
    parts = document.vpc, document.adopt, document.workloads, document.intents, document.exceptions, document.external
    return resources, *parts


@pytest.mark.parametrize(("which", "at"), RESOURCES)
def test_whatever_names_a_resource_names_it_as_the_next_version_does(which: str, at: str) -> None:
    written = DOCUMENTS[which]
    before, after = _loaded(written), _loaded(_under(written, at, "other"))
    now = Address.of(at.partition("/")[0], "other")
    found = renamed(before, after)
    assert _said(found, now) == _said(after, now)
    assert (found.revision, found.sha256) == (before.revision, before.sha256)
    change = compare(before, after)
    assert (change.points, change.flows, change.holds, change.broken) == ((), (), (), ())


def test_a_name_that_was_there_before_renames_nothing() -> None:
    before = _loaded(DOCUMENTS["full"])
    assert renamed(before, before) is before
    both = deepcopy(DOCUMENTS["full"])
    both["resources"]["subnet"]["b"] = {"cidr_block": "10.0.9.0/24", "availability_zone": "ap-northeast-2a"}
    before = _loaded(both)
    assert renamed(before, _loaded(_under(DOCUMENTS["full"], "subnet/a", "b"))) is before


def _without(*places: tuple[str, ...], **top: Any) -> Document:
    """The next version without these, given by their keys below `resources`."""
    later = deepcopy(DOCUMENTS["adopted"]) | {"intents": [], "exceptions": []} | top
    for *path, last in places:
        one = later["resources"]
        for key in path:
            one = one[key]
        del one[last]
    return _loaded(later | {"revision": 4})


WEB, DB, OUT = (Address(f"{kind}") for kind in ("security_group/web", "security_group/db", "route_table/out"))


def test_what_is_declared_no_more_is_as_it_was_before() -> None:
    before = _loaded(DOCUMENTS["adopted"])
    after = _without(("security_group", "db"), ("security_group", "web", "ingress"), ("route_table", "out"))
    was, now = lasting(before, after)
    assert was == before
    assert now.resources[DB] == before.resources[DB]
    assert now.resources[OUT] == before.resources[OUT]
    assert now.resources[WEB] == before.resources[WEB]
    assert set(now.resources) == set(before.resources)


def test_what_is_declared_goes_before_what_was() -> None:
    before = _loaded(DOCUMENTS["adopted"])
    written = deepcopy(DOCUMENTS["adopted"])
    written["resources"]["security_group"]["web"]["ingress"] = []
    written["resources"]["security_group"]["new"] = {"description": "new"}
    after = _loaded(written | {"revision": 4})
    now = lasting(before, after)[1]
    for at in (WEB, Address("security_group/new")):
        assert now.resources[at] == after.resources[at]


def test_what_is_external_no_more_stays_where_only_the_version_before_names_it() -> None:
    before = _loaded(DOCUMENTS["adopted"])
    written = deepcopy(DOCUMENTS["adopted"])
    del written["external"]["db_instance/theirs"]
    written["external"]["security_group/ops"] = {"id": "sg-0123456789abcdef1"}
    after = _loaded(written | {"revision": 4, "intents": []})
    now = lasting(before, after)[1]
    theirs, ops = Address("db_instance/theirs"), Address("security_group/ops")
    assert (now.external[theirs], now.external[ops]) == (before.external[theirs], after.external[ops])


def test_in_another_scope_nothing_lasts() -> None:
    before = _loaded(DOCUMENTS["adopted"])
    scope = DOCUMENTS["adopted"]["scope"] | {"account_id": "999999999999"}
    after = _without(("security_group", "db"), scope=scope)
    assert lasting(before, after) == (before, after)


def test_each_version_has_the_workloads_of_the_other_where_it_knows_their_ends() -> None:
    full = DOCUMENTS["full"]
    before = _loaded(full)
    later = deepcopy(full) | {"revision": 9, "intents": []}
    new = {"subnets": ["subnet/c"], "security_groups": ["security_group/web"]}
    later["workloads"] = {"job": new, "new": new}
    was, now = lasting(before, _loaded(later))
    assert set(was.workloads) == set(now.workloads) == {"api", "job", "new"}
    assert was.workloads["job"] == before.workloads["job"] != now.workloads["job"]
    unknown = replace(before, resources={at: one for at, one in before.resources.items() if at != "subnet/a"})
    was, now = lasting(unknown, replace(_loaded(later), scope=unknown.scope))
    assert set(was.workloads) == {"api", "job", "new"}
    assert set(now.workloads) == {"api", "job", "new"}
    gone = replace(_loaded(later), resources=dict(unknown.resources))
    assert set(lasting(unknown, gone)[1].workloads) == {"job", "new"}
