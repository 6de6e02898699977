"""Who changed what: from the event that woke us, else from CloudTrail, and never a guess."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

import pytest

from desired_state.fields import Address
from handlers.triggers import Dropped, Here, read
from lab.strict_aws import StrictAws
from reconciler.aws.client import Aws
from reconciler.cloudtrail.attribution import LOOKUPS, Differing, Drifted, attribute, drifted
from reconciler.cloudtrail.record import is_own
from reconciler.engine.result import Report
from reconciler.model.trigger import Actor
from tests.support.cases import permission
from tests.support.runs import MORNING, Network

API, SERVER, DB = "security_group/APIGatewaySG", "security_group/TestServerSG", "security_group/DBSG"
DATABASE = "db_instance/mypostgresqldb"
OWN_ROLES = frozenset({"arn:aws:iam::123456789012:role/setpoint-worker"})
OWN_SESSIONS = frozenset({"setpoint-worker"})
HERE = Here(
    account="123456789012",
    region="ap-northeast-2",
    bucket="setpoint-documents",
    prefix="documents/",
    own_roles=OWN_ROLES,
    own_sessions=OWN_SESSIONS,
    accounts=frozenset({"123456789012"}),
)
SSH = permission(22, "0.0.0.0/0")


@pytest.fixture
def site(net: Network) -> Iterator[Network]:
    """The reference network; the trail tells the time of the run's clock, and has forgotten how it was built."""
    trail = net.lab.trail
    was, began = trail.now, net.clock.at
    trail.now = net.clock.now
    trail.clear()
    net.clock.at = MORNING
    yield net
    net.clock.at, trail.now, trail.delay = began, was, timedelta()
    trail.clear()


class Enquiry:
    """The means of an attribution: what was slept, and which lookups were made."""

    def __init__(self, net: Network) -> None:
        self._net = net
        self.slept: list[float] = []

    def read_request(self, drifts: Any, actors: Any = (), since: datetime = MORNING) -> Mapping[Address, Actor]:
        net = self._net
        net.lab.calls.clear()
        return attribute(
            drifts,
            actors,
            owned(net.lab),
            since=since,
            now=net.clock.now,
            sleep=self.sleep,
            is_own_call=partial(is_own, own_roles=OWN_ROLES, own_sessions=OWN_SESSIONS),
        ).actors

    def who(self, drifts: Any, actors: Any = (), since: datetime = MORNING) -> dict[str, tuple[str, str]]:
        """By address: the user's name, and the call."""
        found = self.read_request(drifts, actors, since)
        return {str(at): (one.who.rpartition("/")[2], one.call) for at, one in found.items()}

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._net.clock.sleep(seconds)

    @property
    def looked_up(self) -> list[str]:
        lookups = [call for call in self._net.lab.calls if call.operation == "LookupEvents"]
        return [call.params["LookupAttributes"][0]["AttributeValue"] for call in lookups]


@pytest.fixture
def enquiry(site: Network) -> Enquiry:
    return Enquiry(site)


def later(net: Network, minutes: float = 1) -> None:
    net.clock.sleep(minutes * 60)


@cache
def hands(lab: StrictAws, user: str, service: str) -> Any:
    """Kept: making a client costs more than a whole run."""
    return lab.outsider(user).client(service)  # type: ignore[call-overload]


@cache
def owned(lab: StrictAws) -> Aws:
    return Aws(lab.session(), lab.region)


def by(net: Network, user: str, service: str = "ec2") -> Any:
    return hands(net.lab, user, service)


def open_ssh(net: Network, user: str, group: str = API) -> None:
    by(net, user).authorize_security_group_ingress(GroupId=net.id(group), IpPermissions=[SSH])


def woken(net: Network) -> tuple[Actor, ...]:
    """The actors of everything that EventBridge would have delivered by now, as the worker reads it."""
    triggers = [read(json.loads(json.dumps(one, default=str)), HERE) for one in net.lab.trail.events()]
    return tuple(one for trigger in triggers if not isinstance(trigger, Dropped) for one in trigger.actors)


def drift(net: Network, address: str, *fields: str, missing: bool = False) -> Drifted:
    differing = [Differing(field) for field in ("", *fields)[not missing :]]
    return Drifted(Address(address), "" if missing else net.id(address), tuple(differing))


