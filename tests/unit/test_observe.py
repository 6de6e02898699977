"""One look: what is read how often, what may count as missing, and what is never guessed."""

from __future__ import annotations

import json
import threading
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from desired_state.database import DbInstance
from desired_state.document import Document
from desired_state.fields import Address
from desired_state.resource import Resource
from reconciler.aws.client import AwsError
from reconciler.engine.observe import ObserveError, ObserveOptions, observe
from reconciler.model import Cause, Evidence, Reason, Ref, Snapshot, Unmanaged
from reconciler.model.read import Read
from tests.support.worlds import APP, DB, MORNING, VPC, WEB, document, of_groups

if TYPE_CHECKING:
    from reconciler.aws.client import Aws

DOCUMENT = of_groups(DBSG={"ingress": []}, TestServerSG={"ingress": []})
ALL = 8
WIDE = 8
"""Seconds after which a test that waits for another thread gives up."""


def tags(name: str = "", document_name: str = "shop", **more: str) -> list[dict[str, str]]:
    owned = {"setpoint:document": document_name, "setpoint:name": name} if name else {}
    return [{"Key": key, "Value": value} for key, value in (owned | more).items()]


def group(name: str, number: int, tagged: list[dict[str, str]] | None = None) -> dict[str, Any]:
    return {
        "GroupId": f"sg-{number:017x}",
        "GroupName": name,
        "Description": name,
        "IpPermissions": [],
        "IpPermissionsEgress": [],
        "Tags": tags() if tagged is None else tagged,
    }


NETWORK: dict[str, list[Any]] = {
    "DescribeVpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "Tags": tags("MyVPC", Name="MyVPC")}],
    "DescribeVpcAttribute": [True],
    "DescribeSecurityGroups": [group("DBSG", 1, tags("DBSG")), group("TestServerSG", 2, tags("TestServerSG"))],
}


@dataclass
class Shown:
    """AWS as a test tells it: the answer to each read, by operation; `later` from its second look on."""

    answers: dict[str, list[Any]] = field(default_factory=lambda: deepcopy(NETWORK))
    errors: dict[str, str] = field(default_factory=dict)
    later: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[Read] = field(default_factory=list)
    pauses: int = 0
    barrier: threading.Barrier | None = None
    patience: float | None = None

    def read(self, read: Read) -> list[Any]:
        self.asked.append(read)
        if self.barrier and (read.operation != "DescribeVpcs" or self.barrier.parties == ALL):
            self.barrier.wait(WIDE)
        if code := self.errors.get(read.operation):
            raise AwsError(read.operation, code, "told so")
        answers = self.answers | (self.later if self.pauses else {})
        return answers.get(read.operation, [])

    def pause(self) -> None:
        self.pauses += 1

    def look(self, declared: Document = DOCUMENT, hint: str = "") -> Snapshot:
        return observe(declared, cast("Aws", self), ObserveOptions(lambda: MORNING, self.pause), hint)


def names(look: Snapshot) -> set[str]:
    return {str(at) for at in look.resources}


def test_everything_declared_is_found_with_its_ids() -> None:
    aws = Shown()
    look = aws.look()
    assert names(look) == {"vpc/MyVPC", "security_group/DBSG", "security_group/TestServerSG"}
    assert look.handles[Ref(DB)] == "sg-00000000000000001"
    assert (look.unreadable, look.ambiguous, look.unmanaged, look.at) == ({}, {}, (), MORNING)
    assert aws.pauses == 0


def test_each_read_is_made_once_although_kinds_share_some() -> None:
    """Two kinds ask for DB instances; without either of them, nothing is asked of RDS."""
    aws = Shown()
    aws.look()
    assert set(Counter(aws.asked).values()) == {1}
    assert {one.service for one in aws.asked} == {"ec2"}
    resources: dict[Address, Resource] = {**DOCUMENT.resources, Address("db_instance/orders"): DbInstance(port=5432)}
    aws = Shown()
    aws.look(replace(DOCUMENT, resources=resources))
    asked = [one.operation for one in aws.asked].count("DescribeDBInstances")
    assert (asked, aws.pauses) == (2, 1), "once in each look"


