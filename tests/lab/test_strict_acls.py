"""Network ACLs, row by row, against what AWS does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

Refused = Callable[[str], AbstractContextManager[None]]
ANY = "0.0.0.0/0"
STARS = [(32767, True, "-1", "deny", ANY), (32767, False, "-1", "deny", ANY)]


@pytest.fixture
def acl(ec2: Any, vpc: str) -> str:
    return str(ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"])


def entry(acl: str, number: int = 100, **changes: Any) -> dict[str, Any]:
    usual = {
        "NetworkAclId": acl,
        "RuleNumber": number,
        "Egress": False,
        "Protocol": "6",
        "RuleAction": "allow",
        "CidrBlock": ANY,
        "PortRange": {"From": 80, "To": 80},
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def shown(ec2: Any, acl: str) -> dict[str, Any]:
    return dict(ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0])


def own(ec2: Any, acl: str) -> list[dict[str, Any]]:
    return [each for each in shown(ec2, acl)["Entries"] if each["RuleNumber"] < 32767]


def flat(entries: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (e["RuleNumber"], e["Egress"], e["Protocol"], e["RuleAction"], e.get("CidrBlock") or e["Ipv6CidrBlock"])
        for e in entries
    ]


def default_acl(ec2: Any, vpc_id: str) -> dict[str, Any]:
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "default", "Values": ["true"]}]
    return dict(ec2.describe_network_acls(Filters=filters)["NetworkAcls"][0])


def test_a_new_acl_denies_everything_both_ways(ec2: Any, vpc: str, acl: str) -> None:
    assert flat(shown(ec2, acl)["Entries"]) == STARS
    assert flat(ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["Entries"]) == STARS


def test_an_acl_of_an_ipv6_vpc_ends_in_two_stars_each_way(ec2: Any, vpc6: str) -> None:
    made = ec2.create_network_acl(VpcId=vpc6)["NetworkAcl"]["NetworkAclId"]
    numbers = [(e["RuleNumber"], e["Egress"]) for e in shown(ec2, made)["Entries"]]
    assert numbers == [(32767, True), (32768, True), (32767, False), (32768, False)]


def test_the_default_acl_allows_everything_before_its_stars(ec2: Any, vpc: str) -> None:
    allows = [(100, True, "-1", "allow", ANY), (100, False, "-1", "allow", ANY)]
    assert sorted(flat(default_acl(ec2, vpc)["Entries"])) == sorted([*allows, *STARS])


def test_the_default_acl_of_an_ipv6_vpc_allows_ipv6_with_101(ec2: Any, vpc6: str) -> None:
    entries = flat(default_acl(ec2, vpc6)["Entries"])
    assert (101, True, "-1", "allow", "::/0") in entries
    assert (101, False, "-1", "allow", "::/0") in entries


def test_an_entry_is_kept_with_its_ports_and_canonical_block(ec2: Any, acl: str) -> None:
    ec2.create_network_acl_entry(**entry(acl, CidrBlock="10.1.2.3/16"))
    assert own(ec2, acl) == [
        {
            "RuleNumber": 100,
            "Egress": False,
            "Protocol": "6",
            "RuleAction": "allow",
            "CidrBlock": "10.1.0.0/16",
            "PortRange": {"From": 80, "To": 80},
        }
    ]


def test_an_ipv6_block_is_kept_canonical(ec2: Any, acl: str) -> None:
    ec2.create_network_acl_entry(**entry(acl, CidrBlock=None, Ipv6CidrBlock="2001:DB8::1/64"))
    assert own(ec2, acl)[0]["Ipv6CidrBlock"] == "2001:db8::/64"
    assert "CidrBlock" not in own(ec2, acl)[0]


@pytest.mark.parametrize("protocol", ["-1", "47"])
def test_ports_of_another_protocol_are_dropped(ec2: Any, acl: str, protocol: str) -> None:
    ec2.create_network_acl_entry(**entry(acl, Protocol=protocol))
    assert "PortRange" not in own(ec2, acl)[0]


def test_icmp_keeps_type_and_code_and_no_ports(ec2: Any, acl: str) -> None:
    ec2.create_network_acl_entry(**entry(acl, Protocol="1", IcmpTypeCode={"Type": 8, "Code": -1}))
    (kept,) = own(ec2, acl)
    assert kept["IcmpTypeCode"] == {"Type": 8, "Code": -1}
    assert "PortRange" not in kept


def test_icmpv6_keeps_type_and_code(ec2: Any, acl: str) -> None:
    icmp = {"Type": -1, "Code": -1}
    wanted = entry(acl, Protocol="58", CidrBlock=None, Ipv6CidrBlock="::/0", PortRange=None, IcmpTypeCode=icmp)
    ec2.create_network_acl_entry(**wanted)
    assert own(ec2, acl)[0]["IcmpTypeCode"] == icmp


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Protocol": "tcp"}, "InvalidParameterValue"),
        ({"Protocol": "256"}, "InvalidParameterValue"),
        ({"PortRange": None}, "MissingParameter"),
        ({"Protocol": "17", "PortRange": None}, "MissingParameter"),
        ({"Protocol": "1"}, "MissingParameter"),
        ({"Protocol": "58", "CidrBlock": None, "Ipv6CidrBlock": "::/0"}, "MissingParameter"),
        ({"PortRange": {"From": 2, "To": 1}}, "InvalidParameterValue"),
        ({"PortRange": {"From": 1, "To": 65536}}, "InvalidParameterValue"),
        ({"RuleNumber": 0}, "InvalidParameterValue"),
        ({"RuleNumber": 32767}, "InvalidParameterValue"),
        ({"RuleNumber": 40000}, "InvalidParameterValue"),
        ({"RuleAction": "permit"}, "InvalidParameterValue"),
        ({"CidrBlock": "10.0.0.0/33"}, "InvalidParameterValue"),
        ({"CidrBlock": None}, "MissingParameter"),
        ({"Ipv6CidrBlock": "::/0"}, "InvalidParameterCombination"),
        ({"NetworkAclId": "acl-0123456789abcdef0"}, "InvalidNetworkAclID.NotFound"),
    ],
)
def test_an_entry_aws_would_refuse_is_refused(
    ec2: Any, acl: str, changes: dict[str, Any], code: str, refused: Refused
) -> None:
    with refused(code):
        ec2.create_network_acl_entry(**entry(acl, **changes))
    assert own(ec2, acl) == []


def test_creating_the_identical_entry_again_succeeds_and_changes_nothing(ec2: Any, acl: str) -> None:
    ec2.create_network_acl_entry(**entry(acl, CidrBlock="10.1.0.0/16"))
    ec2.create_network_acl_entry(**entry(acl, CidrBlock="10.1.2.3/16"))
    assert len(own(ec2, acl)) == 1


def test_creating_another_entry_under_a_taken_number_is_refused(ec2: Any, acl: str, refused: Refused) -> None:
    ec2.create_network_acl_entry(**entry(acl))
    with refused("NetworkAclEntryAlreadyExists"):
        ec2.create_network_acl_entry(**entry(acl, RuleAction="deny"))
    assert own(ec2, acl)[0]["RuleAction"] == "allow"


def test_one_number_may_be_used_in_both_directions(ec2: Any, acl: str) -> None:
    ec2.create_network_acl_entry(**entry(acl))
    ec2.create_network_acl_entry(**entry(acl, Egress=True, RuleAction="deny"))
    assert sorted((e["Egress"], e["RuleAction"]) for e in own(ec2, acl)) == [(False, "allow"), (True, "deny")]


def test_a_replace_inherits_nothing(ec2: Any, acl: str) -> None:
    ec2.create_network_acl_entry(**entry(acl))
    ec2.replace_network_acl_entry(**entry(acl, Protocol="-1", RuleAction="deny", CidrBlock="10.0.0.0/8"))
    assert own(ec2, acl) == [
        {"RuleNumber": 100, "Egress": False, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "10.0.0.0/8"}
    ]


def test_replacing_a_missing_entry_is_not_found(ec2: Any, acl: str, refused: Refused) -> None:
    ec2.create_network_acl_entry(**entry(acl, Egress=True))
    with refused("InvalidNetworkAclEntry.NotFound"):
        ec2.replace_network_acl_entry(**entry(acl))
    assert [e["Egress"] for e in own(ec2, acl)] == [True]


def test_deleting_a_missing_entry_is_not_found(ec2: Any, acl: str, refused: Refused) -> None:
    with refused("InvalidNetworkAclEntry.NotFound"):
        ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=100, Egress=False)


def test_a_star_entry_cannot_be_deleted_or_replaced(ec2: Any, acl: str, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        ec2.delete_network_acl_entry(NetworkAclId=acl, RuleNumber=32767, Egress=False)
    with refused("InvalidParameterValue"):
        ec2.replace_network_acl_entry(**entry(acl, 32767))
    assert flat(shown(ec2, acl)["Entries"]) == STARS


def test_nineteen_own_entries_a_direction_and_family(ec2: Any, acl: str, refused: Refused) -> None:
    for number in range(1, 20):
        ec2.create_network_acl_entry(**entry(acl, number))
    with refused("NetworkAclEntryLimitExceeded"):
        ec2.create_network_acl_entry(**entry(acl, 20))
    ec2.create_network_acl_entry(**entry(acl, 20, CidrBlock=None, Ipv6CidrBlock="::/0"))
    ec2.create_network_acl_entry(**entry(acl, 20, Egress=True))
    assert len(own(ec2, acl)) == 21


def test_a_full_acl_can_still_replace_an_entry(ec2: Any, acl: str) -> None:
    for number in range(1, 20):
        ec2.create_network_acl_entry(**entry(acl, number))
    ec2.replace_network_acl_entry(**entry(acl, 19, RuleAction="deny"))
    assert sorted(e["RuleNumber"] for e in own(ec2, acl) if e["RuleAction"] == "deny") == [19]


def association(ec2: Any, subnet: str) -> tuple[str, str]:
    (acl,) = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"]
    held = next(each for each in acl["Associations"] if each["SubnetId"] == subnet)
    return held["NetworkAclAssociationId"], acl["NetworkAclId"]


def test_a_replaced_association_has_a_new_id_and_the_old_one_is_dead(
    ec2: Any, acl: str, subnets: list[str], refused: Refused
) -> None:
    old, _ = association(ec2, subnets[0])
    new = ec2.replace_network_acl_association(AssociationId=old, NetworkAclId=acl)["NewAssociationId"]
    assert association(ec2, subnets[0]) == (new, acl)
    assert new != old
    with refused("InvalidAssociationID.NotFound"):
        ec2.replace_network_acl_association(AssociationId=old, NetworkAclId=acl)


def test_a_subnet_cannot_move_to_an_acl_of_another_vpc(
    ec2: Any, subnets: list[str], other_vpc: str, refused: Refused
) -> None:
    held = association(ec2, subnets[0])
    stranger = ec2.create_network_acl(VpcId=other_vpc)["NetworkAcl"]["NetworkAclId"]
    with refused("InvalidParameterValue"):
        ec2.replace_network_acl_association(AssociationId=held[0], NetworkAclId=stranger)
    assert association(ec2, subnets[0]) == held


def test_a_default_acl_cannot_be_deleted(ec2: Any, vpc: str, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        ec2.delete_network_acl(NetworkAclId=default_acl(ec2, vpc)["NetworkAclId"])


def test_an_acl_in_use_cannot_be_deleted(ec2: Any, vpc: str, acl: str, subnets: list[str], refused: Refused) -> None:
    ec2.replace_network_acl_association(AssociationId=association(ec2, subnets[0])[0], NetworkAclId=acl)
    with refused("DependencyViolation"):
        ec2.delete_network_acl(NetworkAclId=acl)
    back = default_acl(ec2, vpc)["NetworkAclId"]
    ec2.replace_network_acl_association(AssociationId=association(ec2, subnets[0])[0], NetworkAclId=back)
    ec2.delete_network_acl(NetworkAclId=acl)
    with refused("InvalidNetworkAclID.NotFound"):
        ec2.describe_network_acls(NetworkAclIds=[acl])


def test_a_client_token_makes_one_acl_and_refuses_other_parameters(
    ec2: Any, vpc: str, other_vpc: str, refused: Refused
) -> None:
    first = ec2.create_network_acl(VpcId=vpc, ClientToken="t")["NetworkAcl"]["NetworkAclId"]
    assert ec2.create_network_acl(VpcId=vpc, ClientToken="t")["NetworkAcl"]["NetworkAclId"] == first
    with refused("IdempotentParameterMismatch"):
        ec2.create_network_acl(VpcId=other_vpc, ClientToken="t")
