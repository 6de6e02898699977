"""Managed prefix lists: versions, sizes, states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lab import StrictAws

Refused = Callable[[str], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def at_once_again(aws: StrictAws) -> Iterator[None]:
    yield
    aws.arrive_after = 0


def make(ec2: Any, most: int = 3, *networks: str, family: str = "IPv4") -> str:
    entries = [{"Cidr": each} for each in networks]
    made = ec2.create_managed_prefix_list(
        PrefixListName="offices", MaxEntries=most, AddressFamily=family, Entries=entries
    )
    return str(made["PrefixList"]["PrefixListId"])


def look(ec2: Any, made: str) -> Any:
    return ec2.describe_managed_prefix_lists(PrefixListIds=[made])["PrefixLists"][0]


def networks(ec2: Any, made: str) -> list[str]:
    return [each["Cidr"] for each in ec2.get_managed_prefix_list_entries(PrefixListId=made)["Entries"]]


def test_entries_need_the_current_version_and_are_kept_canonical(ec2: Any, refused: Refused) -> None:
    made = make(ec2, 3, "10.1.2.3/16")
    assert (networks(ec2, made), look(ec2, made)["PrefixListName"]) == (["10.1.0.0/16"], "offices")
    with refused("PrefixListVersionMismatch"):
        ec2.modify_managed_prefix_list(PrefixListId=made, CurrentVersion=7, AddEntries=[{"Cidr": "10.2.0.0/16"}])
    ec2.modify_managed_prefix_list(
        PrefixListId=made,
        CurrentVersion=1,
        AddEntries=[{"Cidr": "10.2.0.0/16"}],
        RemoveEntries=[{"Cidr": "10.1.0.0/16"}],
    )
    assert (networks(ec2, made), look(ec2, made)["Version"]) == (["10.2.0.0/16"], 2)
    assert look(ec2, made)["PrefixListName"] == "offices"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"AddEntries": [{"Cidr": "10.9.0.0/16"}], "MaxEntries": 9}, "InvalidParameterCombination"),
        ({}, "InvalidRequest"),
        ({"AddEntries": [{"Cidr": "10.1.0.0/16"}]}, "InvalidPrefixListModification"),
        ({"AddEntries": [{"Cidr": f"10.{n}.0.0/16"} for n in (2, 3)]}, "PrefixListMaxEntriesExceeded"),
        ({"MaxEntries": 0}, "InvalidRequest"),
    ],
)
def test_a_change_that_aws_refuses_changes_nothing(ec2: Any, refused: Refused, params: Any, code: str) -> None:
    made = make(ec2, 2, "10.1.0.0/16")
    with refused(code):
        ec2.modify_managed_prefix_list(PrefixListId=made, CurrentVersion=1, **params)
    assert (networks(ec2, made), look(ec2, made)["MaxEntries"]) == (["10.1.0.0/16"], 2)


def test_while_a_change_is_in_progress_there_is_no_other_one(aws: StrictAws, ec2: Any, refused: Refused) -> None:
    made = make(ec2)
    aws.arrive_after = 1
    ec2.modify_managed_prefix_list(PrefixListId=made, MaxEntries=5)
    with refused("IncorrectState"):
        ec2.modify_managed_prefix_list(PrefixListId=made, MaxEntries=6)
    assert [look(ec2, made)["State"] for _ in range(2)] == ["modify-in-progress", "modify-complete"]


def test_a_size_that_a_group_has_no_room_for_fails_and_the_old_one_stays(ec2: Any, vpc: str, refused: Refused) -> None:
    made = make(ec2, 30)
    group = ec2.create_security_group(VpcId=vpc, GroupName="web", Description="d")["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "PrefixListIds": [{"PrefixListId": made}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    ec2.modify_managed_prefix_list(PrefixListId=made, MaxEntries=61)
    assert (look(ec2, made)["State"], look(ec2, made)["MaxEntries"]) == ("modify-failed", 30)
    ec2.modify_managed_prefix_list(PrefixListId=made, MaxEntries=60)
    assert (look(ec2, made)["State"], look(ec2, made)["MaxEntries"]) == ("modify-complete", 60)
    with refused("DependencyViolation"):
        ec2.delete_managed_prefix_list(PrefixListId=made)


def test_lists_of_aws_are_not_changed_and_unknown_ones_not_found(ec2: Any, refused: Refused) -> None:
    of_aws = ec2.describe_managed_prefix_lists(Filters=[{"Name": "owner-id", "Values": ["AWS"]}])["PrefixLists"][0]
    with refused("UnauthorizedOperation"):
        ec2.delete_managed_prefix_list(PrefixListId=of_aws["PrefixListId"])
    for call in (ec2.get_managed_prefix_list_entries, ec2.delete_managed_prefix_list):
        with refused("InvalidPrefixListID.NotFound"):
            call(PrefixListId="pl-0123456789abcdef0")
    with refused("InvalidPrefixListID.NotFound"):
        look(ec2, "pl-0123456789abcdef0")
