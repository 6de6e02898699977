"""What live resources are called in a new document, whatever order AWS answers in."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desired_state.network import Subnet
from reconciler.importing.naming import document_name, names_of, natural, sayable
from reconciler.importing.network import Live
from reconciler.kinds import REGISTRY
from reconciler.model.imported import Surroundings
from tests.support.live_vpc import LiveVpc, tag_list


def subnet(aws_id: str, name: str = "", block: str = "10.0.1.0/24", **tags: str) -> Live:
    all_tags = ({"Name": name} if name else {}) | {key.replace("__", ":"): text for key, text in tags.items()}
    item = {"SubnetId": aws_id, "CidrBlock": block, "Tags": tag_list(all_tags)}
    kind = REGISTRY["subnet"]
    return Live(kind, item, aws_id, kind.observe.tags(item) or {})


def named(*lives: Live, zones: dict[str, str] | None = None, ways: dict[str, str] | None = None) -> dict[str, str]:
    around = Surroundings(zones or {}, ways or {})
    return {key.name: at.name for key, at in names_of(lives, around, "shop").items()}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("private-a", "private-a"),
        ("Öffentlich (c)", "Offentlich (c)"),
        ("crème brûlée", "creme brulee"),
        ("server–prod", "server-prod"),
        ("  edge  ", "edge"),
        ("two  spaces", "two  spaces"),
        ("a\x1b[31mb", "a-[31mb"),
        ("a\nb", "a-b"),
        ("ネットワーク", ""),
        ("", ""),
        ("x" * 300, "x" * 200),
    ],
)
def test_letters_lose_accents_and_signs_that_no_name_has_become_a_hyphen(text: str, name: str) -> None:
    assert sayable(text) == name


@given(st.text())
def test_whatever_a_tag_says_the_name_is_one_that_a_document_can_have(text: str) -> None:
    name = sayable(text)
    assert not name or Subnet.name_problem(name) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Server", "server"),
        ("Prod VPC (old)", "prod-vpc-old"),
        ("ネットワーク", ""),
        ("--x--", "x"),
        ("x" * 99, "x" * 63),
    ],
)
def test_a_vpc_s_name_becomes_that_of_a_document(text: str, name: str) -> None:
    assert document_name(text) == name


def test_numbers_in_names_are_ordered_as_numbers() -> None:
    assert sorted(["web-10", "web-2", "Web-1", "web"], key=natural) == ["web", "Web-1", "web-2", "web-10"]


def test_a_name_tag_is_the_name() -> None:
    assert named(subnet("subnet-1", "front"), subnet("subnet-2", "back")) == {"subnet-1": "front", "subnet-2": "back"}


def test_a_subnet_without_a_name_is_called_by_its_way_out_and_its_zone() -> None:
    found = named(
        subnet("subnet-1"),
        subnet("subnet-2"),
        zones={"subnet-1": "a", "subnet-2": "lax-1a"},
        ways={"subnet-1": "public", "subnet-2": "private"},
    )
    assert found == {"subnet-1": "public-a", "subnet-2": "private-lax-1a"}


def test_all_that_share_a_name_get_their_zone() -> None:
    found = named(
        subnet("subnet-1", "private"), subnet("subnet-2", "private"), zones={"subnet-1": "a", "subnet-2": "c"}
    )
    assert found == {"subnet-1": "private-a", "subnet-2": "private-c"}


def test_where_zones_do_not_tell_them_apart_all_get_their_network() -> None:
    found = named(
        subnet("subnet-1", "private", "10.0.1.0/24"),
        subnet("subnet-2", "private", "10.0.2.0/24"),
        subnet("subnet-3", "private", "10.0.3.0/24"),
        zones={"subnet-1": "a", "subnet-2": "a", "subnet-3": "c"},
    )
    assert found == {
        "subnet-1": "private-10-0-1-0-24",
        "subnet-2": "private-10-0-2-0-24",
        "subnet-3": "private-10-0-3-0-24",
    }


def test_otherwise_all_get_the_end_of_their_ids_as_long_as_it_must_be() -> None:
    found = named(subnet("subnet-00ab11cd", "x", "10.0.0.0/24"), subnet("subnet-00ab22cd", "x", "10.0.0.0/24"))
    assert found == {"subnet-00ab11cd": "x-11cd", "subnet-00ab22cd": "x-22cd"}
    found = named(subnet("subnet-1111abcd", "x", "10.0.0.0/24"), subnet("subnet-2222abcd", "x", "10.0.0.0/24"))
    assert found == {"subnet-1111abcd": "x-1111abcd", "subnet-2222abcd": "x-2222abcd"}


def test_a_name_that_a_person_gave_stays_if_a_made_one_would_be_the_same() -> None:
    found = named(
        subnet("subnet-1", "private", "10.0.1.0/24"),
        subnet("subnet-2", "private", "10.0.2.0/24"),
        subnet("subnet-3", "private-a", "10.0.3.0/24"),
        zones={"subnet-1": "a", "subnet-2": "c", "subnet-3": "a"},
    )
    assert found["subnet-3"] == "private-a"
    assert found["subnet-1"] == "private-10-0-1-0-24"
    assert found["subnet-2"] == "private-10-0-2-0-24"


def test_a_name_that_is_taken_is_nobody_s_else() -> None:
    from desired_state.fields import Address

    lives = [subnet("subnet-1", "private", "10.0.1.0/24")]
    taken = [Address("subnet/private"), Address("route_table/private-10-0-1-0-24")]
    found = names_of(lives, Surroundings({"subnet-1": ""}), "shop", taken)
    assert found == {"subnet/subnet-1": "subnet/private-10-0-1-0-24"}


def test_our_own_tag_says_what_it_was_called_and_another_document_s_does_not() -> None:
    ours = subnet("subnet-1", "legacy", setpoint__document="shop", setpoint__name="private-a")
    assert named(ours) == {"subnet-1": "private-a"}
    theirs = subnet("subnet-1", "legacy", setpoint__document="network", setpoint__name="private-a")
    assert named(theirs) == {"subnet-1": "legacy"}


_NAMES = st.sampled_from(["", "private", "private-a", "private-10-0-1-0-24", "x-0001", "subnet-0001", "ネ", "subnet-1"])


@given(
    st.lists(st.tuples(_NAMES, st.sampled_from(["a", "c", ""]), st.integers(0, 2)), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_names_are_unique_and_the_same_in_any_order(drawn: list[tuple[str, str, int]], random: Random) -> None:
    lives = [subnet(f"subnet-{index:04d}", name, f"10.0.{at}.0/24") for index, (name, _, at) in enumerate(drawn)]
    zones = {f"subnet-{index:04d}": zone for index, (_, zone, _) in enumerate(drawn)}
    ways = dict.fromkeys(zones, "private")
    found = named(*lives, zones=zones, ways=ways)
    assert len(set(found.values())) == len(lives)
    assert all(Subnet.name_problem(name) is None for name in found.values())
    assert named(*random.sample(lives, len(lives)), zones=zones, ways=ways) == found


def test_tables_and_acls_are_called_by_what_they_are_for() -> None:
    live = LiveVpc()
    gateway = live.gateway()
    public, edge, unused = live.table(gateway), live.table(), live.table("nat-0123456789abcdef0")
    edge["Associations"].append({"GatewayId": gateway, "RouteTableAssociationId": live.id("rtbassoc")})
    acl, _spare = live.acl(), live.acl()
    live.subnet("10.0.0.0/24", "a", table=public, acl=acl)
    live.subnet("10.0.1.0/24", "c", table=public, acl=acl)
    live.subnet("10.0.2.0/24", "c", acl=acl)
    resources = live().document.resources
    assert {at.name for at in resources if at.kind == "route_table"} == {"main", "edge", "public", "unused-private"}
    assert {at.name for at in resources if at.kind == "network_acl"} == {"default", "public-isolated", "unused"}
    assert {at.name for at in resources if at.kind == "subnet"} == {"public-a", "public-c", "isolated-c"}
    assert unused["RouteTableId"] in live().document.adopt.values()
