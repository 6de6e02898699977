"""Who is who, rule by rule: what is found by what, and what a person is asked. Values in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.engine.identity import Identified, identify
from reconciler.engine.identity.blame import Blame, RuleError
from reconciler.kinds import REGISTRY
from reconciler.model import Evidence, Reason
from reconciler.model.kind import ObserveContext
from reconciler.model.read import ReadContext
from tests.support.worlds import document

VPC = "vpc-0a1b2c3d"
OTHER_ACCOUNT = "999999999999"
SUBNETS = {f"subnet-{number:08x}": Address(f"subnet/{name}") for number, name in enumerate("abcdef")}
IDS = {at.name: aws_id for aws_id, at in SUBNETS.items()}


def wanted(kind: str, section: dict[str, Any], **envelope: Any) -> Document:
    """A document with these resources of one kind, beside the subnets a to f."""
    subnets = {
        at.name: {"cidr_block": f"10.0.{number}.0/24", "availability_zone": "ap-northeast-2a"}
        for number, at in enumerate(SUBNETS.values())
    }
    resources = {"vpc": {"main": {"cidr_block": "10.0.0.0/16"}}, "subnet": subnets, kind: section}
    scope = {"account_id": "123456789012", "region": "ap-northeast-2"}
    return document({"version": 1, "name": "shop", "revision": 1, "scope": scope, "resources": resources, **envelope})


def tags(named: str = "", owner: str = "shop", name_tag: str = "") -> list[dict[str, str]]:
    ours = {"setpoint:document": owner, "setpoint:name": named} if named else {}
    return [{"Key": key, "Value": value} for key, value in (ours | ({"Name": name_tag} if name_tag else {})).items()]


def table(aws_id: str, subnets: str = "", *, main: bool = False, via: str = "", **tagged: str) -> dict[str, Any]:
    uses: list[dict[str, Any]] = [{"SubnetId": IDS[one], "RouteTableAssociationId": f"assoc-{one}"} for one in subnets]
    uses += [{"Main": True, "RouteTableAssociationId": "assoc-main"}] if main else []
    routes = [{"DestinationCidrBlock": "10.9.0.0/16", "VpcPeeringConnectionId": via, "Origin": "CreateRoute"}]
    made = {"RouteTableId": aws_id, "Associations": uses, "Routes": routes if via else [], "Tags": tags(**tagged)}
    return made | {"OwnerId": "123456789012"}


def declared(subnets: str | None = None, via: str = "", **more: Any) -> dict[str, Any]:
    uses = {} if subnets is None else {"subnets": [f"subnet/{one}" for one in subnets]}
    return {"routes": {"10.9.0.0/16": via} if via else {}, **uses, **more}


def who(
    kind: str, wants: Document, *items: dict[str, Any], names: Mapping[str, Address] = MappingProxyType(SUBNETS)
) -> Identified:
    context = ReadContext(wants, VPC, wants.of_kind(kind))
    answers: dict[Any, Any] = {read: list(items) for read in REGISTRY[kind].observe.reads(context)}
    return identify(REGISTRY[kind], items, ObserveContext(context, answers, names))


def tables(section: dict[str, Any], *items: dict[str, Any], **envelope: Any) -> Identified:
    return who("route_table", wanted("route_table", section, **envelope), *items)


def found(result: Identified) -> dict[str, tuple[str, Evidence]]:
    """name -> (id, evidence)"""
    return {at.name: (match.live.id, match.found.by) for at, match in result.matched.items()}


def asked(result: Identified) -> dict[str, str]:
    return {at.name: cause.message for at, cause in result.problems.items()}


A, B, C = "pcx-0000000a", "pcx-0000000b", "pcx-0000000c"


def test_tags_decide_before_names_and_seats() -> None:
    items = table("rtb-1", named="x"), table("rtb-2", "ab", name_tag="x")
    assert found(tables({"x": declared("ab")}, *items)) == {"x": ("rtb-1", Evidence.TAGS)}


def test_of_two_with_our_tags_the_one_in_use_is_it_and_the_spare_one_is_told() -> None:
    """A run that died after a call, and a next one that did not see what it had made, have made it twice."""
    used, spare = table("rtb-2", "a", via=A, named="x"), table("rtb-1", via=A, named="x")
    result = tables({"x": declared("a", A)}, spare, used)
    assert (found(result), result.spares) == ({"x": ("rtb-2", Evidence.TAGS)}, {"rtb-1"})
    theirs = used | {"OwnerId": OTHER_ACCOUNT}
    assert found(tables({"x": declared("a", A)}, spare, theirs)) == {"x": ("rtb-1", Evidence.TAGS)}


@pytest.mark.parametrize(
    "others",
    [
        [table("rtb-2", "a", via=B, named="x")],
        [table("rtb-2", "a", via=A, named="x"), table("rtb-3", "b", via=A, named="x")],
    ],
)
def test_where_it_is_not_certain_which_one_is_spare_a_person_is_asked(others: list[dict[str, Any]]) -> None:
    """The spare one reads as declared and the other not, or two are in use."""
    result = tables({"x": declared("a", A)}, table("rtb-1", via=A, named="x"), *others)
    assert (found(result), result.spares) == ({}, set())
    assert asked(result)["x"].startswith(f"{1 + len(others)} live resources could be it: rtb-1 and rtb-2")
    mend = "aws ec2 delete-route-table --route-table-id rtb-1 --region ap-northeast-2"
    assert asked(result)["x"].endswith(f"; or delete what nothing uses: {mend}")


def test_an_item_is_blamed_for_a_comparison_until_the_same_resource_fails_with_another() -> None:
    wants = wanted("route_table", {"x": declared()})
    at, resource = Address("route_table/x"), wants.resources[Address("route_table/x")]
    items = [table(f"rtb-{number}") for number in range(3)]
    blame = Blame(REGISTRY["route_table"], items, ObserveContext(ReadContext(wants, VPC, {at: resource}), {}, {}))
    blame.declared = {at: resource}
    blame.lay(RuleError("fits", (resource, items[0]), ZeroDivisionError()))
    assert (blame.items, blame.resources) == (items[1:], {})
    blame.lay(RuleError("fits", (resource, items[1]), ZeroDivisionError()))
    assert (blame.items, list(blame.resources)) == (items, [at])
    blame.lay(RuleError("fits", (resource, items[2]), ZeroDivisionError()))
    assert (blame.items, list(blame.resources)) == (items[:2], [at])
    with pytest.raises(ZeroDivisionError):
        blame.lay(RuleError("reads", (), ZeroDivisionError()))


def test_what_nobody_understands_is_what_its_tags_say_unless_they_are_another_documents() -> None:
    x, named = Address("route_table/x"), table("rtb-1", name_tag="x")
    odd = table("rtb-9", named="x") | {"OwnerId": 7}
    result = tables({"x": declared("")}, odd, named)
    assert (found(result), list(result.faults), result.candidates) == ({}, [x], {"rtb-9": x})
    assert result.placed == {"rtb-9": x}
    theirs = table("rtb-9", named="x", owner="network") | {"OwnerId": 7}
    assert found(tables({"x": declared("")}, theirs, named)) == {"x": ("rtb-1", Evidence.NAME)}
    alone = tables({"x": declared("")}, theirs)
    assert (alone.faults, alone.candidates, list(alone.aliens)) == ({}, {}, ["rtb-9"])


def test_a_name_and_a_seat_that_agree_are_enough_and_a_name_alone_where_no_seat_speaks() -> None:
    both = tables({"x": declared("ab")}, table("rtb-1", "ab", name_tag="x"), table("rtb-2", name_tag="x"))
    assert both.matched[Address("route_table/x")].found.how == "its Name tag, and its subnets use it"
    assert found(tables({"x": declared("ab")}, table("rtb-2", name_tag="x"))) == {"x": ("rtb-2", Evidence.NAME)}
    assert found(tables({"x": declared("ab")}, table("rtb-2", "a"))) == {"x": ("rtb-2", Evidence.SEATS)}


def test_a_seat_that_does_not_read_as_declared_gives_way_to_a_question_if_something_unused_does() -> None:
    items = table("rtb-1", "a", via=B), table("rtb-2", via=A)
    assert asked(tables({"x": declared("a", A)}, *items))["x"].startswith(
        "its subnets use rtb-1, which does not read as declared, and rtb-2, which has no subnet, does: "
    )
    assert found(tables({"x": declared("a", A)}, items[0])) == {"x": ("rtb-1", Evidence.SEATS)}


def test_names_that_were_exchanged_give_nothing_to_either_address() -> None:
    section = {"x": declared("a", A), "y": declared("", B)}
    result = tables(section, table("rtb-x", "a", via=A, name_tag="y"), table("rtb-y", via=B, name_tag="x"))
    assert found(result) == {}
    assert asked(result)["y"].startswith("rtb-x could be it, and could be route_table/x too: write which one it is")


def test_the_subnets_of_another_address_speak_against_a_name_unless_everything_else_speaks_for_it() -> None:
    section = {"x": declared("", A), "y": declared("bc", B)}
    certain = table("rtb-y", "c", via=B, named="y")
    drifted = tables(section, certain, table("rtb-x", "b", via=B, name_tag="x"))
    line = '"adopt": {"route_table/x": "rtb-x"}'
    assert asked(drifted) == {
        "x": "rtb-x is called 'x', but the subnets of route_table/y use it: "
        f'write which one it is: {line}, or "new" to have another made'
    }
    moved = tables(section, certain, table("rtb-x", "b", via=A, name_tag="x"))
    assert found(moved) == {"x": ("rtb-x", Evidence.NAME), "y": ("rtb-y", Evidence.TAGS)}
    theirs = table("rtb-9", "c", named="y", owner="network")
    unclear = tables(section, theirs, table("rtb-y", "b", via=A, name_tag="x"))
    assert (found(unclear), sorted(asked(unclear))) == ({}, ["x", "y"])


def test_a_name_alone_does_not_decide_while_another_document_has_one_of_that_name() -> None:
    theirs, named = table("rtb-1", named="x", owner="network"), table("rtb-2", "a", name_tag="x")
    result = tables({"x": declared("")}, theirs, named)
    assert result.problems[Address("route_table/x")].reason is Reason.FOREIGN
    assert asked(result)["x"].startswith("rtb-1 is it, but it belongs to the document 'network'")
    assert found(tables({"x": declared("a")}, theirs, named)) == {"x": ("rtb-2", Evidence.NAME)}


def test_a_name_and_a_network_that_agree_decide_although_another_document_has_a_vpc_with_both() -> None:
    vpcs = [{"VpcId": f"vpc-{number}", "CidrBlock": "10.0.0.0/16", "OwnerId": "123456789012"} for number in (1, 2)]
    theirs, named = vpcs[0] | {"Tags": tags("main", owner="network")}, vpcs[1] | {"Tags": tags(name_tag="main")}
    assert found(who("vpc", wanted("subnet", {}), theirs, named)) == {"main": ("vpc-2", Evidence.NAME)}


def test_a_subnet_on_the_main_table_is_no_evidence() -> None:
    assert found(tables({"x": declared("ab")}, table("rtb-1", "ab", main=True))) == {}


def test_a_former_name_counts_as_the_name_in_tags_and_in_the_name_tag() -> None:
    section = {"x": declared(formerly=["y"])}
    assert found(tables(section, table("rtb-1", named="y"))) == {"x": ("rtb-1", Evidence.TAGS)}
    assert found(tables(section, table("rtb-1", name_tag="y"))) == {"x": ("rtb-1", Evidence.NAME)}


def test_a_former_name_of_the_document_counts_for_what_it_declares_and_for_nothing_else() -> None:
    section = {"x": declared("a")}
    result = tables(section, table("rtb-1", "a", named="x", owner="old"), formerly=["old"])
    assert found(result) == {"x": ("rtb-1", Evidence.TAGS)}
    other = tables(section, table("rtb-1", "a", named="theirs", owner="old"), formerly=["old"])
    assert (found(other), other.owned) == ({}, set())
    assert "belongs to the document 'old'" in asked(other)["x"]


def test_what_has_a_name_that_is_declared_no_more_is_owned_unless_its_subnets_make_it_another() -> None:
    assert tables({"x": declared("a")}, table("rtb-1", "b", named="gone", via=A)).owned == {"rtb-1"}
    assert found(tables({"x": declared("a")}, table("rtb-1", "a", named="gone"))) == {"x": ("rtb-1", Evidence.SEATS)}


@pytest.mark.parametrize("main", [False, True])
def test_exchanged_tags_of_two_are_told_each_with_the_right_id(*, main: bool) -> None:
    flag = {"main": True} if main else {}
    section = {"x": declared("a", A, **flag), "y": declared("b", B)}
    items = table("rtb-x", "a", main=main, via=A, named="y"), table("rtb-y", "b", via=B, named="x")
    result = tables(section, *items)
    assert found(result) == {}
    assert asked(result)["x"] == (
        "rtb-y carries its tags and reads in everything as route_table/y, and the other way round: "
        'exchange their tags, or write "adopt": {"route_table/x": "rtb-x"}'
    )
    assert result.candidates.keys() == {"rtb-x", "rtb-y"}


def test_tags_that_went_round_in_a_circle_are_told_too() -> None:
    section = {"x": declared("a", A), "y": declared("b", B), "z": declared("c", C)}
    items = (
        table("rtb-x", "a", via=A, named="y"),
        table("rtb-y", "b", via=B, named="z"),
        table("rtb-z", "c", via=C, named="x"),
    )
    said = asked(tables(section, *items))
    assert {name: text.split('"')[-2] for name, text in said.items()} == {"x": "rtb-x", "y": "rtb-y", "z": "rtb-z"}
    assert all("and so on in a circle" in text for text in said.values())


def test_a_subnet_that_moved_alone_is_drift_and_not_an_exchange() -> None:
    section = {"x": declared("ab", A), "y": declared("c", B)}
    items = table("rtb-x", "a", via=A, named="x"), table("rtb-y", "bc", via=B, named="y")
    assert found(tables(section, *items)) == {"x": ("rtb-x", Evidence.TAGS), "y": ("rtb-y", Evidence.TAGS)}


def test_the_main_table_and_another_whose_tags_were_exchanged_are_told_even_if_something_else_drifted() -> None:
    section = {"m": declared(via=A, main=True), "x": declared("a", B)}
    items = table("rtb-m", main=True, via=A, named="x"), table("rtb-x", "ab", via=C, named="m")
    result = tables(section, *items)
    assert (found(result), sorted(asked(result))) == ({}, ["m", "x"])
    assert '"adopt": {"route_table/m": "rtb-m"}' in asked(result)["m"]


def test_a_name_tag_does_not_make_the_main_table_another_address() -> None:
    section = {"m": declared(via=A, main=True), "x": declared("", B)}
    items = table("rtb-m", main=True, via=A, name_tag="x"), table("rtb-x", via=B, named="m")
    assert sorted(asked(tables(section, *items))) == ["m", "x"]
    undeclared = asked(tables({"x": declared("", A)}, items[0]))
    line = '"adopt": {"route_table/x": "rtb-m"}'
    assert undeclared["x"] == (
        "rtb-m is called 'x', and it is the main table, which route_table/x is not declared to be: "
        f'declare it so, or write which one it is: {line}, or "new" to have another made'
    )
    adopted = tables({"x": declared("", B)}, table("rtb-0000000a", main=True), adopt={"route_table/x": "rtb-0000000a"})
    assert found(adopted) == {"x": ("rtb-0000000a", Evidence.ADOPT)}


def test_a_name_tag_does_not_make_the_default_acl_another_address() -> None:
    default = acl("acl-d", default=True, name_tag="x")
    said = asked(who("network_acl", wanted("network_acl", {"x": {"subnets": []}}), default))
    assert said["x"].startswith("acl-d is called 'x', and it is the default ACL, which network_acl/x is not declared")


def test_the_main_table_that_is_called_as_another_does_not_keep_a_name_and_a_seat_from_agreeing() -> None:
    items = table("rtb-m", main=True, name_tag="x"), table("rtb-x", "a", name_tag="x")
    assert found(tables({"x": declared("a")}, *items)) == {"x": ("rtb-x", Evidence.NAME)}


def test_an_exchange_is_told_although_a_subnet_moved_or_a_route_changed_besides() -> None:
    section = {"m": declared("", A, main=True), "x": declared("abc", A)}
    moved = tables(section, table("rtb-m", "c", main=True, via=A, named="x"), table("rtb-x", "ab", via=A, named="m"))
    assert (found(moved), sorted(asked(moved))) == ({}, ["m", "x"])
    assert "carries its tags and reads rather as route_table/m" in asked(moved)["x"]
    section = {"x": declared("ab", A), "y": declared("c", B)}
    changed = tables(section, table("rtb-x", "ab", via=A, named="y"), table("rtb-y", "c", via=C, named="x"))
    assert (found(changed), sorted(asked(changed))) == ({}, ["x", "y"])


def test_routes_that_were_exchanged_are_drift_where_the_subnets_speak_for_the_tags() -> None:
    section = {"x": declared("ab", A), "y": declared("cd", B)}
    result = tables(section, table("rtb-x", "ab", via=B, named="x"), table("rtb-y", "cd", via=A, named="y"))
    assert found(result) == {"x": ("rtb-x", Evidence.TAGS), "y": ("rtb-y", Evidence.TAGS)}


def test_a_table_that_somebody_made_the_main_one_is_still_the_one_that_its_subnets_use() -> None:
    section = {"m": declared("", A, main=True), "x": declared("ab", A)}
    items = table("rtb-m", via=A, named="m"), table("rtb-x", "ab", main=True, via=A, named="x")
    assert found(tables(section, *items)) == {"m": ("rtb-m", Evidence.TAGS), "x": ("rtb-x", Evidence.TAGS)}


def test_the_main_table_with_the_tags_of_another_address_is_told_although_that_ones_own_was_claimed() -> None:
    section = {"m": declared("", main=True), "x": declared("a", A)}
    result = tables(
        section, table("rtb-m", main=True, named="x"), table("rtb-x", "a", via=A, named="x", owner="network")
    )
    assert found(result) == {}
    assert asked(result)["x"].startswith("rtb-m carries its tags, and reads as route_table/m, and it is the main table")
    assert asked(result)["m"].startswith("rtb-m could be it, and could be route_table/x too")


def test_the_main_table_that_is_certainly_another_address_is_told_as_that() -> None:
    section = {"m": declared("", B, main=True), "x": declared("a", A)}
    items = [table("rtb-0000000a", main=True, via=A)]
    result = tables(section, *items, adopt={"route_table/x": "rtb-0000000a"})
    assert asked(result)["m"].startswith("rtb-0000000a is found as route_table/x: put its tags right, or write")


def test_a_subnet_that_is_somebody_elses_says_nothing_for_or_against_tags() -> None:
    section = {"x": declared("ae", A), "y": declared("", B)}
    theirs = {"SubnetId": "subnet-00009999", "RouteTableAssociationId": "assoc-e"}
    own = table("rtb-x", "a", via=A)
    own["Associations"].append(theirs)
    names = {aws_id: at for aws_id, at in SUBNETS.items() if at.name != "e"}
    result = who("route_table", wanted("route_table", section), own, table("rtb-y", via=B, named="x"), names=names)
    assert found(result) == {}
    assert asked(result)["x"].startswith("rtb-y carries its tags and does not read as declared, and rtb-x does")
    assert asked(result)["y"].startswith("rtb-y may be route_table/x and reads as declared")


def test_somebody_elses_main_table_does_not_make_the_declared_one_another() -> None:
    section = {"m": declared(via=A, main=True)}
    items = table("rtb-m", via=A, named="m"), table("rtb-2", main=True)
    assert found(tables(section, *items)) == {"m": ("rtb-m", Evidence.TAGS)}


def test_tags_put_on_another_addresss_table_block_both() -> None:
    section = {"x": declared("a", A), "y": declared("b", B)}
    result = tables(section, table("rtb-x", "a", via=A, named="y"))
    assert found(result) == {}
    assert asked(result)["y"].startswith("rtb-x carries its tags, and reads as route_table/x, whose subnets use it")
    assert asked(result)["x"].startswith("its subnets use rtb-x, which carries the tags of route_table/y")


def test_tags_that_were_put_on_an_unused_table_do_not_outrank_what_reads_as_declared_in_everything() -> None:
    section = {"x": declared("ab", A)}
    result = tables(section, table("rtb-x", "ab", via=A), table("rtb-9", named="x"))
    assert asked(result)["x"] == (
        "rtb-9 carries its tags and does not read as declared, and rtb-x does in everything: "
        'put its tags right, or write "adopt": {"route_table/x": "rtb-x"}'
    )
    main = tables({"m": declared(via=A, main=True)}, table("rtb-m", main=True, via=A), table("rtb-9", named="m"))
    assert '"adopt": {"route_table/m": "rtb-m"}' in asked(main)["m"]


def test_a_main_table_whose_own_subnets_use_it_is_found_by_its_tags_although_another_is_main() -> None:
    section = {"m": declared("ab", main=True)}
    result = tables(section, table("rtb-m", "ab", via=A, named="m"), table("rtb-9", main=True))
    assert found(result) == {"m": ("rtb-m", Evidence.TAGS)}


def test_tags_exchanged_with_an_unused_table_that_had_none_are_told() -> None:
    section = {"x": declared("", A), "y": declared("", B)}
    right, wrong = table("rtb-x", via=A), table("rtb-y", via=B, named="x")
    result = tables(section, right, wrong)
    assert found(result) == {}
    assert '"adopt": {"route_table/x": "rtb-x"}' in asked(result)["x"]
    assert asked(result)["y"].startswith("rtb-y may be route_table/x and reads as declared")
    assert found(tables({"x": section["x"]}, right, wrong)) == {"x": ("rtb-y", Evidence.TAGS)}


def test_the_tags_of_the_main_table_and_an_unused_one_that_reads_the_same_are_told_when_exchanged() -> None:
    section = {"m": declared("", main=True), "x": declared("")}
    result = tables(section, table("rtb-m", main=True, named="x"), table("rtb-x", named="m"))
    assert sorted(asked(result)) == ["m", "x"]


def test_what_has_its_name_and_a_copy_of_other_tags_is_not_made_again() -> None:
    items = table("rtb-0000000a", "a", named="x"), table("rtb-y", named="x", name_tag="y", via=B)
    result = tables({"x": declared("a"), "y": declared("", A)}, *items, adopt={"route_table/x": "rtb-0000000a"})
    assert asked(result)["y"].startswith("rtb-y is called 'y', and carries the tags of route_table/x: write which one")


def test_a_new_address_may_take_subnets_from_a_table_that_is_certainly_another() -> None:
    section = {"x": declared("a", A), "new": declared("b", B)}
    result = tables(section, table("rtb-x", "ab", via=A, named="x"))
    assert (found(result), asked(result)) == ({"x": ("rtb-x", Evidence.TAGS)}, {})


def test_an_unused_table_that_reads_as_declared_is_not_made_again() -> None:
    said = asked(tables({"x": declared("a", A)}, table("rtb-9", via=A)))
    line = '"adopt": {"route_table/x": "rtb-9"}'
    assert said["x"] == (
        f'rtb-9 has no subnet and reads as declared: write which one it is: {line}, or "new" to have another made'
    )
    assert asked(tables({"x": declared("a", A)}, table("rtb-9", via=B))) == {}
    assert asked(tables({"x": declared("a", A)}, table("rtb-9", via=A), adopt={"route_table/x": "new"})) == {}


@pytest.mark.parametrize("subnet", ["b", "c"])
def test_what_reads_as_declared_and_has_only_a_subnet_that_belongs_elsewhere_is_not_made_again(subnet: str) -> None:
    section = {"x": declared("", A), "y": declared("b", B)}
    result = tables(section, table("rtb-y", "", via=B, named="y"), table("rtb-9", subnet, via=A))
    assert asked(result)["x"].startswith("rtb-9 has no subnet of its own and reads as declared")


def test_what_only_undeclared_subnets_use_is_somebody_elses_and_another_is_made_beside_it() -> None:
    theirs = table("rtb-9", via=A)
    theirs["Associations"] = [{"SubnetId": "subnet-00009999", "RouteTableAssociationId": "assoc-1"}]
    result = tables({"x": declared("a", A)}, theirs)
    assert (found(result), asked(result)) == ({}, {})


def test_new_does_not_make_another_again_once_it_is_there() -> None:
    result = tables({"x": declared("a", A)}, table("rtb-9", named="x"), adopt={"route_table/x": "new"})
    assert found(result) == {"x": ("rtb-9", Evidence.TAGS)}


def test_adopt_is_not_believed_about_what_is_somebody_elses() -> None:
    adopt = {"route_table/x": "rtb-0000000a"}
    result = tables({"x": declared()}, table("rtb-0000000a", named="x", owner="network"), adopt=adopt)
    assert result.problems[Address("route_table/x")].reason is Reason.FOREIGN
    theirs = table("rtb-0000000a") | {"OwnerId": OTHER_ACCOUNT}
    assert "belongs to the account 999999999999" in asked(tables({"x": declared()}, theirs, adopt=adopt))["x"]


def acl(aws_id: str, subnets: str = "", *, default: bool = False, **tagged: str) -> dict[str, Any]:
    uses = [{"SubnetId": IDS[one], "NetworkAclAssociationId": f"assoc-{one}"} for one in subnets]
    return {"NetworkAclId": aws_id, "IsDefault": default, "Associations": uses, "Entries": [], "Tags": tags(**tagged)}


def test_a_temporary_acl_is_nobodys_although_subnets_use_it() -> None:
    temporary = acl("acl-2", "ab")
    temporary["Tags"] = [
        {"Key": "setpoint:document", "Value": "shop"},
        {"Key": "setpoint:temporary", "Value": "x"},
    ]
    section = {"x": {"ingress": {}, "egress": {}, "subnets": ["subnet/a", "subnet/b"]}}
    assert found(who("network_acl", wanted("network_acl", section), acl("acl-1", named="x"), temporary)) == {
        "x": ("acl-1", Evidence.TAGS)
    }
    assert found(who("network_acl", wanted("network_acl", section), temporary)) == {}


def test_the_default_acl_is_only_the_address_that_is_declared_so() -> None:
    section = {"d": {"is_default": True}, "x": {"subnets": ["subnet/a"]}}
    items = acl("acl-d", "b", default=True, named="x"), acl("acl-x", "a", named="d")
    result = who("network_acl", wanted("network_acl", section), *items)
    assert found(result) == {"d": ("acl-d", Evidence.KEY)}
    assert asked(result)["x"].startswith("its subnets use acl-x, which carries the tags of network_acl/d")


def group(aws_id: str, name: str, account: str = "123456789012", **tagged: str) -> dict[str, Any]:
    return {"GroupId": aws_id, "GroupName": name, "Description": name, "OwnerId": account, "Tags": tags(**tagged)}


def groups(section: dict[str, Any], *items: dict[str, Any], **envelope: Any) -> Identified:
    return who("security_group", wanted("security_group", section, **envelope), *items)


def test_a_group_is_the_one_that_has_the_name_in_any_case_whatever_tags_say() -> None:
    result = groups({"web": {}}, group("sg-1", "WEB"), group("sg-2", "decoy", named="web"))
    assert (found(result), result.copies) == (
        {"web": ("sg-1", Evidence.KEY)},
        {"sg-2": Address("security_group/web")},
    )


def test_two_groups_with_the_name_and_a_former_one_are_never_chosen_between() -> None:
    result = groups({"web": {"formerly": ["old"]}}, group("sg-1", "web"), group("sg-2", "old", named="web"))
    assert asked(result)["web"].startswith("2 live resources could be it: sg-1 and sg-2")


def test_a_group_of_another_account_has_names_of_its_own_and_one_of_another_document_has_not() -> None:
    assert asked(groups({"web": {}}, group("sg-1", "web", OTHER_ACCOUNT))) == {}
    assert (
        "belongs to the document 'network'"
        in asked(groups({"web": {}}, group("sg-1", "web", named="web", owner="network")))["web"]
    )


def test_a_group_that_is_left_over_under_another_name_is_asked_about_if_it_reads_as_declared() -> None:
    said = asked(groups({"web": {"ingress": []}}, group("sg-1", "old", named="old")))
    assert said["web"].startswith("sg-1 is this document's under the name 'old', which is declared no more")
    assert asked(groups({"web": {"ingress": []}}, group("sg-1", "old"))) == {}


def test_an_external_resource_is_found_by_its_id_or_by_the_tags_of_its_document() -> None:
    external = {
        "security_group/theirs": {"document": "network", "name": "web"},
        "security_group/known": {"id": "sg-0000000b"},
    }
    items = group("sg-1", "x", named="web", owner="network"), group("sg-0000000b", "y")
    result = groups({}, *items, external=external)
    assert found(result) == {"theirs": ("sg-1", Evidence.TAGS), "known": ("sg-0000000b", Evidence.EXTERNAL)}
    twice = groups({}, *items, group("sg-2", "z", named="web", owner="network"), external=external)
    assert asked(twice)["theirs"].startswith("2 live resources carry these tags: sg-1 and sg-2; refer to one by its id")
    nobody = groups({}, external=external)
    assert {cause.reason for cause in nobody.problems.values()} == {Reason.MISSING_REFERENCE}


def test_the_order_of_the_answer_changes_nothing() -> None:
    section = {"x": declared("a", A), "y": declared("b", B), "z": declared("c")}
    items = [table("rtb-1", "ab"), table("rtb-2", name_tag="z"), table("rtb-3", via=B), table("rtb-4", "c", named="y")]
    results = [tables(section, *order) for order in (items, items[::-1], items[2:] + items[:2])]
    assert len({repr((found(one), asked(one), sorted(one.candidates))) for one in results}) == 1
