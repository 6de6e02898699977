"""What is left alone, what must be left alone with it, and what may be done all the same."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from desired_state.document import Document
from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.members import SecurityGroups, Subnets
from desired_state.rules import Ingress, IngressEntries, Routes
from reconciler.engine.plan import make_plan
from reconciler.engine.suppression import Guard, Suppression, suppress
from reconciler.model import Difference, Snapshot
from tests.support.worlds import (
    DATABASE,
    DB,
    FRONT,
    GATEWAY,
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

WISH = document()
LOOK = seen(WISH)
ANYWHERE = "0.0.0.0/0"
SSH = RuleKey("tcp", 22, 22, ANYWHERE)
WHY = "a fight: until noon"


def pausing(*places: tuple[str, str, Any]) -> Callable[[Difference], str]:
    return lambda one: WHY if (one.address, one.field, one.key) in places else ""


def aside(look: Snapshot, *places: tuple[str, str, Any], wish: Document = WISH) -> Suppression:
    return suppress(changes(wish, look), pausing(*places))


def left(found: Suppression) -> set[tuple[str, Any]]:
    return {(one.field, one.key) for one, _ in found.left}


def held(look: Snapshot, *places: tuple[str, str, Any], wish: Document = WISH) -> dict[str, str]:
    """Why which action is held, in a plan from this look."""
    found, where = aside(look, *places, wish=wish), context(wish, look)
    whole = make_plan(changes(wish, look), where).actions
    guard = Guard(Suppression(found.changes, found.resting, found.stopped, whole), where)
    return {action.why: guard(action) for action in make_plan(found.changes, where).actions}


def test_where_nothing_is_paused_nothing_is_left_alone() -> None:
    look = drifted(LOOK, WEB, ingress=Ingress())
    assert aside(look) == Suppression(changes(WISH, look))
    assert set(held(look).values()) == {""}


def test_the_way_out_is_made_again_beside_a_narrower_route_that_is_left_alone() -> None:
    look = drifted(LOOK, OUT, routes=Routes({"203.0.113.0/24": "pcx-0a1b2c3d"}))
    found = aside(look, (OUT, "routes", "203.0.113.0/24"))
    assert left(found) == {("routes", "203.0.113.0/24")}
    (change,) = found.changes
    assert [one.key for one in change.differences] == [ANYWHERE]
    assert change.want.routes == {ANYWHERE: GATEWAY, "203.0.113.0/24": "pcx-0a1b2c3d"}  # type: ignore[attr-defined]


def test_a_pause_gives_way_where_an_undeclared_route_would_stay_for_its_sake() -> None:
    """Without the narrower one its addresses would go where the document sends them not, and went not before: so both
    are put right, or the narrower one alone is left.
    """
    live = {"0.0.0.0/1": "pcx-0a1b2c3d", "10.1.0.0/16": "tgw-0a1b2c3d", ANYWHERE: GATEWAY}
    look = drifted(LOOK, OUT, routes=Routes(live))
    assert left(aside(look, (OUT, "routes", "0.0.0.0/1"))) == set()
    assert left(aside(look, (OUT, "routes", "10.1.0.0/16"))) == {("routes", "10.1.0.0/16")}


def entries(*gone: int, **more: AclEntry) -> Snapshot:
    declared = WISH.resources[OUTSIDE].ingress  # type: ignore[attr-defined]
    live = {number: entry for number, entry in declared.items() if number not in gone}
    return drifted(LOOK, OUTSIDE, ingress=IngressEntries(live | {int(name[1:]): one for name, one in more.items()}))


def test_an_entry_is_put_back_beside_one_that_is_left_alone() -> None:
    look = entries(100, n50=AclEntry("allow", "tcp", 22, 22, ANYWHERE))
    assert left(aside(look, (OUTSIDE, "ingress", 50))) == {("ingress", 50)}


def test_a_wide_entry_is_not_put_back_where_the_one_that_narrows_it_is_left_missing() -> None:
    written = deepcopy(REFERENCE)
    written["resources"]["network_acl"]["PublicSubnetACL"]["ingress"] = {
        "50": {"action": "deny", "protocol": "tcp", "ports": 22, "source": ANYWHERE},
        "60": {"action": "allow", "protocol": "tcp", "ports": 443, "source": ANYWHERE},
        "100": {"action": "allow", "protocol": "all", "source": ANYWHERE},
    }
    written.pop("intents")
    wish = document(written)
    look = drifted(seen(wish), OUTSIDE, ingress=IngressEntries())
    assert left(aside(look, (OUTSIDE, "ingress", 50), wish=wish)) == {("ingress", 50), ("ingress", 100)}


def test_a_group_that_a_database_cannot_leave_gets_no_further_rules() -> None:
    extra = SecurityGroups({DB, WEB})
    look = drifted(LOOK, DATABASE, vpc_security_groups=extra, facts={"now": {"vpc_security_groups": extra}})
    look = drifted(look, WEB, ingress=Ingress({SSH: ""}))
    found = held(look, (DATABASE, "vpc_security_groups", WEB))
    assert {bool(why) for said, why in found.items() if said.startswith("allow")} == {True}
    assert {why for said, why in found.items() if said.startswith("revoke")} == {""}


def test_a_subnet_that_stays_on_the_main_table_finds_its_routes_unchanged() -> None:
    written = deepcopy(REFERENCE)
    written["resources"]["route_table"]["Main"] = {"main": True, "routes": {"10.9.0.0/16": "pcx-0a1b2c3d"}}
    written.pop("intents")
    wish, main = document(written), Address("route_table/Main")
    look = drifted(drifted(seen(wish), main, routes=Routes()), OUT, subnets=Subnets())
    found = held(look, (OUT, "subnets", FRONT), wish=wish)
    assert found == {
        f"{FRONT} uses this table": WHY,
        "route 10.9.0.0/16 via pcx-0a1b2c3d": f"somebody is behind it who ought to leave, which is left alone: {WHY}",
    }


def test_what_is_missing_and_names_what_is_left_missing_stays_missing_too() -> None:
    look = missing(LOOK, WEB, Address("security_group/TestServerSG"))
    found = aside(look, (WEB, "", None))
    assert {(one.address, why) for one, why in found.stopped} >= {
        (WEB, WHY),
        ("security_group/TestServerSG", f"it needs {WEB}, which is left alone: {WHY}"),
    }
