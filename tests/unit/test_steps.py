"""The whole network on its way through a plan: which call may come next, judged from end to end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.network import NetworkAcl
from desired_state.rules import Egress, EgressEntries, Ingress, IngressEntries, Routes
from reconciler.kinds import live_network
from reconciler.model import Action, Cause, Effect, Operation, Phase, Reason, Risk, Snapshot
from reconciler.reach.network import (
    ACL_OF,
    GROUPS_OF,
    MAIN,
    OF_VPC,
    PUBLIC,
    SUBNETS_OF,
    TABLE_OF,
    USABLE,
    Cell,
    entries,
    routes,
    rules,
)
from reconciler.reach.steps import MOST_STATES, Breach, Steps
from tests.support.worlds import (
    ALL_ENTRIES,
    APP,
    BACK1,
    BACK2,
    DATABASE,
    DB,
    FRONT,
    GATEWAY,
    IN,
    INSIDE,
    OUT,
    OUTSIDE,
    SUBNET_GROUP,
    WEB,
    document,
    drifted,
    seen,
)

CALL = Operation("ec2", "AnyCall", Phase.BIND, Risk.TRAFFIC)
ANYWHERE = "0.0.0.0/0"
ALL_OUT, SSH = RuleKey("all", -1, -1, ANYWHERE), RuleKey("tcp", 22, 22, ANYWHERE)
HTTPS = RuleKey("tcp", 443, 443, ANYWHERE)
POSTGRES = RuleKey("tcp", 5432, 5432, "10.0.0.0/16")
EVERYTHING = AclEntry("allow", "all", -1, -1, ANYWHERE)
LOOK = seen(document())
MAIN_TABLE, DEFAULT_LIST = Address("rtb-0"), Address("acl-0")
UNREAD = Cause(Reason.UNREADABLE, "throttled")


def does(*effect: Effect) -> Action:
    return CALL.on(DB, "do it", effect=effect)


WIDEN = does((rules(DB, "egress"), ALL_OUT, True))
HOME = does((ACL_OF, BACK1, INSIDE))


def steps(look: Snapshot, actions: Iterable[Action]) -> Steps:
    return Steps(lambda: live_network(look), list(actions))


def only_in_this_order(look: Snapshot, first: Action, then: Action) -> None:
    """The second action may come only after the first one, which may come at once."""
    network = steps(look, [first, then])
    assert network.breach(then)
    assert not network.breach(first)
    network.advance(first)
    assert not network.breach(then)


def open_acl(look: Snapshot = LOOK, subnet: Address = BACK1) -> Snapshot:
    """One private subnet is behind an ACL that nobody declared and that lets everything through."""
    subnets = look.resources[INSIDE].spec.subnets - {subnet}
    acl = NetworkAcl(ingress=IngressEntries(ALL_ENTRIES), egress=EgressEntries(ALL_ENTRIES))
    return drifted(look, INSIDE, subnets=subnets, elsewhere={subnet: acl})


def unreadable(look: Snapshot, kind: str) -> Snapshot:
    """The same look, if nothing of a kind could be read."""
    gone = [at for at in look.resources if at.kind == kind]
    return replace(
        look,
        resources={at: one for at, one in look.resources.items() if at.kind != kind},
        neighbours={key: one for key, one in look.neighbours.items() if key[0] != kind},
        unreadable={**look.unreadable, **dict.fromkeys(gone, UNREAD)},
    )


def other_default(look: Snapshot, kind: str, aws_id: str, **fields: Any) -> Snapshot:
    """The same look, if somebody has changed the VPC's default ACL or main table, which nobody declares."""
    one = look.neighbours[kind, aws_id]
    assert one
    return replace(look, neighbours={**look.neighbours, (kind, aws_id): replace(one, spec=one.spec.but(**fields))})


def test_a_group_is_not_widened_again_while_a_subnet_is_behind_an_open_list() -> None:
    only_in_this_order(open_acl(drifted(LOOK, DB, egress=Egress())), HOME, WIDEN)