def seen(report: Report) -> tuple[Drifted, ...]:
    """What differs, where nothing is remembered."""
    return drifted(report, {}, {})


def test_the_event_that_woke_us_says_who_without_a_lookup(site: Network, enquiry: Enquiry) -> None:
    open_ssh(site, "alice")
    report = site.plan()
    assert enquiry.who(seen(report), woken(site)) == {API: ("alice", "AuthorizeSecurityGroupIngress")}
    assert enquiry.looked_up == []


def test_without_an_event_cloudtrail_is_asked_about_the_id_we_saw(site: Network, enquiry: Enquiry) -> None:
    open_ssh(site, "alice")
    report = site.run()
    assert report.in_sync
    assert enquiry.who(seen(report)) == {API: ("alice", "AuthorizeSecurityGroupIngress")}
    assert enquiry.looked_up == [site.id(API)]
    (actor,) = enquiry.read_request(seen(report)).values()
    assert actor.at == MORNING
    assert actor.source_ip == "198.51.100.7"


def test_nothing_is_looked_up_where_nothing_drifted(site: Network, enquiry: Enquiry) -> None:
    assert enquiry.who(seen(site.run())) == {}
    assert enquiry.looked_up == []


def test_the_newest_call_is_named(site: Network, enquiry: Enquiry) -> None:
    open_ssh(site, "alice")
    later(site)
    taken = by(site, "bob")
    taken.revoke_security_group_ingress(GroupId=site.id(API), IpPermissions=[SSH])
    later(site)
    open_ssh(site, "carol")
    drifts = seen(site.plan())
    assert enquiry.who(drifts) == {API: ("carol", "AuthorizeSecurityGroupIngress")}
    assert enquiry.who(drifts, reversed(woken(site))) == {API: ("carol", "AuthorizeSecurityGroupIngress")}


def test_our_own_correction_is_nobody_s_drift(site: Network, enquiry: Enquiry) -> None:
    open_ssh(site, "alice")
    later(site)
    assert site.run().in_sync
    later(site)
    calls = [one["eventName"] for one in site.lab.trail.records()]
    assert calls == ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"]
    assert enquiry.who([drift(site, API, "ingress")]) == {API: ("alice", "AuthorizeSecurityGroupIngress")}
    assert enquiry.who([drift(site, API, "ingress")], since=MORNING + timedelta(seconds=30)) == {}
    assert [one.who.rpartition("/")[2] for one in woken(site)] == ["alice"]


def test_a_refused_attempt_is_nobody_s_drift(site: Network, enquiry: Enquiry) -> None:
    open_ssh(site, "alice")
    later(site)
    with pytest.raises(Exception, match="Duplicate"):
        open_ssh(site, "mallory")
    assert enquiry.who([drift(site, API, "ingress")]) == {API: ("alice", "AuthorizeSecurityGroupIngress")}


def test_who_set_a_tag_has_not_opened_a_port(site: Network, enquiry: Enquiry) -> None:
    open_ssh(site, "alice")
    later(site)
    by(site, "bob").create_tags(Resources=[site.id(API)], Tags=[{"Key": "Name", "Value": "mine"}])
    assert enquiry.who([drift(site, API, "ingress")]) == {API: ("alice", "AuthorizeSecurityGroupIngress")}
    assert enquiry.who([drift(site, API, "tags")]) == {API: ("bob", "CreateTags")}
    assert enquiry.who([drift(site, API, "ingress", "tags")], woken(site)) == {
        API: ("alice", "AuthorizeSecurityGroupIngress")
    }


def test_who_opened_the_way_out_has_not_opened_the_way_in(site: Network, enquiry: Enquiry) -> None:
    open_ssh(site, "alice")
    later(site)
    out = permission(25, "0.0.0.0/0")
    by(site, "bob").authorize_security_group_egress(GroupId=site.id(API), IpPermissions=[out])
    assert enquiry.who([drift(site, API, "ingress")]) == {API: ("alice", "AuthorizeSecurityGroupIngress")}
    assert enquiry.who([drift(site, API, "egress")]) == {API: ("bob", "AuthorizeSecurityGroupEgress")}