def test_the_reads_of_all_kinds_are_made_at_once() -> None:
    aws = Shown(barrier=threading.Barrier(7))
    aws.look(DOCUMENT)
    operations = [one.operation for one in aws.asked]
    assert operations[0] == "DescribeVpcs"
    assert sorted(operations[1:]) == [
        "DescribeInternetGateways",
        "DescribeNetworkAcls",
        "DescribeRouteTables",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeVpcAttribute",
        "DescribeVpcAttribute",
    ]


def test_what_is_missing_is_looked_for_once_more_before_it_counts() -> None:
    aws = Shown()
    whole = aws.answers.pop("DescribeSecurityGroups")
    aws.later["DescribeSecurityGroups"] = whole
    look = aws.look()
    assert aws.pauses == 1
    assert look.unreadable == {}
    assert not any(look.absent(at) for at in (DB, APP))


def test_what_is_missing_twice_is_absent() -> None:
    aws = Shown()
    del aws.answers["DescribeSecurityGroups"][0]
    look = aws.look()
    assert (aws.pauses, look.absent(DB), look.absent(APP)) == (1, True, False)


@pytest.mark.parametrize(
    ("code", "known"),
    [
        ("UnauthorizedOperation", "UnauthorizedOperation"),
        ("RequestLimitExceeded", "Throttling"),
        ("PaginationError", "PaginationError"),
        ("InternalError", "InternalError"),
    ],
)
def test_a_read_that_failed_makes_its_kind_unreadable_and_never_absent(code: str, known: str) -> None:
    aws = Shown(errors={"DescribeSecurityGroups": code})
    look = aws.look()
    assert names(look) == {"vpc/MyVPC"}
    told = Cause(Reason.UNREADABLE, f"DescribeSecurityGroups: {code}: told so", known)
    assert {at: cause for at, cause in look.unreadable.items() if at in DOCUMENT.resources} == {DB: told, APP: told}
    assert aws.pauses == 0


def test_what_shows_the_ids_of_an_unreadable_kind_is_unreadable_too() -> None:
    aws = Shown(errors={"DescribeSubnets": "UnauthorizedOperation"})
    aws.answers["DescribeVpcs"][0]["Tags"] = tags("MyVPC", "test-server")
    look = aws.look(document())
    kinds = {at.kind for at in look.unreadable}
    assert kinds == {"subnet", "route_table", "network_acl", "db_subnet_group", "db_instance"}
    told = look.unreadable[Address("route_table/PublicRouteTable")]
    depends = "it depends on subnet, which could not be read: DescribeSubnets: UnauthorizedOperation: told so"
    assert told == Cause(Reason.UNREADABLE, depends, "UnauthorizedOperation")
    assert not look.absent(Address("db_instance/mypostgresqldb"))


def test_one_attribute_of_the_vpc_that_cannot_be_read_makes_everything_unreadable() -> None:
    look = Shown(errors={"DescribeVpcAttribute": "UnauthorizedOperation"}).look()
    assert look.resources == {}
    assert set(DOCUMENT.resources) <= set(look.unreadable)


def test_without_credentials_there_is_no_look() -> None:
    with pytest.raises(ObserveError, match="check the credentials, the profile and the region") as unobservable:
        Shown(errors={"DescribeSecurityGroups": "ExpiredToken"}).look()
    assert (unobservable.value.cause.reason, unobservable.value.cause.code) == (Reason.CREDENTIALS, "ExpiredToken")


def test_a_vpc_that_cannot_be_looked_for_is_not_made_anew() -> None:
    with pytest.raises(
        ObserveError, match="the VPC could not be searched for: DescribeVpcs: UnauthorizedOperation"
    ) as unobservable:
        Shown(errors={"DescribeVpcs": "UnauthorizedOperation"}).look()
    assert (unobservable.value.cause.reason, unobservable.value.cause.code) == (
        Reason.UNREADABLE,
        "UnauthorizedOperation",
    )


def test_two_vpcs_that_could_be_it_are_told_by_their_ids() -> None:
    aws = Shown()
    aws.answers["DescribeVpcs"].append(aws.answers["DescribeVpcs"][0] | {"VpcId": "vpc-2"})
    with pytest.raises(
        ObserveError, match=r"vpc/MyVPC: 2 live resources could be it: vpc-1 and vpc-2; write which one it is"
    ) as unobservable:
        aws.look()
    assert unobservable.value.cause.reason is Reason.AMBIGUOUS


