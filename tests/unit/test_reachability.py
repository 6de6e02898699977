"""The whole network on its way through a plan: what one layer may do only after another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from desired_state.fields import AclEntry, RuleKey
from desired_state.rules import Egress, Routes
from reconciler.model import Action, Operation, Phase, Risk, Snapshot
from reconciler.packets.reachability import ACL_OF, ATTACHED, TABLE_OF, Reachability, cell
from tests.support.worlds import BACK1, DB, FRONT, GATEWAY, IN, INSIDE, OUT, VPC, WEB, document, drifted, seen

CALL = Operation("ec2", "AnyCall", Phase.BIND, Risk.TRAFFIC)
ALL_OUT, SSH = RuleKey("all", -1, -1, "0.0.0.0/0"), RuleKey("tcp", 22, 22, "0.0.0.0/0")
LOOK = seen(document())


def does(*effect: tuple[str, Any, Any]) -> Action:
    return CALL.on(DB, "do it", effect=effect)


WIDEN = does((cell(DB, "egress"), ALL_OUT, True))
HOME = does((ACL_OF, BACK1, INSIDE))


def behind_an_open_list(look: Snapshot) -> Snapshot:
    """One private subnet is behind an ACL that nobody declared and that lets everything through."""
    subnets = look.resources[INSIDE].spec.subnets - {BACK1}  # type: ignore[attr-defined]
    everything = {100: AclEntry("allow", "all", -1, -1, "0.0.0.0/0")}
    elsewhere = {BACK1: {"ingress": everything, "egress": everything}}
    return drifted(look, INSIDE, subnets=subnets, facts={"elsewhere": elsewhere})


def test_a_group_is_not_widened_again_while_a_subnet_is_behind_an_open_list() -> None:
    look = behind_an_open_list(drifted(LOOK, DB, egress=Egress()))
    ways = Reachability(look, VPC, [WIDEN, HOME])
    assert ways.feasible
    assert (ways.allow(WIDEN), ways.allow(HOME)) == (False, True)
    ways.take(HOME)
    assert ways.allow(WIDEN)


def test_a_gateway_is_not_attached_while_a_private_subnet_is_on_the_public_table() -> None:
    look = drifted(LOOK, GATEWAY, vpc="nowhere")
    public, private = look.resources[OUT].spec.subnets, look.resources[IN].spec.subnets  # type: ignore[attr-defined]
    look = drifted(drifted(look, OUT, subnets=public | {BACK1}), IN, subnets=private - {BACK1})
    attach, leave = does((ATTACHED, GATEWAY, True)), does((TABLE_OF, BACK1, IN))
    ways = Reachability(look, VPC, [attach, leave])
    assert (ways.allow(attach), ways.allow(leave)) == (False, True)
    ways.take(leave)
    assert ways.allow(attach)


def test_a_route_goes_only_when_another_has_taken_its_packets_over() -> None:
    routes = cell(OUT, "routes")
    look = drifted(LOOK, OUT, routes=Routes({"0.0.0.0/1": GATEWAY, "128.0.0.0/1": GATEWAY}))
    whole, half = does((routes, "0.0.0.0/0", GATEWAY)), does((routes, "0.0.0.0/1", None))
    ways = Reachability(look, VPC, [whole, half])
    assert (ways.allow(half), ways.allow(whole)) == (False, True)


def test_a_rule_for_a_group_is_not_taken_away_before_the_network_that_replaces_it() -> None:
    """The members of a group may have any address, so their packets are looked at by themselves."""
    of_group, of_network = RuleKey("tcp", 5432, 5432, WEB), RuleKey("tcp", 5432, 5432, "10.0.0.0/16")
    name = cell(DB, "ingress")
    look = drifted(LOOK, DB, ingress={of_group: ""})
    come, go = does((name, of_network, True)), does((name, of_group, None))
    ways = Reachability(look, VPC, [come, go])
    assert (ways.allow(go), ways.allow(come)) == (False, True)


def test_what_touches_no_packet_may_always_come() -> None:
    ways = Reachability(LOOK, VPC, [does()])
    assert ways.allow(does())
    assert not ways.feasible


def test_a_plan_that_touches_too_many_groups_is_not_followed() -> None:
    group = LOOK.resources[DB]
    many = {DB.of("security_group", f"g{n}"): group for n in range(700)}
    look = replace(LOOK, resources={**LOOK.resources, **many})
    assert not Reachability(look, VPC, [does((cell(at, "egress"), SSH, True)) for at in many]).feasible


def test_a_subnet_that_does_not_exist_yet_has_nobody_in_it() -> None:
    look = replace(LOOK, resources={at: one for at, one in LOOK.resources.items() if at.kind != FRONT.kind})
    assert not Reachability(look, VPC, [WIDEN]).feasible