def test_a_gateway_is_not_attached_while_a_private_subnet_is_on_the_public_table() -> None:
    look = drifted(LOOK, GATEWAY, vpc="nowhere")
    public, private = look.resources[OUT].spec.subnets, look.resources[IN].spec.subnets
    look = drifted(drifted(look, OUT, subnets=public | {BACK1}), IN, subnets=private - {BACK1})
    only_in_this_order(look, does((TABLE_OF, BACK1, IN)), does((USABLE, GATEWAY, True)))


def test_a_route_goes_only_when_another_has_taken_its_packets_over() -> None:
    table = routes(OUT)
    look = drifted(LOOK, OUT, routes=Routes({"0.0.0.0/1": GATEWAY, "128.0.0.0/1": GATEWAY}))
    only_in_this_order(look, does((table, ANYWHERE, GATEWAY)), does((table, "0.0.0.0/1", None)))


def test_a_rule_for_a_group_is_not_taken_away_before_the_network_that_replaces_it() -> None:
    """The members of a group may have any address, so their packets are looked at by themselves."""
    of_group, name = RuleKey("tcp", 5432, 5432, WEB), rules(DB, "ingress")
    look = drifted(LOOK, DB, ingress={of_group: ""})
    only_in_this_order(look, does((name, POSTGRES, True)), does((name, of_group, None)))


def test_what_touches_no_packet_may_always_come() -> None:
    network = steps(LOOK, [does()])
    assert not network.breach(does())
    network.advance(does())


def test_a_subnet_that_does_not_exist_yet_has_nobody_in_it() -> None:
    look = replace(LOOK, resources={at: one for at, one in LOOK.resources.items() if at.kind != FRONT.kind})
    assert not steps(look, [WIDEN, HOME]).breach(WIDEN)


# What could not be read.


def test_a_gateway_is_not_attached_while_the_routes_are_unknown() -> None:
    look = unreadable(drifted(LOOK, GATEWAY, vpc="nowhere"), "route_table")
    attach = does((USABLE, GATEWAY, True))
    breach = steps(look, [attach]).breach(attach)
    assert breach
    assert f"what is routed to {GATEWAY}" in breach.message
    look = unreadable(drifted(LOOK, OUTSIDE, ingress=IngressEntries()), "route_table")
    allow = does((entries(OUTSIDE, "ingress"), 100, EVERYTHING))
    assert steps(look, [allow]).breach(allow)


@pytest.mark.parametrize("kind", ["security_group", "network_acl"])
def test_no_route_is_made_while_a_filter_is_unknown(kind: str) -> None:
    look = unreadable(drifted(LOOK, OUT, routes=Routes()), kind)
    route = does((routes(OUT), ANYWHERE, GATEWAY))
    assert steps(look, [route]).breach(route)


@pytest.mark.parametrize("kind", ["route_table", "network_acl"])
def test_no_rule_is_made_while_a_layer_of_the_subnet_is_unknown(kind: str) -> None:
    look = unreadable(drifted(LOOK, WEB, ingress=Ingress()), kind)
    allow = does((rules(WEB, "ingress"), HTTPS, True))
    assert steps(look, [allow]).breach(allow)


@pytest.mark.parametrize("kind", ["security_group", "network_acl", "route_table"])
def test_what_only_closes_is_done_however_little_is_known(kind: str) -> None:
    look = drifted(LOOK, WEB, ingress=Ingress({SSH: ""}))
    close = does((rules(WEB, "ingress"), SSH, None))
    if kind != "security_group":
        assert not steps(unreadable(look, kind), [close]).breach(close)
    entry = does((entries(OUTSIDE, "ingress"), 100, None))
    if kind != "network_acl":
        assert not steps(unreadable(look, kind), [entry]).breach(entry)


