"""Security groups and their rules, row by row, against what AWS does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

Refused = Callable[[str], AbstractContextManager[None]]
ANY = "0.0.0.0/0"


@pytest.fixture
def group(ec2: Any, vpc: str) -> str:
    return make(ec2, vpc, "web")


def make(ec2: Any, vpc_id: str, name: str) -> str:
    return str(ec2.create_security_group(VpcId=vpc_id, GroupName=name, Description="d")["GroupId"])


def tcp(port: int, cidr: str = ANY, description: str | None = None) -> dict[str, Any]:
    source = {"CidrIp": cidr} | ({"Description": description} if description else {})
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [source]}


def from_group(port: int, group_id: str) -> dict[str, Any]:
    pair = [{"GroupId": group_id}]
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": pair}


def allow(ec2: Any, group_id: str, *permissions: dict[str, Any]) -> list[dict[str, Any]]:
    answer = ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=list(permissions))
    return list(answer["SecurityGroupRules"])


def shown(ec2: Any, group_id: str) -> dict[str, Any]:
    return dict(ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"][0])


def rows(ec2: Any, group_id: str, *, egress: bool = False) -> list[dict[str, Any]]:
    found = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group_id]}])
    return [row for row in found["SecurityGroupRules"] if row["IsEgress"] is egress]


def ports(ec2: Any, group_id: str) -> list[int]:
    return sorted(row["FromPort"] for row in rows(ec2, group_id))


def prefix_list(ec2: Any, entries: int = 1) -> str:
    made = ec2.create_managed_prefix_list(PrefixListName="p", MaxEntries=entries, AddressFamily="IPv4")
    return str(made["PrefixList"]["PrefixListId"])


# What is stored


def test_host_bits_of_a_rule_are_cleared(ec2: Any, group: str) -> None:
    allow(ec2, group, tcp(80, "10.1.2.3/16"))
    assert shown(ec2, group)["IpPermissions"][0]["IpRanges"] == [{"CidrIp": "10.1.0.0/16"}]


def test_the_twin_with_host_bits_is_a_duplicate(ec2: Any, group: str, refused: Refused) -> None:
    allow(ec2, group, tcp(80, "10.1.0.0/16"))
    with refused("InvalidPermission.Duplicate"):
        allow(ec2, group, tcp(80, "10.1.2.3/16"))


def test_ipv6_is_spelt_as_in_rfc_5952(ec2: Any, group: str) -> None:
    ranges = [{"CidrIpv6": "2001:DB8:0:0::1/64"}]
    allow(ec2, group, {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "Ipv6Ranges": ranges})
    assert shown(ec2, group)["IpPermissions"][0]["Ipv6Ranges"] == [{"CidrIpv6": "2001:db8::/64"}]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("6", "tcp"), ("17", "udp"), ("1", "icmp"), ("58", "icmpv6"), ("TCP", "tcp"), ("icmpv6", "icmpv6")],
)
def test_a_protocol_number_is_shown_by_name(ec2: Any, group: str, given: str, kept: str) -> None:
    allow(ec2, group, {**tcp(8), "IpProtocol": given})
    permission = shown(ec2, group)["IpPermissions"][0]
    assert (permission["IpProtocol"], permission["FromPort"], permission["ToPort"]) == (kept, 8, 8)


@pytest.mark.parametrize("number", ["47", "50"])
def test_another_protocol_keeps_its_number_and_no_ports(ec2: Any, group: str, number: str) -> None:
    allow(ec2, group, {"IpProtocol": number, "IpRanges": [{"CidrIp": ANY}]})
    permission = shown(ec2, group)["IpPermissions"][0]
    assert permission["IpProtocol"] == number
    assert "FromPort" not in permission


def test_all_protocols_drop_the_ports_given(ec2: Any, group: str) -> None:
    allow(ec2, group, {**tcp(22), "IpProtocol": "-1"})
    assert "FromPort" not in shown(ec2, group)["IpPermissions"][0]
    assert (rows(ec2, group)[0]["FromPort"], rows(ec2, group)[0]["ToPort"]) == (-1, -1)


def test_icmpv6_without_ports_means_every_type(ec2: Any, group: str) -> None:
    allow(ec2, group, {"IpProtocol": "58", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]})
    permission = shown(ec2, group)["IpPermissions"][0]
    assert (permission["IpProtocol"], permission["FromPort"], permission["ToPort"]) == ("icmpv6", -1, -1)


def test_icmp_keeps_type_and_code(ec2: Any, group: str) -> None:
    allow(ec2, group, {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": ANY}]})
    assert (rows(ec2, group)[0]["FromPort"], rows(ec2, group)[0]["ToPort"]) == (8, -1)


def test_grants_of_equal_protocol_and_ports_are_merged(ec2: Any, group: str) -> None:
    allow(ec2, group, tcp(80, "10.1.0.0/16"), tcp(80, "10.2.0.0/16"))
    permissions = shown(ec2, group)["IpPermissions"]
    assert [p["IpRanges"] for p in permissions] == [[{"CidrIp": "10.1.0.0/16"}, {"CidrIp": "10.2.0.0/16"}]]


def test_a_prefix_list_rule_keeps_its_description(ec2: Any, group: str) -> None:
    list_id = prefix_list(ec2)
    entry = {"PrefixListId": list_id, "Description": "partners"}
    allow(ec2, group, {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "PrefixListIds": [entry]})
    assert shown(ec2, group)["IpPermissions"][0]["PrefixListIds"] == [entry]
    assert rows(ec2, group)[0]["Description"] == "partners"


def test_a_missing_description_is_absent_not_empty(ec2: Any, group: str) -> None:
    allow(ec2, group, tcp(80))
    assert "Description" not in rows(ec2, group)[0]


def test_a_reference_shows_the_group_and_its_owner(ec2: Any, vpc: str, group: str) -> None:
    other = make(ec2, vpc, "api")
    allow(ec2, group, from_group(1, other))
    pairs = shown(ec2, group)["IpPermissions"][0]["UserIdGroupPairs"]
    assert pairs == [{"GroupId": other, "UserId": "123456789012"}]
    assert rows(ec2, group)[0]["ReferencedGroupInfo"] == {"GroupId": other, "UserId": "123456789012"}


def test_authorize_answers_with_the_rules_it_made(ec2: Any, group: str) -> None:
    (made,) = allow(ec2, group, tcp(443, description="HTTPS"))
    assert made == rows(ec2, group)[0]
    assert made["GroupOwnerId"] == "123456789012"
    assert made["SecurityGroupRuleArn"].endswith(made["SecurityGroupRuleId"])


def test_a_rule_gets_the_tags_of_its_specification(ec2: Any, group: str) -> None:
    tags = [{"Key": "ticket", "Value": "7"}]
    specification = [{"ResourceType": "security-group-rule", "Tags": tags}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(1)], TagSpecifications=specification)
    assert rows(ec2, group)[0]["Tags"] == tags


def test_the_one_rule_form_of_the_call_works(ec2: Any, group: str) -> None:
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="6", FromPort=1, ToPort=1, CidrIp="10.1.1.1/8")
    assert rows(ec2, group)[0]["CidrIpv4"] == "10.0.0.0/8"


# Batches


def test_a_batch_authorize_with_one_duplicate_adds_nothing(ec2: Any, group: str, refused: Refused) -> None:
    allow(ec2, group, tcp(22))
    with refused("InvalidPermission.Duplicate"):
        allow(ec2, group, tcp(80), tcp(22), tcp(443))
    assert ports(ec2, group) == [22]


def test_one_entry_with_one_duplicate_among_its_ranges_adds_nothing(ec2: Any, group: str, refused: Refused) -> None:
    allow(ec2, group, tcp(22, "10.1.0.0/16"))
    both = {**tcp(22), "IpRanges": [{"CidrIp": "10.2.0.0/16"}, {"CidrIp": "10.1.0.0/16"}]}
    with refused("InvalidPermission.Duplicate"):
        allow(ec2, group, both)
    assert [row["CidrIpv4"] for row in rows(ec2, group)] == ["10.1.0.0/16"]


def test_the_same_permission_twice_in_one_request_is_an_invalid_value(ec2: Any, group: str, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        allow(ec2, group, tcp(22, "10.1.0.0/16", "one"), tcp(22, "10.1.9.9/16", "two"))
    assert rows(ec2, group) == []


def test_another_description_does_not_make_another_rule(ec2: Any, group: str, refused: Refused) -> None:
    allow(ec2, group, tcp(22, description="old"))
    with refused("InvalidPermission.Duplicate"):
        allow(ec2, group, tcp(22, description="new"))
    assert rows(ec2, group)[0]["Description"] == "old"


def test_a_batch_revoke_with_one_unknown_rule_revokes_nothing(ec2: Any, group: str, refused: Refused) -> None:
    allow(ec2, group, tcp(22))
    with refused("InvalidPermission.NotFound"):
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[tcp(22), tcp(80)])
    assert ports(ec2, group) == [22]


def test_in_the_default_vpc_an_unknown_rule_is_no_error_but_named(ec2: Any) -> None:
    group = str(ec2.create_security_group(GroupName="web", Description="d")["GroupId"])
    allow(ec2, group, tcp(22))
    answer = ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[tcp(22), tcp(80)])
    assert ports(ec2, group) == []
    assert [rule["FromPort"] for rule in answer["RevokedSecurityGroupRules"]] == [22]
    assert [(p["FromPort"], p["IpRanges"]) for p in answer["UnknownIpPermissions"]] == [(80, [{"CidrIp": ANY}])]


def test_revoking_an_unknown_rule_id_says_so_and_revokes_nothing(ec2: Any, group: str, refused: Refused) -> None:
    (made,) = allow(ec2, group, tcp(22))
    ids = [made["SecurityGroupRuleId"], "sgr-0123456789abcdef0"]
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ids)
    assert ports(ec2, group) == [22]


def test_revoke_by_id_takes_that_rule_only(ec2: Any, group: str) -> None:
    first, _ = allow(ec2, group, tcp(22), tcp(80))
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[first["SecurityGroupRuleId"]])
    assert ports(ec2, group) == [80]


def test_revoke_ignores_the_description(ec2: Any, group: str) -> None:
    allow(ec2, group, tcp(22, description="mine"))
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[tcp(22, description="yours")])
    assert rows(ec2, group) == []


def test_revoking_an_ipv6_egress_rule_really_takes_it(ec2: Any, group: str) -> None:
    everything = {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[everything])
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[everything])
    assert [row.get("CidrIpv4") for row in rows(ec2, group, egress=True)] == [ANY]


def test_revoking_one_of_two_ipv6_rules_of_one_port_leaves_the_other(ec2: Any, group: str) -> None:
    def rule(cidr: str) -> dict[str, Any]:
        return {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "Ipv6Ranges": [{"CidrIpv6": cidr}]}

    allow(ec2, group, rule("2001:db8:1::/48"), rule("2001:db8:2::/48"))
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule("2001:DB8:2::/48")])
    assert [row["CidrIpv6"] for row in rows(ec2, group)] == ["2001:db8:1::/48"]


# What is refused


@pytest.mark.parametrize(
    "permission",
    [
        {**tcp(1), "IpProtocol": "bogus"},
        {**tcp(1), "FromPort": 2, "ToPort": 1},
        {**tcp(1), "ToPort": 70000},
        {"IpProtocol": "tcp", "IpRanges": [{"CidrIp": ANY}]},
        {"IpProtocol": "icmp", "FromPort": -1, "ToPort": 0, "IpRanges": [{"CidrIp": ANY}]},
        tcp(1, "10.0.0.0/33"),
        tcp(1, "10.0.0.0"),
        tcp(1, "2001:db8::/32"),
        tcp(1, description="<script>"),
        tcp(1, description="x" * 256),
        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "Ipv6Ranges": [{"CidrIpv6": "10.0.0.0/8"}]},
    ],
)
def test_a_malformed_rule_is_an_invalid_value(
    ec2: Any, group: str, permission: dict[str, Any], refused: Refused
) -> None:
    with refused("InvalidParameterValue"):
        allow(ec2, group, tcp(80), permission)
    assert rows(ec2, group) == []


def test_a_rule_without_a_source_is_refused(ec2: Any, group: str, refused: Refused) -> None:
    with refused("MissingParameter"):
        allow(ec2, group, {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1})


def test_an_unknown_source_group_is_not_found(ec2: Any, group: str, refused: Refused) -> None:
    with refused("InvalidGroup.NotFound"):
        allow(ec2, group, from_group(1, "sg-0123456789abcdef0"))


def test_a_source_group_of_another_vpc_is_not_found(ec2: Any, group: str, other_vpc: str, refused: Refused) -> None:
    stranger = make(ec2, other_vpc, "stranger")
    with refused("InvalidGroup.NotFound"):
        allow(ec2, group, from_group(1, stranger))


def test_an_unknown_prefix_list_is_not_found(ec2: Any, group: str, refused: Refused) -> None:
    lists = [{"PrefixListId": "pl-0123456789abcdef0"}]
    with refused("InvalidPrefixListID.NotFound"):
        allow(ec2, group, {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "PrefixListIds": lists})


def test_sixty_rules_a_direction_and_not_one_more(ec2: Any, group: str, refused: Refused) -> None:
    allow(ec2, group, *(tcp(port) for port in range(1, 61)))
    with refused("RulesPerSecurityGroupLimitExceeded"):
        allow(ec2, group, tcp(61))
    assert len(rows(ec2, group)) == 60


def test_ipv4_and_ipv6_rules_are_counted_apart(ec2: Any, group: str, refused: Refused) -> None:
    def rule6(port: int) -> dict[str, Any]:
        return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}

    allow(ec2, group, *(tcp(port) for port in range(1, 61)))
    allow(ec2, group, *(rule6(port) for port in range(1, 61)))
    with refused("RulesPerSecurityGroupLimitExceeded"):
        allow(ec2, group, rule6(61))
    assert len(rows(ec2, group)) == 120


def test_a_group_reference_counts_in_both_families(ec2: Any, group: str, refused: Refused) -> None:
    allow(ec2, group, *(tcp(port) for port in range(1, 61)))
    with refused("RulesPerSecurityGroupLimitExceeded"):
        allow(ec2, group, from_group(1, group))


def test_a_prefix_list_counts_its_most_entries(ec2: Any, group: str, refused: Refused) -> None:
    entry = [{"PrefixListId": prefix_list(ec2, entries=59)}]
    allow(ec2, group, {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "PrefixListIds": entry}, tcp(2))
    with refused("RulesPerSecurityGroupLimitExceeded"):
        allow(ec2, group, tcp(3))


# Edits in place


def edit(ec2: Any, group: str, rule_id: str, **rule: Any) -> None:
    update = {"SecurityGroupRuleId": rule_id, "SecurityGroupRule": rule}
    ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[update])


def test_a_modify_replaces_every_field_and_keeps_the_id(ec2: Any, group: str) -> None:
    (made,) = allow(ec2, group, tcp(22, "10.1.0.0/16", "old"))
    edit(ec2, group, made["SecurityGroupRuleId"], IpProtocol="17", FromPort=53, ToPort=54, CidrIpv4="10.2.3.4/16")
    (row,) = rows(ec2, group)
    assert row["SecurityGroupRuleId"] == made["SecurityGroupRuleId"]
    assert (row["IpProtocol"], row["FromPort"], row["ToPort"], row["CidrIpv4"]) == ("udp", 53, 54, "10.2.0.0/16")
    assert "Description" not in row


def test_a_modify_can_change_an_ipv6_rule_and_a_group_rule(ec2: Any, vpc: str, group: str) -> None:
    other = make(ec2, vpc, "api")
    range6 = [{"CidrIpv6": "2001:db8::/32"}]
    six, ref = allow(
        ec2, group, {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "Ipv6Ranges": range6}, from_group(2, group)
    )
    edit(ec2, group, six["SecurityGroupRuleId"], IpProtocol="tcp", FromPort=1, ToPort=1, CidrIpv6="::/0")
    edit(ec2, group, ref["SecurityGroupRuleId"], IpProtocol="tcp", FromPort=2, ToPort=2, ReferencedGroupId=other)
    assert [row.get("CidrIpv6") or row["ReferencedGroupInfo"]["GroupId"] for row in rows(ec2, group)] == ["::/0", other]


@pytest.mark.parametrize(
    "source", [{"CidrIpv6": "::/0"}, {"ReferencedGroupId": "own"}, {"PrefixListId": "pl-0123456789abcdef0"}]
)
def test_a_modify_cannot_change_the_kind_of_source(
    ec2: Any, group: str, source: dict[str, str], refused: Refused
) -> None:
    (made,) = allow(ec2, group, tcp(22))
    new = {word: group if value == "own" else value for word, value in source.items()}
    with refused("InvalidParameterValue"):
        edit(ec2, group, made["SecurityGroupRuleId"], IpProtocol="tcp", FromPort=22, ToPort=22, **new)
    assert rows(ec2, group) == [made]


def test_a_modify_onto_another_rule_is_a_duplicate(ec2: Any, group: str, refused: Refused) -> None:
    first, second = allow(ec2, group, tcp(22), tcp(80))
    with refused("InvalidPermission.Duplicate"):
        edit(ec2, group, second["SecurityGroupRuleId"], IpProtocol="6", FromPort=22, ToPort=22, CidrIpv4=ANY)
    assert rows(ec2, group) == [first, second]


def test_a_modify_of_an_unknown_rule_changes_nothing(ec2: Any, group: str, refused: Refused) -> None:
    (made,) = allow(ec2, group, tcp(22))
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIpv4": ANY}
    ids = (made["SecurityGroupRuleId"], "sgr-0123456789abcdef0")
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        ec2.modify_security_group_rules(
            GroupId=group,
            SecurityGroupRules=[{"SecurityGroupRuleId": each, "SecurityGroupRule": rule} for each in ids],
        )
    assert rows(ec2, group) == [made]


def test_a_modify_can_swap_two_rules_in_one_call(ec2: Any, group: str) -> None:
    first, second = allow(ec2, group, tcp(22), tcp(80))
    swapped = [(first["SecurityGroupRuleId"], 80), (second["SecurityGroupRuleId"], 22)]
    updates = [
        {
            "SecurityGroupRuleId": rule_id,
            "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIpv4": ANY},
        }
        for rule_id, port in swapped
    ]
    ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=updates)
    assert [(row["SecurityGroupRuleId"], row["FromPort"]) for row in rows(ec2, group)] == swapped


def test_a_description_is_updated_by_rule_id(ec2: Any, group: str) -> None:
    (made,) = allow(ec2, group, tcp(22, description="old"))
    update = {"SecurityGroupRuleId": made["SecurityGroupRuleId"], "Description": "new"}
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, SecurityGroupRuleDescriptions=[update])
    assert rows(ec2, group) == [{**made, "Description": "new"}]


def test_an_egress_description_is_updated_by_properties(ec2: Any, group: str) -> None:
    permission = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANY, "Description": "out"}]}
    ec2.update_security_group_rule_descriptions_egress(GroupId=group, IpPermissions=[permission])
    assert rows(ec2, group, egress=True)[0]["Description"] == "out"


def test_a_description_left_out_is_cleared(ec2: Any, group: str) -> None:
    allow(ec2, group, tcp(22, description="old"))
    ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=[tcp(22)])
    assert "Description" not in rows(ec2, group)[0]


def test_describing_an_absent_rule_anew_changes_nothing(ec2: Any, group: str, refused: Refused) -> None:
    allow(ec2, group, tcp(22, description="old"))
    both = [tcp(22, description="new"), tcp(80, description="new")]
    with refused("InvalidPermission.NotFound"):
        ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=both)
    assert rows(ec2, group)[0]["Description"] == "old"


# Groups


def test_a_group_name_is_unique_whatever_its_case(ec2: Any, vpc: str, group: str, refused: Refused) -> None:
    with refused("InvalidGroup.Duplicate"):
        make(ec2, vpc, "WEB")


def test_another_vpc_may_have_a_group_of_that_name(ec2: Any, group: str, other_vpc: str) -> None:
    assert make(ec2, other_vpc, "web") != group


def test_the_name_default_is_reserved(ec2: Any, vpc: str, refused: Refused) -> None:
    with refused("InvalidGroup.Reserved"):
        make(ec2, vpc, "Default")


@pytest.mark.parametrize("name", ["sg-web", "a<b", "x" * 256, "grün"])
def test_a_name_aws_has_no_room_for_is_refused(ec2: Any, vpc: str, name: str, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        make(ec2, vpc, name)


@pytest.mark.parametrize("description", ["a<b", "x" * 256, "it's"])
def test_a_description_aws_has_no_room_for_is_refused(ec2: Any, vpc: str, description: str, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        ec2.create_security_group(VpcId=vpc, GroupName="g", Description=description)


def test_a_group_needs_a_vpc_that_exists(ec2: Any, refused: Refused) -> None:
    with refused("InvalidVpcID.NotFound"):
        make(ec2, "vpc-0123456789abcdef0", "g")


def test_a_new_group_lets_everything_out_and_nothing_in(ec2: Any, group: str) -> None:
    assert rows(ec2, group) == []
    assert [(row["IpProtocol"], row["CidrIpv4"]) for row in rows(ec2, group, egress=True)] == [("-1", ANY)]


def test_a_new_group_of_an_ipv6_vpc_lets_ipv6_out_too(ec2: Any, vpc6: str) -> None:
    out = rows(ec2, make(ec2, vpc6, "g"), egress=True)
    assert [row.get("CidrIpv4") or row["CidrIpv6"] for row in out] == [ANY, "::/0"]


def default_group(ec2: Any, vpc_id: str) -> dict[str, Any]:
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
    return dict(ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0])


def test_a_default_group_lets_itself_in(ec2: Any, vpc: str) -> None:
    group = default_group(ec2, vpc)
    pairs = [{"GroupId": group["GroupId"], "UserId": "123456789012"}]
    assert [(p["IpProtocol"], p["UserIdGroupPairs"]) for p in group["IpPermissions"]] == [("-1", pairs)]


def test_the_default_group_of_the_default_vpc_lets_itself_in(ec2: Any) -> None:
    (home,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    assert len(default_group(ec2, home["VpcId"])["IpPermissions"]) == 1


def test_a_default_group_cannot_be_deleted(ec2: Any, vpc: str, refused: Refused) -> None:
    with refused("CannotDelete"):
        ec2.delete_security_group(GroupId=default_group(ec2, vpc)["GroupId"])


def test_a_group_another_one_names_cannot_be_deleted(ec2: Any, vpc: str, group: str, refused: Refused) -> None:
    other = make(ec2, vpc, "api")
    allow(ec2, other, from_group(1, group))
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=group)
    ec2.revoke_security_group_ingress(GroupId=other, IpPermissions=[from_group(1, group)])
    ec2.delete_security_group(GroupId=group)
    with refused("InvalidGroup.NotFound"):
        ec2.describe_security_groups(GroupIds=[group])


def test_a_group_that_names_only_itself_can_be_deleted(ec2: Any, group: str, refused: Refused) -> None:
    allow(ec2, group, from_group(1, group))
    ec2.delete_security_group(GroupId=group)
    with refused("InvalidGroup.NotFound"):
        ec2.delete_security_group(GroupId=group)


def test_a_group_on_a_network_interface_cannot_be_deleted(
    ec2: Any, group: str, subnets: list[str], refused: Refused
) -> None:
    ec2.create_network_interface(SubnetId=subnets[0], Groups=[group])
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=group)


def test_filters_find_groups_and_an_unknown_filter_is_refused(ec2: Any, vpc: str, group: str, refused: Refused) -> None:
    ec2.create_tags(Resources=[group], Tags=[{"Key": "team", "Value": "core"}])
    found = ec2.describe_security_groups(Filters=[{"Name": "tag:team", "Values": ["core"]}])["SecurityGroups"]
    assert [(g["GroupId"], g["VpcId"], g["Tags"]) for g in found] == [(group, vpc, [{"Key": "team", "Value": "core"}])]
    with refused("InvalidParameterValue"):
        ec2.describe_security_groups(Filters=[{"Name": "colour", "Values": ["red"]}])
    with refused("InvalidParameterValue"):
        ec2.describe_security_group_rules(Filters=[{"Name": "vpc-id", "Values": [vpc]}])


def test_an_unknown_id_is_an_error_where_a_filter_is_an_empty_list(ec2: Any, refused: Refused) -> None:
    ghost = "sg-0123456789abcdef0"
    assert ec2.describe_security_groups(Filters=[{"Name": "group-id", "Values": [ghost]}])["SecurityGroups"] == []
    with refused("InvalidGroup.NotFound"):
        ec2.describe_security_groups(GroupIds=[ghost])
    with refused("InvalidGroupId.Malformed"):
        ec2.describe_security_groups(GroupIds=["web"])
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        ec2.describe_security_group_rules(SecurityGroupRuleIds=["sgr-0123456789abcdef0"])


def test_rules_are_found_by_their_own_tags(ec2: Any, group: str) -> None:
    first, _ = allow(ec2, group, tcp(1), tcp(2))
    ec2.create_tags(Resources=[first["SecurityGroupRuleId"]], Tags=[{"Key": "team", "Value": "core"}])
    found = ec2.describe_security_group_rules(Filters=[{"Name": "tag:team", "Values": ["core"]}])["SecurityGroupRules"]
    assert [row["SecurityGroupRuleId"] for row in found] == [first["SecurityGroupRuleId"]]


@pytest.mark.parametrize("ports", [{"FromPort": 22, "ToPort": 22}, {"FromPort": -1, "ToPort": -1}], ids=str)
def test_ports_of_all_protocols_are_refused_but_where_a_rule_is_made(
    ec2: Any, group: str, refused: Refused, ports: dict[str, int]
) -> None:
    permission = {"IpProtocol": "-1", **ports, "IpRanges": [{"CidrIp": "10.0.0.0/16", "Description": "all"}]}
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])["SecurityGroupRules"][0]
    with refused("InvalidParameterValue"):
        ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=[permission])
    rule = {"SecurityGroupRuleId": made["SecurityGroupRuleId"]}
    with refused("InvalidParameterValue"):
        edit = {"IpProtocol": "-1", **ports, "CidrIpv4": "10.1.0.0/16"}
        ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[rule | {"SecurityGroupRule": edit}])


def test_the_word_all_is_no_protocol(ec2: Any, group: str, refused: Refused) -> None:
    with refused("InvalidParameterValue"):
        ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[{"IpProtocol": "all", "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}]
        )