def test_who_let_a_group_in_elsewhere_has_not_changed_that_group(site: Network, enquiry: Enquiry) -> None:
    open_ssh(site, "alice", SERVER)
    later(site)
    pair = {"IpProtocol": "tcp", "FromPort": 9, "ToPort": 9, "UserIdGroupPairs": [{"GroupId": site.id(SERVER)}]}
    by(site, "bob").authorize_security_group_ingress(GroupId=site.id(DB), IpPermissions=[pair])
    expected = {
        SERVER: ("alice", "AuthorizeSecurityGroupIngress"),
        DB: ("bob", "AuthorizeSecurityGroupIngress"),
    }
    assert enquiry.who(seen(site.plan())) == expected
    assert enquiry.who(seen(site.plan()), woken(site)) == expected


def test_a_call_of_another_kind_that_mentions_the_id_does_not_count(site: Network, enquiry: Enquiry) -> None:
    by(site, "bob", "rds").modify_db_instance(
        DBInstanceIdentifier=site.id(DATABASE),
        VpcSecurityGroupIds=[site.id(DB), site.id(SERVER)],
        ApplyImmediately=True,
    )
    assert enquiry.who([drift(site, SERVER, "ingress")]) == {}
    assert enquiry.looked_up == [site.id(SERVER)]
    assert enquiry.who([drift(site, DATABASE, "vpc_security_groups")]) == {DATABASE: ("bob", "ModifyDBInstance")}


def test_a_table_and_an_acl_are_found_by_their_ids(site: Network, enquiry: Enquiry) -> None:
    table, acl = "route_table/PublicRouteTable", "network_acl/PublicSubnetACL"
    by(site, "alice").delete_route(RouteTableId=site.id(table), DestinationCidrBlock="0.0.0.0/0")
    by(site, "bob").delete_network_acl_entry(NetworkAclId=site.id(acl), RuleNumber=100, Egress=False)
    assert enquiry.who(seen(site.plan())) == {
        table: ("alice", "DeleteRoute"),
        acl: ("bob", "DeleteNetworkAclEntry"),
    }


def test_a_deleted_database_is_known_by_its_name(site: Network, enquiry: Enquiry) -> None:
    rds = by(site, "mallory", "rds")
    rds.modify_db_instance(DBInstanceIdentifier="mypostgresqldb", DeletionProtection=False, ApplyImmediately=True)
    site.lab.settle()
    later(site)
    rds.delete_db_instance(DBInstanceIdentifier="MyPostgreSQLdb", SkipFinalSnapshot=True)
    site.lab.settle()
    lost = drift(site, DATABASE, missing=True)
    assert enquiry.who([lost], woken(site)) == {DATABASE: ("mallory", "DeleteDBInstance")}
    assert enquiry.looked_up == []


def test_of_what_is_missing_only_a_deletion_is_named(site: Network, enquiry: Enquiry) -> None:
    by(site, "bob", "rds").modify_db_instance(
        DBInstanceIdentifier="mypostgresqldb", BackupRetentionPeriod=3, ApplyImmediately=True
    )
    lost = drift(site, DATABASE, missing=True)
    assert enquiry.who([lost], woken(site)) == {}
    assert enquiry.looked_up == ["mypostgresqldb"]


def test_a_deleted_table_has_no_id_any_more_and_nobody_is_named(site: Network, enquiry: Enquiry) -> None:
    gone = "network_acl/PublicSubnetACL"
    by(site, "mallory").create_tags(Resources=[site.id(gone)], Tags=[{"Key": "a", "Value": "b"}])
    assert enquiry.who([drift(site, gone, missing=True)], woken(site)) == {}
    assert enquiry.looked_up == []


def test_what_this_run_made_anew_counts_as_missing(site: Network, enquiry: Enquiry) -> None:
    ec2 = by(site, "mallory")
    gone = "network_acl/PublicSubnetACL"
    default = next(
        one["NetworkAclId"]
        for one in ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [site.live.vpc_id]}])["NetworkAcls"]
        if one["IsDefault"]
    )
    (acl,) = ec2.describe_network_acls(NetworkAclIds=[site.id(gone)])["NetworkAcls"]
    for one in acl["Associations"]:
        ec2.replace_network_acl_association(AssociationId=one["NetworkAclAssociationId"], NetworkAclId=default)
    ec2.delete_network_acl(NetworkAclId=site.id(gone))
    report: Report = site.run()
    (made,) = [one for one in seen(report) if one.address == gone]
    assert report.ids[Address(gone)] not in {"", site.id(gone)}
    assert made.id == ""