def test_a_subnet_that_may_be_on_the_one_table_that_could_not_be_read_is_not_on_the_main_one() -> None:
    look = drifted(LOOK, WEB, ingress=Ingress())
    look = replace(
        look,
        resources={at: one for at, one in look.resources.items() if at != OUT},
        unreadable={OUT: Cause(Reason.UNREADABLE, "a value that is not supported")},
    )
    allow = does((rules(WEB, "ingress"), HTTPS, True))
    assert steps(look, [allow]).breach(allow)


def test_nothing_is_opened_while_the_subnets_are_unknown() -> None:
    look = drifted(LOOK, WEB, ingress=Ingress())
    for kind in (
        "subnet",
        "route_table",
        "network_acl",
        "db_subnet_group",
    ):  # what shows ids of subnets is unreadable too
        look = unreadable(look, kind)
    allow = does((rules(WEB, "ingress"), HTTPS, True))
    assert steps(look, [allow]).breach(allow)


def test_no_way_in_is_opened_while_the_databases_are_unknown() -> None:
    """One of them may be public that is not to be."""
    look = unreadable(drifted(LOOK, OUT, routes=Routes()), "db_instance")
    route = does((routes(OUT), ANYWHERE, GATEWAY))
    assert steps(look, [route]).breach(route)
    assert not steps(drifted(LOOK, OUT, routes=Routes()), [route]).breach(route)


@pytest.mark.parametrize("kind", ["security_group", "network_acl", "route_table"])
def test_no_rule_is_made_inside_the_vpc_while_a_declared_database_is_unknown(kind: str) -> None:
    """It may carry any groups, and reach by them what the document wants to be reached by others only."""
    look = drifted(drifted(LOOK, APP, ingress=Ingress()), INSIDE, egress=EgressEntries())
    opening = {
        "security_group": does((rules(APP, "ingress"), RuleKey("tcp", 8000, 8000, WEB), True)),
        "network_acl": does((entries(INSIDE, "egress"), 100, EVERYTHING._replace(cidr="10.0.0.0/16"))),
        "route_table": does((routes(OUT), "10.1.0.0/16", "pcx-0a1b2c3d")),
    }[kind]
    breach = steps(unreadable(look, "db_instance"), [opening]).breach(opening)
    assert breach
    assert breach.message.endswith(f", as far as can be told while {DATABASE} is not known")
    assert not steps(look, [opening]).breach(opening)
    nowhere = replace(unreadable(look, "db_instance"), unreadable=dict.fromkeys([Address("db_instance/*")], UNREAD))
    assert not steps(nowhere, [opening]).breach(opening), "what nobody declares stays as it is"


def test_what_closes_does_not_wait_for_the_databases() -> None:
    look = unreadable(drifted(LOOK, APP, ingress=Ingress({SSH: ""})), "db_instance")
    close = does((rules(APP, "ingress"), SSH, None))
    assert not steps(look, [close]).breach(close)


def test_what_closes_waits_with_what_is_to_take_its_place() -> None:
    """A machine may have both groups, whether or not it is the database."""
    look = drifted(drifted(LOOK, DB, ingress=Ingress()), APP, ingress=Ingress({POSTGRES: ""}))
    allow, revoke = does((rules(DB, "ingress"), POSTGRES, True)), does((rules(APP, "ingress"), POSTGRES, None))
    network = steps(unreadable(look, "db_instance"), [allow, revoke])
    breaches = [network.breach(one) for one in (allow, revoke)]
    assert [one and one.reason for one in breaches] == [Reason.WOULD_OPEN, Reason.WOULD_CUT]


def test_a_database_becomes_public_only_in_subnets_whose_routes_are_known() -> None:
    """With the same routes, whatever they are, it was not reached before."""
    written = LOOK.resources[DATABASE].facts.now
    look = drifted(LOOK, DATABASE, now={**written, "publicly_accessible": False})
    look = drifted(drifted(look, DB, ingress=Ingress({SSH: ""})), INSIDE, ingress=IngressEntries(ALL_ENTRIES))
    publish = does((PUBLIC, DATABASE, True))
    assert not steps(look, [publish]).breach(publish)
    for kind in ("route_table", "db_subnet_group"):
        assert steps(unreadable(look, kind), [publish]).breach(publish)
    closed = unreadable(drifted(look, DB, ingress=Ingress({POSTGRES: ""}), egress=Egress()), "route_table")
    assert not steps(closed, [publish]).breach(publish), "no group lets in anybody from outside"


