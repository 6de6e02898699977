"""The packet oracle of the runs, asked about small networks by hand: it sees what it is there for, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from tests.support.packets import Database, Entry, Rule, Sides, State, violations

ANYBODY, VPC = "0.0.0.0/0", "10.0.0.0/16"
ALL = Rule("-1", -1, -1, ANYBODY)
OPEN = (Entry(100, "allow", "-1", -1, -1, ANYBODY), Entry(32767, "deny", "-1", -1, -1, ANYBODY))
SHUT = OPEN[1:]
NOTHING: frozenset[Rule] = frozenset()
LOCAL, OUT, NAT = (VPC, "local"), (ANYBODY, "igw-1"), (ANYBODY, "nat-1")
HTTPS, SSH = Rule("tcp", 443, 443, "sg-client"), Rule("tcp", 22, 22, ANYBODY)


def state(
    client: Iterable[Rule] = (ALL,),
    server: Iterable[Rule] = (HTTPS,),
    back: Iterable[Rule] = (),
    front_acl: Sides[tuple[Entry, ...]] = (OPEN, OPEN),
    back_acl: Sides[tuple[Entry, ...]] = (OPEN, OPEN),
    routes: Iterable[tuple[str, str]] = (LOCAL, OUT),
    attached: frozenset[str] = frozenset({"igw-1"}),
) -> State:
    """A client's group with a way out, a server's with a way in, and another of the server; two subnets."""
    return State(
        networks=(VPC,),
        subnets=(("subnet-back", "10.0.2.0/24"), ("subnet-front", "10.0.1.0/24")),
        groups=(
            ("sg-back", (frozenset(back), NOTHING)),
            ("sg-client", (NOTHING, frozenset(client))),
            ("sg-server", (frozenset(server), NOTHING)),
        ),
        acls=(("acl-back", back_acl), ("acl-front", front_acl)),
        acl_of=(("subnet-back", "acl-back"), ("subnet-front", "acl-front")),
        tables=(("rtb-main", frozenset(routes)),),
        table_of=(),
        main="rtb-main",
        attached=attached,
        databases=(),
    )


def found(before: State, after: State, between: State) -> set[tuple[str, str]]:
    """What happens, and between which two ends, without their subnets."""
    told = [one.partition(", ")[2] for one in violations(before, after, [between])]
    pairs = [one.partition(": ") for one in told]
    return {
        (what.split()[0], " -> ".join(end.split(" in ")[0] for end in ends.split(" -> "))) for ends, _, what in pairs
    }


SERVED = ("cut", "sg-client -> sg-server")
_CUTS: dict[str, State] = {
    "no rule": state(server=()),
    "no way out": state(client=()),
    "the target's ACL in": state(back_acl=(SHUT, OPEN), front_acl=(SHUT, OPEN)),
    "the source's ACL out": state(back_acl=(OPEN, SHUT), front_acl=(OPEN, SHUT)),
    "the rule names somebody else": state(server=(HTTPS._replace(peer="sg-back"),)),
}


@pytest.mark.parametrize("between", _CUTS.values(), ids=_CUTS.keys())
def test_what_both_sides_let_through_and_one_filter_stops_is_cut(between: State) -> None:
    assert SERVED in found(state(), state(), between)


def test_a_conversation_without_its_replies_is_cut() -> None:
    acl = (OPEN, (Entry(90, "deny", "tcp", 1024, 65535, VPC), *OPEN))
    told = violations(state(), state(), [state(back_acl=acl)])
    assert told
    assert all("cut the replies tcp" in one for one in told)


def test_no_acl_is_asked_within_a_subnet() -> None:
    shut = state(front_acl=(SHUT, SHUT), back_acl=(SHUT, SHUT), client=(), routes=(LOCAL,))
    assert found(shut, shut, state(front_acl=(SHUT, SHUT), back_acl=(SHUT, SHUT), routes=(LOCAL,))) == {
        ("exposed", "sg-client -> sg-server"),
        ("exposed", "sg-client -> sg-client+sg-server"),
        ("exposed", "sg-client -> sg-back+sg-server"),
        ("exposed", "sg-client+sg-server -> sg-server"),
        ("exposed", "sg-client+sg-server -> sg-client+sg-server"),
        ("exposed", "sg-client+sg-server -> sg-back+sg-server"),
        ("exposed", "sg-back+sg-client -> sg-server"),
        ("exposed", "sg-back+sg-client -> sg-client+sg-server"),
        ("exposed", "sg-back+sg-client -> sg-back+sg-server"),
    }


def test_two_ends_that_each_stand_as_somebody_wants_expose_what_nobody_wants() -> None:
    assert ("exposed", "sg-client -> sg-server") in found(state(client=()), state(server=()), state())


def test_a_layer_may_open_behind_one_that_stays_shut() -> None:
    shut = state(server=(), back_acl=(SHUT, OPEN), front_acl=(SHUT, OPEN), client=())
    assert found(shut, shut, replace(shut, acls=state().acls)) == set()


def test_a_machine_with_both_groups_keeps_a_rule_that_moves_between_them_only_if_one_has_it() -> None:
    before, after = state(), state(server=(), back=(HTTPS,))
    assert found(before, after, state(back=(HTTPS,))) == set()
    assert ("cut", "sg-client -> sg-back+sg-server") in found(before, after, state(server=()))


_FROM_OUTSIDE: dict[str, State] = {
    "a rule": state(server=(HTTPS, SSH)),
    "a rule, and a detached gateway": state(server=(HTTPS, SSH), attached=frozenset()),
    "a rule, and a NAT gateway": state(server=(HTTPS, SSH), routes=(LOCAL, NAT)),
    "a rule, and no route": state(server=(HTTPS, SSH), routes=(LOCAL,)),
    "a rule, and a longer route": state(
        server=(HTTPS, SSH), routes=(LOCAL, OUT, ("0.0.0.0/1", "blackhole"), ("128.0.0.0/1", "blackhole"))
    ),
}


@pytest.mark.parametrize(("name", "between"), _FROM_OUTSIDE.items(), ids=_FROM_OUTSIDE.keys())
def test_the_internet_comes_in_through_an_attached_gateway_only(name: str, between: State) -> None:
    told = found(state(), state(), between)
    assert (("exposed", "the internet -> sg-server") in told) is (name == "a rule")


def test_a_machine_without_a_public_address_reaches_the_internet_through_a_nat_gateway_only() -> None:
    told = violations(state(routes=(LOCAL, NAT)), state(routes=(LOCAL, NAT)), [state()])
    assert {one.split(": ")[0].partition(", ")[2] for one in told if "exposed" not in one} == {
        f"{groups} in {subnet}, private -> the internet"
        for groups in ("sg-client", "sg-back+sg-client", "sg-client+sg-server")
        for subnet in ("subnet-front", "subnet-back")
    }


def _with(groups: Iterable[str], *, public: bool = False) -> Callable[[State], State]:
    held = Database(frozenset(groups), public, frozenset({"subnet-back"}))
    return lambda one: replace(one, databases=(("data", held),))


def test_a_database_stands_with_its_groups_where_its_subnet_group_is() -> None:
    shut, opened = _with(["sg-back"]), _with(["sg-server"])
    assert ("exposed", "sg-client -> data") in found(shut(state()), shut(state()), opened(state()))
    assert ("cut", "sg-client -> data") in found(opened(state()), opened(state()), shut(state()))
    assert found(opened(state()), shut(state()), opened(state())) == set()
    assert ("exposed", "data -> sg-server") in found(
        shut(state(client=())), shut(state(client=())), _with(["sg-client"])(state())
    )


def test_a_private_database_is_not_reached_from_the_internet() -> None:
    before = _with(["sg-server"])(state())
    opened = state(server=(HTTPS, SSH))
    assert ("exposed", "the internet -> data") not in found(before, before, _with(["sg-server"])(opened))
    assert ("exposed", "the internet -> data") in found(before, before, _with(["sg-server"], public=True)(opened))


def test_nobody_stands_in_a_new_subnet_but_a_database_that_is_put_there() -> None:
    more = replace(
        state(server=(HTTPS, SSH)),
        subnets=(*state().subnets, ("subnet-new", "10.0.3.0/24")),
        acl_of=(*state().acl_of, ("subnet-new", "acl-front")),
    )
    shut = replace(more, groups=state().groups)
    assert found(state(), shut, shut) == set()
    new = Database(frozenset({"sg-server"}), True, frozenset({"subnet-new"}))
    assert ("exposed", "the internet -> data") in found(state(), shut, replace(more, databases=(("data", new),)))


def test_a_breach_is_told_once_and_again_when_it_comes_back() -> None:
    exposed = state(server=(HTTPS, SSH))
    told = violations(state(), state(), [exposed, exposed, state(), exposed])
    inwards = [one for one in told if "the internet -> sg-server in subnet-back:" in one]
    assert [one.partition(",")[0] for one in inwards] == ["after write 1", "after write 4"]