def test_calls_from_before_it_was_last_in_order_do_not_count(site: Network, enquiry: Enquiry) -> None:
    open_ssh(site, "alice")
    drifts = seen(site.plan())
    after = MORNING + timedelta(seconds=1)
    assert enquiry.who(drifts, woken(site), since=after) == {}
    assert enquiry.who(drifts, woken(site), since=MORNING + timedelta(milliseconds=999)) == {
        API: ("alice", "AuthorizeSecurityGroupIngress")
    }


def test_what_cloudtrail_does_not_know_yet_is_unknown(site: Network, enquiry: Enquiry) -> None:
    site.lab.trail.delay = timedelta(minutes=5)
    open_ssh(site, "alice")
    drifts = seen(site.plan())
    assert enquiry.who(drifts) == {}
    later(site, 5)
    assert enquiry.who(drifts) == {API: ("alice", "AuthorizeSecurityGroupIngress")}


def test_lookups_are_half_a_second_apart(site: Network, enquiry: Enquiry) -> None:
    for group in (API, SERVER, DB):
        open_ssh(site, "alice", group)
    assert set(enquiry.who(seen(site.plan()))) == {API, SERVER, DB}
    assert len(enquiry.looked_up) == 3
    assert enquiry.slept == [0.5, 0.5]


def test_only_the_first_few_are_looked_up_and_the_rest_is_said(
    site: Network, enquiry: Enquiry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "reconciler.cloudtrail.attribution")
    drifts = [Drifted(Address(f"security_group/g{n}"), f"sg-{n:017x}", (Differing("ingress"),)) for n in range(8)]
    assert enquiry.who(drifts) == {}
    assert enquiry.looked_up == [f"sg-{n:017x}" for n in range(LOOKUPS)]
    assert caplog.messages == ["who changed 3 of 8 drifted resources is not looked up"]


@pytest.mark.parametrize(
    "arm",
    [
        lambda faults: faults.refuse("LookupEvents", code="AccessDeniedException"),
        lambda faults: faults.throttle("LookupEvents", times=9, code="ThrottlingException"),
        lambda faults: faults.fail("LookupEvents", "InternalFailure", times=9),
        lambda faults: faults.lose_answer("LookupEvents", times=9),
    ],
    ids=["refused", "throttled", "failed", "lost"],
)
def test_a_lookup_that_fails_is_unknown_said_once_and_the_last(
    site: Network, enquiry: Enquiry, caplog: pytest.LogCaptureFixture, arm: Any
) -> None:
    for group in (API, SERVER, DB):
        open_ssh(site, "alice", group)
    events = woken(site)[:1]
    drifts = seen(site.plan())
    arm(site.lab.faults)
    caplog.set_level(logging.INFO, "reconciler.cloudtrail.attribution")
    assert enquiry.who(drifts, events) == {API: ("alice", "AuthorizeSecurityGroupIngress")}
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("who caused the drift is unknown: LookupEvents: ")
    assert len(set(enquiry.looked_up)) == 1


def test_entries_that_cannot_be_read_are_passed_over(
    site: Network, enquiry: Enquiry, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ssh(site, "alice")
    drifts = seen(site.plan())
    whole = site.lab.trail.lookup

    def spoilt(params: Any) -> Any:
        broken = [{}, {"CloudTrailEvent": "{"}, {"CloudTrailEvent": "[]"}, {"CloudTrailEvent": "[" * 200_000}]
        return {"Events": [*broken, *whole(params)["Events"]]}

    monkeypatch.setattr(site.lab.trail, "lookup", spoilt)
    assert enquiry.who(drifts) == {API: ("alice", "AuthorizeSecurityGroupIngress")}
    monkeypatch.setattr(site.lab.trail, "lookup", lambda params: {})
    assert enquiry.who(drifts) == {}


def test_what_is_there_and_undeclared_comes_first(site: Network) -> None:
    (group,) = site.outsider("ec2").describe_security_groups(GroupIds=[site.id(API)])["SecurityGroups"]
    taken = group["IpPermissions"]
    by(site, "bob").revoke_security_group_ingress(GroupId=site.id(API), IpPermissions=taken)
    open_ssh(site, "alice", SERVER)
    assert [str(one.address) for one in seen(site.plan())] == [SERVER, API]