@pytest.mark.parametrize("layer", ["network_acl", "route_table"])
def test_a_subnet_leaves_what_could_not_be_read_when_the_rest_is_closed(layer: str) -> None:
    """What it leaves may have let through nothing, so what it comes to may open the way to an undeclared rule."""
    known = {"network_acl": INSIDE, "route_table": IN}[layer]
    look = drifted(LOOK, INSIDE, egress=EgressEntries(ALL_ENTRIES))
    look = drifted(look, IN, routes=Routes({ANYWHERE: "nat-0a1b2c3d"}))
    look = drifted(look, DB, egress=Egress({ALL_OUT: ""}))
    look = drifted(look, known, subnets=look.resources[known].spec.subnets - {BACK1})
    look = replace(look, neighbours={**look.neighbours, (layer, "a-stranger"): None})
    home = HOME if layer == "network_acl" else does((TABLE_OF, BACK1, IN))
    close = does((rules(DB, "egress"), ALL_OUT, None))
    only_in_this_order(look, close, home)


@pytest.mark.parametrize("layer", ["network_acl", "route_table"])
def test_what_may_be_used_by_default_opens_nothing_to_a_subnet_that_may_use_it(layer: str) -> None:
    """The subnet is to use what could not be read, and nothing shows that it does."""
    unread = {"network_acl": INSIDE, "route_table": IN}[layer]
    look = replace(
        LOOK, resources={at: one for at, one in LOOK.resources.items() if at != unread}, unreadable={unread: UNREAD}
    )
    inside = AclEntry("allow", "tcp", 22, 22, "10.0.0.0/16")
    look = other_default(look, "network_acl", DEFAULT_LIST, ingress=IngressEntries({50: inside}))
    look = other_default(look, "route_table", MAIN_TABLE, routes=Routes({"10.1.0.0/16": "pcx-0a1b2c3d"}))
    opening, closing = {
        "network_acl": (
            does((entries(DEFAULT_LIST, "ingress"), 100, EVERYTHING)),
            does((entries(DEFAULT_LIST, "ingress"), 50, None)),
        ),
        "route_table": (
            does((routes(MAIN_TABLE), ANYWHERE, GATEWAY)),
            does((routes(MAIN_TABLE), "10.1.0.0/16", None)),
        ),
    }[layer]
    assert steps(look, [opening]).breach(opening)
    assert not steps(look, [closing]).breach(closing)


def test_a_database_does_not_join_a_group_that_could_not_be_read() -> None:
    look = drifted(LOOK, DATABASE, groups=frozenset({DB}))
    look = replace(
        look, resources={at: one for at, one in look.resources.items() if at != WEB}, unreadable={WEB: UNREAD}
    )
    join = does((GROUPS_OF, DATABASE, frozenset({DB, WEB})))
    assert steps(look, [join]).breach(join)
    has = drifted(look, DATABASE, groups=frozenset({DB, WEB, APP}))
    assert not steps(has, [join]).breach(join), "it keeps the group that could not be read, and leaves another one"
    assert steps(drifted(look, DATABASE, groups=frozenset({WEB})), [join]).breach(join), "WEB may let in nobody"


def test_a_database_in_subnets_that_could_not_be_read_is_judged_by_its_groups() -> None:
    look = drifted(drifted(LOOK, DATABASE, groups=frozenset({APP})), APP, ingress=Ingress({POSTGRES: ""}))
    look = drifted(look, DB, ingress=Ingress({POSTGRES: ""}), egress=look.resources[APP].spec.egress)
    join, revoke = does((GROUPS_OF, DATABASE, frozenset({DB}))), does((rules(APP, "ingress"), POSTGRES, None))
    only_in_this_order(unreadable(look, "db_subnet_group"), join, revoke)