@pytest.mark.parametrize("odd", [{"Key": 7, "Value": "MyVPC"}, {"Key": "Name"}, "MyVPC", None])
def test_a_vpc_whose_tags_cannot_be_understood_ends_the_look_as_that(odd: object) -> None:
    aws = Shown()
    aws.answers["DescribeVpcs"] = [one | {"Tags": [*one["Tags"], odd]} for one in aws.answers["DescribeVpcs"]]
    with pytest.raises(ObserveError, match=r"^vpc/MyVPC: .*does not support") as unobservable:
        aws.look()
    assert unobservable.value.cause.reason is Reason.UNREADABLE


def test_a_vpc_that_is_not_there_leaves_everything_absent_after_two_looks() -> None:
    aws = Shown({})
    look = aws.look()
    assert all(look.absent(at) for at in DOCUMENT.resources)
    assert [one.operation for one in aws.asked].count("DescribeVpcs") >= 2
    assert aws.pauses >= 1


def test_a_vpc_named_by_its_id_that_is_not_there_is_an_error() -> None:
    written = json.loads(json.dumps({"version": 1, "name": "shop", "revision": 1}))
    written["scope"] = {"account_id": "123456789012", "region": "ap-northeast-2", "vpc_id": "vpc-0a1b2c3d"}
    written["resources"] = {"security_group": {"DBSG": {"ingress": []}}}
    with pytest.raises(
        ObserveError, match="vpc-0a1b2c3d does not exist in account 123456789012, ap-northeast-2"
    ) as unobservable:
        Shown({}).look(document(written))
    assert (unobservable.value.cause.reason, unobservable.value.cause.code) == (Reason.MISSING_REFERENCE, "")


