"""What is suddenly found at another id than before: which actions are held, who releases it, and what is remembered."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from desired_state.document import Document
from desired_state.fields import Address
from desired_state.rules import Routes
from reconciler.attempt.identities import after
from reconciler.engine.gate import Gate, Limits, gate
from reconciler.engine.plan import Plan, printable
from reconciler.engine.witness import changed, sealed
from reconciler.engine.written import created
from reconciler.model import (
    Action,
    ActionResult,
    Cause,
    Ended,
    Evidence,
    Finding,
    Found,
    Operation,
    Outcome,
    Phase,
    Policy,
    Reason,
    Ref,
    Risk,
    Snapshot,
    Unmanaged,
)
from tests.support.reports import report
from tests.support.sampling import sampled
from tests.support.worlds import (
    BACK1,
    DATABASE,
    DB,
    GATEWAY,
    IN,
    INSIDE,
    MORNING,
    OUT,
    VPC,
    WEB,
    aws_id,
    beside,
    document,
    drifted,
    missing,
    plan,
    seen,
)

DOCUMENT = document()
LOOK = seen(DOCUMENT)
BEFORE = {at: one.lasting_id for at, one in LOOK.resources.items()}
STRAY = Routes({"10.9.0.0/16": "pcx-0a1b2c3d"})
REVOKE = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)
CREATE = Operation("ec2", "CreateRouteTable", Phase.CREATE, Risk.REVERSIBLE)
HOW = {
    Evidence.TAGS: "its tags",
    Evidence.NAME: "its Name tag",
    Evidence.SEATS: "its subnets use it",
    Evidence.KEY: "it is the main table",
    Evidence.ADOPT: "adopt names it",
    Evidence.SCOPE: "scope.vpc_id names it",
    Evidence.EXTERNAL: "external refers to it",
}


def found(by: Evidence) -> Found:
    return Found(by, HOW[by])


def moved(look: Snapshot, at: Address, to: str, by: Evidence = Evidence.TAGS) -> Snapshot:
    """The same look with something else at an address."""
    other = replace(look.resources[at], id=to)
    return replace(
        look,
        resources={**look.resources, at: other},
        handles={**look.handles, Ref(at): to},
        found_by={**look.found_by, at: found(by)},
    )


def known(look: Snapshot, by: Evidence = Evidence.TAGS) -> Snapshot:
    """The same look, with everything found by the same evidence."""
    return replace(look, found_by=dict.fromkeys(look.resources, found(by)))


def judged(
    look: Snapshot, before: dict[Address, str], found_plan: Plan | None = None, policy: Policy | None = None
) -> tuple[Plan, Gate]:
    made = found_plan or plan(DOCUMENT, look)
    limits = Limits(changed=changed(DOCUMENT, look, before))
    return made, gate(made, DOCUMENT, look, policy or Policy(), MORNING, limits=limits)


def by_hand(*actions: Action) -> Plan:
    return Plan((), actions, tuple(frozenset() for _ in actions), (), "f" * 16)


MESSAGE = (
    f"it is rtb-2 now (its Name tag), and was {aws_id(IN)} before: if that is right, write "
    '"adopt": {"route_table/PrivateRouteTable": "rtb-2"}, or release this plan; until then nothing is written to it'
)
CAUSE = Cause(Reason.IDENTITY_CHANGED, MESSAGE, f"{aws_id(IN)} -> rtb-2")


# --------------------------------------------------------------------------------------------------------- what is held


def test_what_is_found_at_another_id_is_held_and_the_rest_is_corrected() -> None:
    look = moved(drifted(known(LOOK), IN, routes=STRAY), IN, "rtb-2", Evidence.NAME)
    look = drifted(look, OUT, routes=Routes())
    made, gated = judged(look, BEFORE)
    assert {(made.actions[i].address, cause) for i, cause in gated.held.items()} == {(IN, CAUSE)}
    assert {one.address for i, one in enumerate(made.actions) if i not in gated.held} == {OUT}


def test_it_is_told_also_where_nothing_differs() -> None:
    _, gated = judged(moved(known(LOOK), IN, "rtb-2", Evidence.NAME), BEFORE)
    assert gated.findings == (Finding(IN, Outcome.HELD, CAUSE),)
    assert gated.suspects == {IN: CAUSE}


@pytest.mark.parametrize("by", [Evidence.SCOPE, Evidence.ADOPT, Evidence.KEY, Evidence.EXTERNAL])
def test_what_a_person_or_aws_says_is_never_in_doubt(by: Evidence) -> None:
    assert changed(DOCUMENT, moved(known(LOOK), IN, "rtb-2", by), BEFORE) == {}


@pytest.mark.parametrize("by", [Evidence.TAGS, Evidence.NAME, Evidence.SEATS])
def test_what_anybody_can_make_so_is(by: Evidence) -> None:
    assert list(changed(DOCUMENT, moved(known(LOOK), IN, "rtb-2", by), BEFORE)) == [IN]


def test_what_nobody_says_the_evidence_of_is_in_doubt_too() -> None:
    look = replace(moved(LOOK, IN, "rtb-2"), found_by={})
    assert list(changed(DOCUMENT, look, BEFORE)) == [IN]


def test_what_was_never_seen_before_or_is_where_it_was_is_not_in_doubt() -> None:
    assert changed(DOCUMENT, known(LOOK), BEFORE) == {}
    assert changed(DOCUMENT, moved(known(LOOK), IN, "rtb-2"), {}) == {}


def test_a_database_is_known_by_the_id_that_aws_gives_only_once() -> None:
    look = known(LOOK)
    look = replace(
        look, resources={**look.resources, DATABASE: replace(look.resources[DATABASE], resource_id="db-TWO")}
    )
    assert list(changed(DOCUMENT, look, {DATABASE: "db-ONE"})) == [DATABASE]
    assert changed(DOCUMENT, look, {DATABASE: "db-TWO"}) == {}


def test_what_is_only_ignored_is_not_in_doubt() -> None:
    table = DOCUMENT.resources[IN].but(enforcement="ignore")
    declared = replace(DOCUMENT, resources={**DOCUMENT.resources, IN: table})
    assert changed(declared, moved(known(LOOK), IN, "rtb-2"), BEFORE) == {}


def test_an_action_elsewhere_that_resolves_or_refers_to_it_is_held_too() -> None:
    look = moved(known(LOOK), IN, "rtb-2", Evidence.NAME)
    there = Cause(Reason.IDENTITY_CHANGED, f"{IN}: {MESSAGE}", CAUSE.code)
    nested = {"IpPermissions": [{"UserIdGroupPairs": [{"GroupId": Ref(IN, "part")}]}]}
    actions = by_hand(
        REVOKE.on(IN, "at it"),
        replace(REVOKE.on(OUT, "resolves it"), resolves=frozenset({(OUT, "subnets"), (IN, "subnets")})),
        REVOKE.on(OUT, "refers to it", params=nested),
        REVOKE.on(OUT, "in parts", parts=(REVOKE.on(OUT, "a part", params={"RouteTableId": Ref(IN)}),)),
        REVOKE.on(OUT, "something else", params={"RouteTableId": Ref(OUT), "GatewayId": aws_id(IN)}),
    )
    _, gated = judged(look, BEFORE, actions)
    assert gated.held == {0: CAUSE, 1: there, 2: there, 3: there}


def test_while_the_vpc_is_another_one_nothing_at_all_is_done() -> None:
    """What is in it is found through it, so what AWS keeps unique there says nothing."""
    look = known(drifted(LOOK, DB, description="x"), Evidence.KEY)
    look = moved(look, VPC, "vpc-2")
    _, gated = judged(look, BEFORE, by_hand(REVOKE.on(WEB, "a"), REVOKE.on(DATABASE, "b")))
    assert [cause.reason for cause in gated.held.values()] == [Reason.IDENTITY_CHANGED] * 2
    assert list(gated.suspects) == [VPC]


def test_what_it_was_before_is_not_deleted_under_another_name() -> None:
    """Somebody gives a copy the tags of a table, and the table a name that nobody declares."""
    look = beside(moved(known(LOOK), IN, "rtb-2"), Unmanaged(Address("route_table/old"), aws_id(IN), owned=True))
    delete = Operation("ec2", "DeleteRouteTable", Phase.DELETE, Risk.TRAFFIC)
    gone, other = Address("route_table/old"), Address("route_table/older")
    _, gated = judged(look, BEFORE, by_hand(delete.on(gone, "prune"), delete.on(other, "prune")))
    assert list(gated.held) == [0]
    assert gated.held[0].reason is Reason.IDENTITY_CHANGED
    assert [one.address for one in gated.findings] == [IN]


def test_what_only_reports_says_so_and_tells_it_all_the_same() -> None:
    look = moved(drifted(known(LOOK), IN, routes=STRAY), IN, "rtb-2", Evidence.NAME)
    made, gated = judged(look, BEFORE, policy=Policy(mode="report"))
    assert {cause.reason for cause in gated.held.values()} == {Reason.REPORT_ONLY}
    assert len(gated.held) == len(made.actions) > 0
    assert [one.cause for one in gated.findings] == [CAUSE]


# ----------------------------------------------------------------------------------------------- what an approval is of


def test_an_approval_is_of_the_ids_that_were_seen_and_of_no_others() -> None:
    """The fingerprint of a plan names addresses, so without the ids an approval would release the next copy too."""
    one = changed(DOCUMENT, moved(known(LOOK), IN, "rtb-2"), BEFORE)
    other = changed(DOCUMENT, moved(known(LOOK), IN, "rtb-3"), BEFORE)
    by_seats = changed(DOCUMENT, moved(known(LOOK), IN, "rtb-2", Evidence.SEATS), BEFORE)
    assert sealed("0123456789abcdef", {}) == "0123456789abcdef"
    assert len(sealed("0123456789abcdef", one)) == 16
    assert sealed("0123456789abcdef", one) == sealed("0123456789abcdef", by_seats)
    fingerprints = {"0123456789abcdef", sealed("0123456789abcdef", one), sealed("0123456789abcdef", other)}
    assert len(fingerprints | {sealed("f" * 16, one)}) == 4


# --------------------------------------------------------------------------------------------------- what is remembered


def remembered(
    before: dict[Address, str],
    ids: dict[Address, str],
    *,
    declared: Document = DOCUMENT,
    held: frozenset[Address] = frozenset(),
    anew: frozenset[Address] = frozenset(),
    by: dict[Address, Evidence] | None = None,
) -> dict[Address, str]:
    """What is remembered after a run that found or created these ids."""
    suspects = dict.fromkeys(held, CAUSE)
    made = report(
        document=declared,
        resource_ids=ids,
        found_by={at: found((by or {}).get(at, Evidence.TAGS)) for at in ids},
        created=anew,
        gate=Gate({}, {}, None, (), suspects=suspects),
    )
    return dict(after(before, made))


def test_what_was_found_is_remembered_and_what_is_absent_keeps_its_id() -> None:
    assert remembered({IN: "rtb-1", OUT: "rtb-7"}, {IN: "rtb-2"}) == {IN: "rtb-2", OUT: "rtb-7"}


def test_what_is_held_keeps_its_id_and_with_the_vpc_everything_does() -> None:
    before, ids = {VPC: "vpc-1", IN: "rtb-1"}, {VPC: "vpc-2", IN: "rtb-2", OUT: "rtb-7"}
    assert remembered(before, ids, held=frozenset({IN})) == {VPC: "vpc-2", IN: "rtb-1", OUT: "rtb-7"}
    assert remembered(before, ids, held=frozenset({VPC})) == before


def test_what_was_created_has_its_new_id_or_none_until_it_is_visible() -> None:
    anew = frozenset({IN, OUT})
    assert remembered({IN: "rtb-1", OUT: "rtb-7"}, {IN: "rtb-2"}, anew=anew) == {IN: "rtb-2"}


def test_what_is_not_declared_any_more_or_ignored_is_forgotten() -> None:
    table = DOCUMENT.resources[IN].but(enforcement="ignore")
    declared = replace(DOCUMENT, resources={**DOCUMENT.resources, IN: table})
    gone = Address("route_table/gone")
    assert remembered({gone: "rtb-3", IN: "rtb-1", OUT: "rtb-7"}, {IN: "rtb-1"}, declared=declared) == {OUT: "rtb-7"}


def test_what_is_not_certain_comes_first() -> None:
    """There is room for so many: what AWS keeps unique needs no witness."""
    by = {BACK1: Evidence.KEY, WEB: Evidence.KEY, IN: Evidence.SEATS, INSIDE: Evidence.NAME, VPC: Evidence.TAGS}
    ids = {at: aws_id(at) for at in by}
    order = list(remembered({}, ids, by=by))
    assert set(order[:3]) == {IN, INSIDE, VPC}
    assert set(order[3:]) == {BACK1, WEB}


def test_a_vpc_that_was_created_brings_what_aws_creates_with_it() -> None:
    main = next(at for at, one in DOCUMENT.resources.items() if at.kind == "security_group")
    declared = document(route_table={"main": {"main": True, "routes": {}}}, network_acl=None)
    make = CREATE.on(VPC, "create it", gives=Ref(VPC))
    assert created(declared, [ActionResult(make, Ended.DONE)]) == {VPC, Address("route_table/main")}
    assert created(declared, [ActionResult(make, Ended.UNKNOWN)]) == {VPC}
    assert (
        created(declared, [ActionResult(make, Ended.FAILED), ActionResult(REVOKE.on(main, "x"), Ended.DONE)]) == set()
    )


# ----------------------------------------------------------------------------- the rule, against a statement of its own

ADDRESSES = (VPC, GATEWAY, IN, OUT, INSIDE, WEB, BACK1, DATABASE)
WEAK = {"tags", "name_tag", "seats"}
"""What anybody with the right to tag or to associate can make so, by the words of the report."""


def anything(random: Random) -> Action:
    """An action of any address that names some others somewhere."""
    at, *others = random.choices(ADDRESSES, k=4)
    others = others[: random.choice((0, 0, 1, 2))]
    places: dict[str, Any] = {"params": {}, "resolves": frozenset(), "parts": ()}
    for other in others:
        place = random.choice(("flat", "deep", "resolves", "parts", "text"))
        ref = Ref(other, random.choice(("", "route_table_association")))
        if place == "flat":
            places["params"]["SomeId"] = ref
        elif place == "deep":
            places["params"]["Some"] = [{"Pairs": [{"GroupId": ref}]}]
        elif place == "text":
            places["params"]["Description"] = f"it mentions {other}"
        elif place == "resolves":
            places["resolves"] |= {(other, "subnets")}
        else:
            places["parts"] += (REVOKE.on(at, "a part", params={"SomeId": ref}),)
    return REVOKE.on(at, "some action", **places)


def named(action: Action) -> set[str]:
    """The addresses that an action is about, read off its text."""
    text = json.dumps([printable(action.params), [printable(part.params) for part in action.parts]])
    referred = {at for at in ADDRESSES if f"<{at}>" in text or f"<{at} " in text}
    return referred | {action.address} | {at for at, _ in action.resolves}


@pytest.mark.parametrize("block", sampled(range(40), 8, seed="which actions are held"))
def test_exactly_the_actions_are_held_that_name_something_in_doubt(block: int) -> None:
    counted: Counter[bool] = Counter()
    for seed in range(block * 50, block * 50 + 50):
        random = Random(seed)
        look, before, doubt = known(LOOK), dict[Address, str](), set[Address]()
        for at in ADDRESSES:
            by = random.choice(list(Evidence))
            look = moved(look, at, random.choice(("x-1", "x-2")), by)
            if at == VPC and random.random() < 0.8:
                continue
            if random.random() < 0.7:
                before[at] = random.choice(("x-1", "x-2"))
            was = before.get(at)
            if was is not None and was != look.resources[at].id and by.value in WEAK:
                doubt.add(at)
        actions = [anything(random) for _ in range(12)]
        _, gated = judged(look, before, by_hand(*actions))
        expected = [bool(VPC in doubt or named(one) & doubt) for one in actions]
        assert [index in gated.held for index in range(len(actions))] == expected, seed
        assert {cause.reason for cause in gated.held.values()} <= {Reason.IDENTITY_CHANGED}, seed
        assert {one.address for one in gated.findings} == set(gated.suspects) == doubt, seed
        counted.update(expected)
    assert min(counted[True], counted[False]) > 50, counted


@pytest.mark.parametrize("block", sampled(range(40), 8, seed="whom the witness trusts"))
def test_over_many_runs_only_what_was_ever_vouched_for_is_written_to(block: int) -> None:
    """An id is vouched for by being the first that was seen, by what is certain, by a run that created it, and by a
    person. What weak evidence finds is written to if and only if its id was the last one that was vouched for.
    """
    counted: Counter[str] = Counter()
    for seed in range(block * 25, block * 25 + 25):
        random = Random(seed)
        before: dict[Address, str] = {}
        vouched: str | None = None
        for _ in range(8):
            event = random.choice(("weak", "weak", "weak", "certain", "absent", "created", "lost", "approved"))
            live = random.choice(("rtb-1", "rtb-2", "rtb-3"))
            by = random.choice([Evidence.TAGS, Evidence.NAME, Evidence.SEATS])
            if event == "certain":
                by = random.choice([Evidence.ADOPT, Evidence.KEY])
            absent = event in {"absent", "created", "lost"}
            look = missing(known(LOOK), IN) if absent else moved(known(LOOK), IN, live, by)
            doubt = changed(DOCUMENT, look, before)
            released = {} if event == "approved" else doubt
            if not absent:
                in_doubt = event != "certain" and vouched not in {None, live}
                assert bool(doubt) is in_doubt, (seed, event, before)
                counted[f"{event}, {'in doubt' if in_doubt else 'trusted'}"] += 1
            if event in {"certain", "approved"} or (event == "weak" and vouched is None):
                vouched = live
            elif event in {"created", "lost"}:
                vouched = live if event == "created" else None
            anew = frozenset({IN}) if event in {"created", "lost"} else frozenset()
            visible = {IN: live} if not absent or event == "created" else {}
            before = remembered(
                {at: one for at, one in before.items() if at == IN}, visible, held=frozenset(released), anew=anew
            )
            assert before.get(IN) == vouched, (seed, event)
    assert all(counted[f"{event}, {end}"] > 3 for event in ("weak", "approved") for end in ("in doubt", "trusted"))
    assert counted["certain, trusted"] > 3