# Machines without a public address.


def test_a_subnet_comes_to_a_table_when_its_way_through_a_nat_gateway_is_gone() -> None:
    """The way that it leaves is one for machines with a public address only."""
    look = drifted(LOOK, IN, routes=Routes({ANYWHERE: "nat-0a1b2c3d"}))
    look = drifted(look, INSIDE, egress=EgressEntries(ALL_ENTRIES))
    public, private = look.resources[OUT].spec.subnets, look.resources[IN].spec.subnets
    look = drifted(drifted(look, OUT, subnets=public | {BACK1}), IN, subnets=private - {BACK1})
    only_in_this_order(look, does((routes(IN), ANYWHERE, None)), does((TABLE_OF, BACK1, IN)))


def test_machines_behind_a_nat_gateway_are_not_cut_off_by_an_internet_gateway_on_the_way() -> None:
    look = drifted(LOOK, IN, routes=Routes({ANYWHERE: "nat-0a1b2c3d"}))
    look = drifted(look, INSIDE, egress=EgressEntries(ALL_ENTRIES))
    move, route = does((TABLE_OF, BACK1, OUT)), does((routes(OUT), ANYWHERE, "nat-0a1b2c3d"))
    breach = steps(look, [move, route]).breach(move)
    assert breach == Breach(
        Reason.WOULD_CUT, Address(""), f"it would cut tcp 0 to 0.0.0.0 for machines without a public address in {BACK1}"
    )
    only_in_this_order(look, route, move)


def test_a_subnet_comes_to_the_main_table_when_another_one_takes_the_place_of_that_with_a_nat_gateway() -> None:
    look = other_default(LOOK, "route_table", MAIN_TABLE, routes=Routes({ANYWHERE: "nat-0a1b2c3d"}))
    look = drifted(look, INSIDE, egress=EgressEntries(ALL_ENTRIES))
    public, private = look.resources[OUT].spec.subnets, look.resources[IN].spec.subnets
    look = drifted(drifted(look, OUT, subnets=public | {BACK1}), IN, subnets=private - {BACK1})
    only_in_this_order(look, does((MAIN, OF_VPC, IN)), does((TABLE_OF, BACK1, None)))


def test_a_group_is_widened_when_its_machines_are_no_longer_behind_a_nat_gateway() -> None:
    """Those without a public address reach nobody then."""
    look = drifted(drifted(LOOK, IN, routes=Routes({ANYWHERE: "nat-0a1b2c3d"})), DB, egress=Egress())
    look = drifted(look, INSIDE, egress=EgressEntries(ALL_ENTRIES))
    only_in_this_order(look, does((TABLE_OF, BACK1, OUT), (TABLE_OF, BACK2, OUT)), WIDEN)


# Places that nobody declares.


def test_a_subnet_leaves_for_the_main_table_only_when_that_has_its_routes() -> None:
    leave = does((TABLE_OF, FRONT, None))
    route = does((routes(MAIN_TABLE), ANYWHERE, GATEWAY))
    only_in_this_order(LOOK, route, leave)


def test_another_main_table_is_an_opening_for_every_subnet_on_it() -> None:
    look = drifted(LOOK, IN, subnets=frozenset())
    exchange = does((MAIN, OF_VPC, OUT))
    homes = does((TABLE_OF, BACK1, IN), (TABLE_OF, BACK2, IN))
    only_in_this_order(look, homes, exchange)


def test_a_subnet_behind_an_undeclared_acl_is_judged_by_its_entries() -> None:
    """Most people declare no ACLs: a gateway and a route, put right in the wrong order, would cut the subnet off."""
    look = replace(
        LOOK,
        resources={at: one for at, one in LOOK.resources.items() if at.kind != INSIDE.kind},
    )
    half = {"0.0.0.0/1": GATEWAY, "128.0.0.0/1": GATEWAY}
    table = routes(OUT)
    only_in_this_order(
        drifted(look, OUT, routes=Routes(half)), does((table, ANYWHERE, GATEWAY)), does((table, "128.0.0.0/1", None))
    )


