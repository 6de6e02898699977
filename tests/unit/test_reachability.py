"""The whole network on its way through a plan: what one layer may do only after another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from desired_state.fields import AclEntry, RuleKey
from desired_state.rules import Egress, Routes
from reconciler.kinds import effects
from reconciler.model import Action, Effect, Operation, Phase, Risk, Snapshot
from reconciler.packets.reachability import ACL_OF, ROUTES_OF, USABLE, Reachability, routes, rules
from tests.support.worlds import BACK1, DB, FRONT, GATEWAY, IN, INSIDE, OUT, VPC, WEB, document, drifted, seen

CALL = Operation("ec2", "AnyCall", Phase.BIND, Risk.TRAFFIC)
ALL_OUT, SSH = RuleKey("all", -1, -1, "0.0.0.0/0"), RuleKey("tcp", 22, 22, "0.0.0.0/0")
LOOK = seen(document())


def does(*effect: Effect) -> Action:
    return CALL.on(DB, "do it", effect=effect)


WIDEN = does((rules(DB, "egress"), ALL_OUT, True))
HOME = does((ACL_OF, BACK1, INSIDE))


def reachability(look: Snapshot, actions: Iterable[Action]) -> Reachability:
    return Reachability(lambda: effects(look, VPC), actions)


def behind_an_open_list(look: Snapshot) -> Snapshot:
    """One private subnet is behind an ACL that nobody declared and that lets everything through."""
    subnets = look.resources[INSIDE].spec.subnets - {BACK1}
    everything = {100: AclEntry("allow", "all", -1, -1, "0.0.0.0/0")}
    elsewhere = {BACK1: {"ingress": everything, "egress": everything}}
    return drifted(look, INSIDE, subnets=subnets, elsewhere=elsewhere)


def test_a_group_is_not_widened_again_while_a_subnet_is_behind_an_open_list() -> None:
    look = behind_an_open_list(drifted(LOOK, DB, egress=Egress()))
    network = reachability(look, [WIDEN, HOME])
    assert network.feasible
    assert (network.allows(WIDEN), network.allows(HOME)) == (False, True)
    network.advance(HOME)
    assert network.allows(WIDEN)


def test_a_gateway_is_not_attached_while_a_private_subnet_is_on_the_public_table() -> None:
    look = drifted(LOOK, GATEWAY, vpc="nowhere")
    public, private = look.resources[OUT].spec.subnets, look.resources[IN].spec.subnets
    look = drifted(drifted(look, OUT, subnets=public | {BACK1}), IN, subnets=private - {BACK1})
    attach, leave = does((USABLE, GATEWAY, True)), does((ROUTES_OF, BACK1, IN))
    network = reachability(look, [attach, leave])
    assert (network.allows(attach), network.allows(leave)) == (False, True)
    network.advance(leave)
    assert network.allows(attach)


def test_a_route_goes_only_when_another_has_taken_its_packets_over() -> None:
    table = routes(OUT)
    look = drifted(LOOK, OUT, routes=Routes({"0.0.0.0/1": GATEWAY, "128.0.0.0/1": GATEWAY}))
    whole, half = does((table, "0.0.0.0/0", GATEWAY)), does((table, "0.0.0.0/1", None))
    network = reachability(look, [whole, half])
    assert (network.allows(half), network.allows(whole)) == (False, True)


def test_a_rule_for_a_group_is_not_taken_away_before_the_network_that_replaces_it() -> None:
    """The members of a group may have any address, so their packets are looked at by themselves."""
    of_group, of_network = RuleKey("tcp", 5432, 5432, WEB), RuleKey("tcp", 5432, 5432, "10.0.0.0/16")
    name = rules(DB, "ingress")
    look = drifted(LOOK, DB, ingress={of_group: ""})
    come, go = does((name, of_network, True)), does((name, of_group, None))
    network = reachability(look, [come, go])
    assert (network.allows(go), network.allows(come)) == (False, True)


def test_what_touches_no_packet_may_always_come() -> None:
    network = reachability(LOOK, [does()])
    assert network.allows(does())
    assert not network.feasible


def test_a_plan_that_touches_too_many_groups_is_not_followed() -> None:
    group = LOOK.resources[DB]
    many = {DB.of("security_group", f"g{n}"): group for n in range(700)}
    look = replace(LOOK, resources={**LOOK.resources, **many})
    assert not reachability(look, [does((rules(at, "egress"), SSH, True)) for at in many]).feasible


def test_a_subnet_that_does_not_exist_yet_has_nobody_in_it() -> None:
    look = replace(LOOK, resources={at: one for at, one in LOOK.resources.items() if at.kind != FRONT.kind})
    assert not reachability(look, [WIDEN]).feasible