def test_a_live_value_that_nobody_knows_makes_its_resource_unreadable_and_is_told() -> None:
    aws = Shown()
    strange = {"IpProtocol": "quic", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    aws.answers["DescribeSecurityGroups"][0]["IpPermissions"] = [strange]
    look = aws.look()
    told = "sg-00000000000000001 has a value that Setpoint does not support: ValueError: the protocol 'quic'"
    assert look.unreadable == {DB: Cause(Reason.UNREADABLE, told)}
    assert APP in look.resources


def test_what_aws_shows_on_two_pages_is_one_thing() -> None:
    """Also the VPC itself, of which there must be only one."""
    aws = Shown()
    for name in ("DescribeVpcs", "DescribeSecurityGroups"):
        aws.answers[name] += deepcopy(aws.answers[name])
    look = aws.look()
    assert (look.ambiguous, look.unreadable, look.unmanaged) == ({}, {}, ())
    assert look == replace(Shown().look(), neighbours=look.neighbours)


@pytest.mark.parametrize("state", ["associated", "disassociated"])
def test_a_network_that_the_vpc_has_no_more_is_none_of_ipv6_either(state: str) -> None:
    aws = Shown()
    gone = {"Ipv6CidrBlock": "2001:db8::/56", "Ipv6CidrBlockState": {"State": state}}
    aws.answers["DescribeVpcs"][0]["Ipv6CidrBlockAssociationSet"] = [gone]
    assert aws.look().resources[VPC].facts.ipv6 == (state == "associated")


def test_what_changed_between_two_pages_is_left_to_the_next_look() -> None:
    aws = Shown()
    groups = aws.answers["DescribeSecurityGroups"]
    opened = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    groups.append(groups[0] | {"IpPermissions": [opened]})
    look = aws.look()
    assert {at: one.reason for at, one in look.unreadable.items()} == {DB: Reason.UNREADABLE}
    assert "AWS shows it twice, and not the same" in look.unreadable[DB].message
    assert (APP in look.resources, look.unmanaged, aws.pauses) == (True, (), 0)


def test_what_may_be_an_address_and_is_not_certain_is_neither_missing_nor_unmanaged() -> None:
    aws = Shown()
    aws.answers["DescribeSecurityGroups"][0] = group("renamed", 1, tags("DBSG"))
    look = aws.look()
    assert (DB in look.resources, look.absent(DB), Ref(DB) in look.handles) == (False, False, False)
    assert look.ambiguous[DB].reason is Reason.AMBIGUOUS
    assert look.candidates == {"sg-00000000000000001": DB}
    assert (look.unmanaged, aws.pauses) == ((), 0)


def test_a_copy_of_the_tags_is_unmanaged_and_says_so() -> None:
    aws = Shown()
    aws.answers["DescribeSecurityGroups"].append(group("copy", 3, tags("DBSG")))
    look = aws.look()
    assert look.handles[Ref(DB)] == "sg-00000000000000001"
    remark = "it carries the tags of security_group/DBSG and is not it: take them off"
    assert look.unmanaged == (Unmanaged(Address("security_group/copy"), "sg-00000000000000003", remark=remark),)
    assert look.copies == {DB: "sg-00000000000000003"}


def test_by_what_each_resource_was_found_is_told() -> None:
    look = Shown().look()
    assert {str(at): found.by for at, found in look.found_by.items()} == {
        "vpc/MyVPC": Evidence.TAGS,
        "security_group/DBSG": Evidence.KEY,
        "security_group/TestServerSG": Evidence.KEY,
    }


def test_what_belongs_to_another_document_is_never_taken_for_ours() -> None:
    aws = Shown()
    aws.answers["DescribeSecurityGroups"][0] = group("DBSG", 1, tags("DBSG", "another"))
    look = aws.look()
    assert (DB in look.resources, look.absent(DB), Ref(DB) in look.handles) == (False, False, False)
    assert look.ambiguous[DB] == Cause(
        Reason.FOREIGN,
        "sg-00000000000000001 is it, but it belongs to the document 'another': "
        'refer to it under "external", or, if this document takes it over, '
        'take it out of that one and write "formerly": ["another"]',
    )
    assert look.foreign == {"sg-00000000000000001": "it belongs to the document 'another'"}


def test_where_the_former_name_of_the_document_is_written_already_another_mend_is_told() -> None:
    aws = Shown()
    aws.answers["DescribeSecurityGroups"][0] = group("DBSG", 1, [{"Key": "setpoint:document", "Value": "another"}])
    told = aws.look(replace(DOCUMENT, formerly=("another",))).ambiguous[DB].message
    assert told.endswith("its tag setpoint:name names nothing that is declared here: put that tag right")


def test_what_nobody_declared_is_unmanaged_and_owned_only_with_our_tag() -> None:
    aws = Shown()
    theirs, owned, other = (
        group("theirs", 3),
        group("old", 4, tags("old")),
        group("default", 5, tags("old", "another")),
    )
    aws.answers["DescribeSecurityGroups"] += [theirs, owned, other]
    look = aws.look()
    assert set(look.unmanaged) == {
        Unmanaged(Address("security_group/theirs"), "sg-00000000000000003"),
        Unmanaged(Address("security_group/old"), "sg-00000000000000004", owned=True),
        Unmanaged(
            Address("security_group/default"),
            "sg-00000000000000005",
            remark="it belongs to the document 'another'",
        ),
    }
    assert look.handles[Ref(Address("security_group/old"))] == "sg-00000000000000004"
    assert Ref(Address("security_group/theirs")) not in look.handles


def test_ids_in_live_state_become_addresses_where_somebody_declared_the_thing() -> None:
    aws = Shown()
    peers = [{"GroupId": f"sg-{number:017x}", "UserId": "123456789012"} for number in (2, 9)]
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": peers}
    aws.answers["DescribeSecurityGroups"][0]["IpPermissions"] = [rule]
    live = aws.look().resources[DB].spec
    assert {str(key) for key in live.ingress} == {
        "tcp 22 security_group/TestServerSG",
        "tcp 22 sg-00000000000000009",
    }


def test_the_second_look_asks_only_the_kinds_of_which_something_is_missing() -> None:
    aws = Shown()
    aws.answers["DescribeSecurityGroups"] = []
    aws.look()
    asked = Counter(one.operation for one in aws.asked)
    assert asked["DescribeSecurityGroups"] == 2
    assert asked["DescribeSubnets"] == 1
    assert WEB not in DOCUMENT.resources
    assert VPC in DOCUMENT.resources


def wave(vpc_id: str) -> list[str]:
    """The eight reads of a calm run without databases, as (operation, the VPC it asks about)."""
    here = f'"{vpc_id}"'
    whole = ["DescribeVpcs", "DescribeInternetGateways"]
    about = [
        "NetworkAcls",
        "RouteTables",
        "SecurityGroups",
        "Subnets",
        "VpcAttribute",
        "VpcAttribute",
    ]
    return sorted([*whole, *(f"Describe{one} {here}" for one in about)])


def asked_about(aws: Shown, *ids: str) -> list[str]:
    """The reads that were made, each with those of the VPCs that it asks about."""
    return sorted(
        " ".join([one.operation, *(f'"{each}"' for each in ids if f'"{each}"' in one.params)]) for one in aws.asked
    )


def test_with_a_hint_the_reads_of_a_calm_look_are_one_wave() -> None:
    """No read is answered before all of them were asked for."""
    aws = Shown(barrier=threading.Barrier(ALL))
    assert names(aws.look(hint="vpc-1")) == {"vpc/MyVPC", "security_group/DBSG", "security_group/TestServerSG"}
    assert asked_about(aws, "vpc-1") == wave("vpc-1")
    assert aws.pauses == 0


def test_a_look_with_a_hint_sees_what_one_without_it_sees() -> None:
    assert Shown().look(hint="vpc-1") == Shown().look()


def test_a_hint_to_a_vpc_that_is_gone_costs_only_its_reads() -> None:
    aws = Shown()
    assert aws.look(hint="vpc-0") == Shown().look()
    assert asked_about(aws, "vpc-0", "vpc-1") == sorted(
        [*wave("vpc-0"), *(one for one in wave("vpc-1") if "vpc-1" in one)]
    )


def test_a_hint_to_a_vpc_of_another_document_is_not_believed() -> None:
    aws = Shown()
    theirs = {"VpcId": "vpc-2", "CidrBlock": "10.0.0.0/16", "Tags": tags("MyVPC", "another", Name="MyVPC")}
    aws.answers["DescribeVpcs"].append(theirs)
    assert aws.look(hint="vpc-2").handles[Ref(VPC)] == "vpc-1"
    aws.answers["DescribeVpcs"] = [theirs]
    with pytest.raises(ObserveError, match="vpc-2 is it, but it belongs to the document 'another'"):
        aws.look(hint="vpc-2")


def test_a_hint_does_not_choose_between_two_vpcs_that_could_be_it() -> None:
    aws = Shown()
    aws.answers["DescribeVpcs"].append(aws.answers["DescribeVpcs"][0] | {"VpcId": "vpc-2"})
    with pytest.raises(ObserveError, match="2 live resources could be it: vpc-1 and vpc-2"):
        aws.look(hint="vpc-2")


def test_where_the_scope_names_the_vpc_a_hint_is_not_looked_at() -> None:
    written = {"version": 1, "name": "shop", "revision": 1}
    scope = {"account_id": "123456789012", "region": "ap-northeast-2", "vpc_id": "vpc-0a1b2c3d"}
    declared = document(written | {"scope": scope, "resources": {"security_group": {"DBSG": {"ingress": []}}}})
    aws = Shown()
    aws.answers["DescribeVpcs"][0]["VpcId"] = "vpc-0a1b2c3d"
    aws.look(declared, hint="vpc-1")
    assert not any("vpc-1" in one.params for one in aws.asked)


def test_a_read_that_hangs_costs_its_kind_and_not_the_run() -> None:
    released = threading.Event()

    class Hanging(Shown):
        def read(self, read: Read) -> list[Any]:
            if read.operation == "DescribeNetworkAcls":
                released.wait(WIDE)
            return super().read(read)

    seen = Hanging(patience=0.05).look()
    released.set()
    assert {address.kind for address in seen.unreadable} == {"network_acl"}
    assert {cause.reason for cause in seen.unreadable.values()} == {Reason.UNREADABLE}


def test_a_search_for_the_vpc_that_hangs_ends_the_look_in_its_time() -> None:
    released = threading.Event()

    class Hanging(Shown):
        def read(self, read: Read) -> list[Any]:
            released.wait(WIDE)
            return super().read(read)

    with pytest.raises(ObserveError, match="did not answer within the time of this run"):
        Hanging(patience=0.05).look()
    released.set()
