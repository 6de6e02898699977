"""What is suppressed, what must be suppressed with it, and what may be done all the same."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from desired_state.document import Document
from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.members import SecurityGroups, Subnets
from desired_state.rules import Ingress, IngressEntries, Routes
from reconciler.engine.gate import Limits, gate
from reconciler.engine.plan import make_plan
from reconciler.engine.suppression import Guard, Suppression, suppress
from reconciler.kinds import REGISTRY
from reconciler.model import Cause, Difference, Policy, Reason, Snapshot
from reconciler.model.guard import ResourceFaultError, Stage
from tests.support.worlds import (
    DATABASE,
    DB,
    FRONT,
    GATEWAY,
    MORNING,
    OUT,
    OUTSIDE,
    REFERENCE,
    WEB,
    changes,
    context,
    document,
    drifted,
    missing,
    seen,
)

DOCUMENT = document()
LOOK = seen(DOCUMENT)
ANYWHERE = "0.0.0.0/0"
SSH = RuleKey("tcp", 22, 22, ANYWHERE)
CAUSE = Cause(Reason.FLAPPING, "flapping: until noon")


def flapping(*places: tuple[str, str, Any]) -> Callable[[Difference], Cause | None]:
    return lambda one: CAUSE if (one.address, one.field, one.key) in places else None


def suppression(look: Snapshot, *places: tuple[str, str, Any], declared: Document = DOCUMENT) -> Suppression:
    return suppress(changes(declared, look), flapping(*places))


def suppressed(found: Suppression) -> set[tuple[str, Any]]:
    return {(one.field, one.key) for one, _ in found.suppressed}


def held(look: Snapshot, *places: tuple[str, str, Any], declared: Document = DOCUMENT) -> dict[str, Cause | None]:
    """Why which action is held, in a plan from this look; None: it is not."""
    found, where = suppression(look, *places, declared=declared), context(declared, look)
    whole = make_plan(changes(declared, look), where).actions
    limits = Limits(guard=Guard(found, look), wanted=whole)
    planned = make_plan(found.changes, where)
    gated = gate(planned, declared, look, Policy(), MORNING, limits=limits)
    return {action.why: gated.held.get(index) for index, action in enumerate(planned.actions)}


def test_where_nothing_flaps_nothing_is_suppressed() -> None:
    look = drifted(LOOK, WEB, ingress=Ingress())
    assert suppression(look) == Suppression(changes(DOCUMENT, look))
    assert set(held(look).values()) == {None}


def test_the_way_out_is_made_again_beside_a_narrower_route_that_is_suppressed() -> None:
    look = drifted(LOOK, OUT, routes=Routes({"203.0.113.0/24": "pcx-0a1b2c3d"}))
    found = suppression(look, (OUT, "routes", "203.0.113.0/24"))
    assert suppressed(found) == {("routes", "203.0.113.0/24")}
    (change,) = found.changes
    assert [one.key for one in change.differences] == [ANYWHERE]
    assert change.want.routes == {ANYWHERE: GATEWAY, "203.0.113.0/24": "pcx-0a1b2c3d"}


def test_suppression_gives_way_where_an_undeclared_route_would_stay_for_its_sake() -> None:
    """Without the narrower one its addresses would go where the document sends them not, and went not before: so both
    are put right, or the narrower one alone is left.
    """
    live = {"0.0.0.0/1": "pcx-0a1b2c3d", "10.1.0.0/16": "tgw-0a1b2c3d", ANYWHERE: GATEWAY}
    look = drifted(LOOK, OUT, routes=Routes(live))
    assert suppressed(suppression(look, (OUT, "routes", "0.0.0.0/1"))) == set()
    assert suppressed(suppression(look, (OUT, "routes", "10.1.0.0/16"))) == {("routes", "10.1.0.0/16")}


def entries(*gone: int, **more: AclEntry) -> Snapshot:
    declared = DOCUMENT.resources[OUTSIDE].ingress  # type: ignore[attr-defined]
    live = {number: entry for number, entry in declared.items() if number not in gone}
    return drifted(LOOK, OUTSIDE, ingress=IngressEntries(live | {int(name[1:]): one for name, one in more.items()}))


def test_an_entry_is_put_back_beside_one_that_is_suppressed() -> None:
    look = entries(100, n50=AclEntry("allow", "tcp", 22, 22, ANYWHERE))
    assert suppressed(suppression(look, (OUTSIDE, "ingress", 50))) == {("ingress", 50)}


def test_a_wide_entry_is_not_put_back_where_the_one_that_narrows_it_is_left_missing() -> None:
    written = deepcopy(REFERENCE)
    written["resources"]["network_acl"]["PublicSubnetACL"]["ingress"] = {
        "50": {"action": "deny", "protocol": "tcp", "ports": 22, "source": ANYWHERE},
        "60": {"action": "allow", "protocol": "tcp", "ports": 443, "source": ANYWHERE},
        "100": {"action": "allow", "protocol": "all", "source": ANYWHERE},
    }
    written.pop("intents")
    declared = document(written)
    look = drifted(seen(declared), OUTSIDE, ingress=IngressEntries())
    assert suppressed(suppression(look, (OUTSIDE, "ingress", 50), declared=declared)) == {
        ("ingress", 50),
        ("ingress", 100),
    }


def test_a_group_that_a_database_cannot_leave_gets_no_further_rules() -> None:
    extra = SecurityGroups({DB, WEB})
    now = {**LOOK.resources[DATABASE].facts.now, "vpc_security_groups": extra}
    look = drifted(LOOK, DATABASE, vpc_security_groups=extra, now=now, groups=frozenset(extra))
    look = drifted(look, WEB, ingress=Ingress({SSH: ""}))
    found = held(look, (DATABASE, "vpc_security_groups", WEB))
    allowed = [cause for why, cause in found.items() if why.startswith("allow")]
    assert {cause and cause.reason for cause in allowed} == {Reason.SUPPRESSED}
    assert {cause for why, cause in found.items() if why.startswith("revoke")} == {None}


def test_a_subnet_that_stays_on_the_main_table_finds_its_routes_unchanged() -> None:
    written = deepcopy(REFERENCE)
    written["resources"]["route_table"]["Main"] = {"main": True, "routes": {"10.9.0.0/16": "pcx-0a1b2c3d"}}
    written.pop("intents")
    declared, main = document(written), Address("route_table/Main")
    look = drifted(drifted(seen(declared), main, routes=Routes()), OUT, subnets=Subnets())
    found = held(look, (OUT, "subnets", FRONT), declared=declared)
    assert found == {
        f"associate {FRONT} with this table": CAUSE,
        "route 10.9.0.0/16 via pcx-0a1b2c3d": Cause(
            Reason.SUPPRESSED, f"what uses it cannot be moved away, because that is suppressed: {CAUSE}"
        ),
    }


def test_what_is_missing_and_names_what_is_left_missing_stays_missing_too() -> None:
    look = missing(LOOK, WEB, Address("security_group/TestServerSG"))
    found = suppression(look, (WEB, "", None))
    needs = Cause(Reason.SUPPRESSED, f"it needs {WEB}, which is suppressed: {CAUSE}")
    assert {(one.address, cause) for one, cause in found.held} >= {
        (WEB, CAUSE),
        ("security_group/TestServerSG", needs),
    }


@pytest.mark.parametrize("name", ["decides", "stays", "keeps"])
def test_what_raises_for_something_suppressed_is_about_that(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    failing: dict[str, Any] = {name: fails}
    look = drifted(LOOK, OUT, routes=Routes({"203.0.113.0/24": "pcx-0a1b2c3d"}))
    found = suppression(look, (OUT, "routes", "203.0.113.0/24"))
    kind = REGISTRY["route_table"]
    monkeypatch.setitem(REGISTRY, kind.name, replace(kind, traffic=replace(kind.traffic, **failing)))
    with pytest.raises(ResourceFaultError) as caught:
        Guard(found, look)
    assert (caught.value.address, caught.value.stage) == (OUT, Stage.HOLDING)