# Two ends, two groups, and databases.


def test_what_one_end_lets_out_waits_until_the_other_end_no_longer_lets_it_in() -> None:
    """Neither state lets a database speak to the back end: today it may not speak, and tomorrow nobody listens."""
    talk = RuleKey("tcp", 8000, 8000, "10.0.0.0/16")
    look = drifted(drifted(LOOK, DB, egress=Egress()), APP, ingress=Ingress({talk: ""}))
    speak, deafen = does((rules(DB, "egress"), talk, True)), does((rules(APP, "ingress"), talk, None))
    only_in_this_order(look, deafen, speak)


def test_ends_in_different_subnets_that_never_meet_wait_for_nobody() -> None:
    talk = RuleKey("tcp", 8000, 8000, "10.9.0.0/16")
    look = drifted(drifted(LOOK, DB, egress=Egress()), APP, ingress=Ingress({talk: ""}))
    speak, deafen = does((rules(DB, "egress"), talk, True)), does((rules(APP, "ingress"), talk, None))
    assert not steps(look, [speak, deafen]).breach(speak)


def test_a_rule_is_allowed_in_one_group_of_a_machine_before_it_is_revoked_in_the_other() -> None:
    look = drifted(drifted(LOOK, DB, ingress=Ingress()), APP, ingress=Ingress({POSTGRES: ""}))
    allow, revoke = does((rules(DB, "ingress"), POSTGRES, True)), does((rules(APP, "ingress"), POSTGRES, None))
    only_in_this_order(look, allow, revoke)


def test_machines_that_let_each_other_in_by_either_of_two_groups_are_never_cut_off() -> None:
    """Both machines have both groups: one rule names the one, the rule that takes its place names the other."""
    own, other = RuleKey("tcp", 443, 443, APP), RuleKey("tcp", 443, 443, DB)
    look = drifted(drifted(LOOK, DB, ingress=Ingress()), APP, ingress=Ingress({own: ""}))
    allow, revoke = does((rules(DB, "ingress"), other, True)), does((rules(APP, "ingress"), own, None))
    only_in_this_order(look, allow, revoke)


def test_what_will_not_come_keeps_nothing_else_open() -> None:
    look = drifted(drifted(LOOK, DB, ingress=Ingress()), APP, ingress=Ingress({POSTGRES: ""}))
    allow, revoke = does((rules(DB, "ingress"), POSTGRES, True)), does((rules(APP, "ingress"), POSTGRES, None))
    assert not Steps(lambda: live_network(look), [allow, revoke], [revoke]).breach(revoke)


def test_a_database_gets_other_groups_only_behind_the_right_acl() -> None:
    look = open_acl(drifted(LOOK, DATABASE, groups=frozenset()))
    look = drifted(look, DB, ingress=Ingress({POSTGRES: ""}))
    join = does((GROUPS_OF, DATABASE, frozenset({DB})))
    only_in_this_order(look, HOME, join)


def test_a_database_becomes_public_only_behind_the_right_acl() -> None:
    written = LOOK.resources[DATABASE].facts.now
    look = open_acl(drifted(LOOK, DATABASE, now={**written, "publicly_accessible": False}))
    look = drifted(drifted(look, DB, ingress=Ingress({SSH: ""})), IN, routes=Routes({ANYWHERE: GATEWAY}))
    only_in_this_order(look, HOME, does((PUBLIC, DATABASE, True)))


def test_nothing_is_put_into_a_new_subnet_before_it_is_behind_its_own_acl() -> None:
    new = Address("subnet/New")
    made = does((Cell(SUBNETS_OF.table.SUBNETS), new, ("10.0.9.0/24",)))
    bound = does((ACL_OF, new, INSIDE), (TABLE_OF, new, IN))
    moved = does((SUBNETS_OF, SUBNET_GROUP, frozenset({BACK1, new})))
    network = steps(LOOK, [made, bound, moved])
    network.advance(made)
    assert network.breach(moved)
    assert not network.breach(bound)
    network.advance(bound)
    assert not network.breach(moved)


# What may or may not have been done.


def test_what_depends_on_a_call_that_may_not_have_been_done_waits() -> None:
    look = open_acl(drifted(LOOK, DB, egress=Egress()))
    network = steps(look, [WIDEN, HOME])
    network.advance(HOME, certain=False)
    assert network.breach(WIDEN)
    assert not network.breach(HOME)


def test_too_many_unknown_outcomes_end_the_judgement() -> None:
    calls = [does((rules(DB, "egress"), RuleKey("udp", port, port, ANYWHERE), True)) for port in range(4)]
    network = steps(LOOK, calls)
    for call in calls:
        assert not network.lost
        network.advance(call, certain=False)
    assert 2 ** len(calls) > MOST_STATES
    assert network.lost


def test_a_breach_says_what_would_happen_and_where() -> None:
    network = steps(open_acl(drifted(LOOK, DB, egress=Egress())), [WIDEN, HOME])
    assert network.breach(WIDEN) == Breach(
        Reason.WOULD_OPEN, DB, f"it would let through tcp 0 to 10.0.0.0 for {DB} in {BACK1}"
    )
    revoke = does((rules(DB, "ingress"), next(iter(LOOK.resources[DB].spec.ingress)), None))
    network = Steps(lambda: live_network(LOOK), [], [])
    assert not network.breach(revoke), "without an action with an effect, nothing is judged"


def test_a_database_that_carries_a_group_is_let_in_where_a_rule_names_it() -> None:
    """What it says reaches whoever lets that group in, although no rule of theirs changes."""
    of_web = RuleKey("tcp", 8000, 8000, WEB)
    look = drifted(drifted(LOOK, DATABASE, groups=frozenset({WEB})), APP, ingress=Ingress({of_web: ""}))
    look = drifted(look, INSIDE, egress=EgressEntries())
    leave, speak = does((GROUPS_OF, DATABASE, frozenset({DB}))), does((entries(INSIDE, "egress"), 100, EVERYTHING))
    only_in_this_order(look, leave, speak)


def test_a_rule_for_a_network_stays_until_the_database_has_the_group_that_replaces_it() -> None:
    of_db = RuleKey("tcp", 8000, 8000, DB)
    wide = RuleKey("tcp", 8000, 8000, "10.0.0.0/16")
    look = drifted(drifted(LOOK, DATABASE, groups=frozenset()), APP, ingress=Ingress({of_db: "", wide: ""}))
    join, narrow = does((GROUPS_OF, DATABASE, frozenset({DB}))), does((rules(APP, "ingress"), wide, None))
    only_in_this_order(look, join, narrow)


def test_a_nat_gateway_lets_nobody_in() -> None:
    """So a route through the internet gateway in its place is an opening, and waits until the group is closed."""
    dns = RuleKey("udp", 53, 53, "0.0.0.0/1")
    look = drifted(drifted(LOOK, OUT, routes=Routes({ANYWHERE: "nat-0a1b2c3d"})), WEB, ingress=Ingress({dns: ""}))
    look = drifted(look, OUTSIDE, ingress=IngressEntries(ALL_ENTRIES))
    close, route = does((rules(WEB, "ingress"), dns, None)), does((routes(OUT), ANYWHERE, GATEWAY))
    only_in_this_order(look, close, route)


def test_replies_through_a_nat_gateway_are_not_cut() -> None:
    """They come from outside, and no request does."""
    answers = AclEntry("allow", "tcp", 1024, 65535, "203.0.113.0/24")
    look = drifted(LOOK, IN, routes=Routes({ANYWHERE: "nat-0a1b2c3d"}))
    look = drifted(look, INSIDE, ingress=IngressEntries({100: answers}))
    add, remove = does((entries(INSIDE, "ingress"), 90, answers)), does((entries(INSIDE, "ingress"), 100, None))
    only_in_this_order(look, add, remove)
