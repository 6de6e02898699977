"""No step of a correction opens or cuts a way from end to end: examples of every kind, and networks drawn by a seed.

Each example failed at one time, most of them as long as every end, or every layer, was judged by itself. The packet
oracle watches both ends, request and reply, after every write, also of runs that cannot read a layer, that die, and
whose writes fail.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.support.generated import (
    ANYBODY,
    DATABASE,
    DEFAULT,
    GATEWAY,
    INSIDE,
    KINDS,
    MAIN,
    NAME,
    NAT,
    STRANGER,
    VPC,
    AddRule,
    Deed,
    DeleteEntry,
    DeleteRoute,
    DetachGateway,
    ExchangeMain,
    Fault,
    MoveRule,
    Publish,
    PutEntry,
    PutRoute,
    RemoveRule,
    Stage,
    Story,
    UseAcl,
    UseGroups,
    UseTable,
    What,
    Written,
    a_story,
)
from tests.support.runs import REFERENCE
from tests.support.sampling import sampled

OUT = {ANYBODY: f"internet_gateway/{GATEWAY}"}
ALL = [{"protocol": "all", "destination": ANYBODY}]
EVERYTHING = What("-1", None, ANYBODY)


def port(number: int, peer: str, end: str = "source") -> Written:
    return {"protocol": "tcp", "ports": number, end: peer}


def network(
    groups: Mapping[str, Written],
    tables: Mapping[str, Written] | None = None,
    acls: Mapping[str, Written] | None = None,
    database: Written | None = None,
) -> Written:
    """A network of three subnets: Subnet1 with a way out, the others without."""
    zones = {"Subnet1": "a", "Subnet2": "c", "Subnet3": "a"}
    resources: Written = {
        "vpc": {VPC: {"cidr_block": INSIDE, "enable_dns_support": True, "enable_dns_hostnames": True}},
        "internet_gateway": {GATEWAY: {}},
        "subnet": {
            name: {"cidr_block": f"10.0.{name[-1]}.0/24", "availability_zone": f"ap-northeast-2{zone}"}
            for name, zone in zones.items()
        },
        "route_table": tables
        or {
            "Out": {"routes": OUT, "subnets": ["subnet/Subnet1"]},
            "In": {"routes": {}, "subnets": ["subnet/Subnet2", "subnet/Subnet3"]},
        },
        "security_group": groups,
    }
    if acls:
        resources["network_acl"] = acls
    if database:
        subnets = database.pop("subnets", ["subnet/Subnet2", "subnet/Subnet3"])
        like = REFERENCE["resources"]["db_instance"]["mypostgresqldb"]
        resources["db_subnet_group"] = {"datanets": {"description": "two", "subnets": subnets}}
        resources["db_instance"] = {
            DATABASE: {**like, "db_subnet_group": "db_subnet_group/datanets", "deletion_protection": False} | database
        }
    return {"version": 1, "name": NAME, "revision": 1, "scope": REFERENCE["scope"], "resources": resources}


def acl(subnets: Sequence[str], ingress: Sequence[Written], egress: Sequence[Written] = ALL) -> Written:
    """An ACL that allows this, in this order, numbered 100, 110, ..."""

    def numbered(entries: Sequence[Written]) -> Written:
        return {str(100 + 10 * n): {"action": "allow", **entry} for n, entry in enumerate(entries)}

    return {"subnets": list(subnets), "ingress": numbered(ingress), "egress": numbered(egress)}


ADMIN = {"admin": {"ingress": [port(22, ANYBODY)], "egress": ALL}}
WEB = {"web": {"ingress": [port(443, ANYBODY)], "egress": ALL}}
WITH_MAIN = {
    "Out": {"routes": OUT, "subnets": ["subnet/Subnet1"]},
    "In": {"routes": {}, "subnets": ["subnet/Subnet3"]},
}
OPEN, SHUT = {"protocol": "all", "source": ANYBODY}, {"protocol": "all", "source": "10.0.0.0/8"}
ANY_WAY_OUT = {"100": {"action": "allow", **ALL[0]}}
BEHIND_A_DENY: tuple[Deed, ...] = (
    PutEntry("back", False, 40, "deny", What("tcp", (80, 80), ANYBODY)),
    PutEntry("back", False, 50, "allow", EVERYTHING),
)
"""An entry that lets everything in, and one before it that is not to be taken away first."""
PUBLIC: Written = {"publicly_accessible": True, "subnets": ["subnet/Subnet1", "subnet/Subnet2"]}
BOTH_OUT = {"Out": {"routes": OUT, "subnets": ["subnet/Subnet1", "subnet/Subnet2"]}}


def less(written: Written, subnet: str) -> Written:
    """The document before a subnet and the database were written into it."""
    text: Any = json.loads(json.dumps(written))
    resources = text["resources"]
    del resources["db_instance"], resources["db_subnet_group"], resources["subnet"][subnet]
    for kind in ("route_table", "network_acl"):
        for one in resources.get(kind, {}).values():
            one["subnets"] = [at for at in one["subnets"] if at != f"subnet/{subnet}"]
    return dict(text)


def story(written: Written, *deeds: Deed, fault: Fault = Fault(), built: Written | None = None) -> Story:  # noqa: B008 (a value)
    return Story("", written, deeds, fault, built)


_NEW_DATABASE = network(
    {"data": {"ingress": [port(5432, ANYBODY)], "egress": ALL}},
    BOTH_OUT,
    {"front": acl(["subnet/Subnet1", "subnet/Subnet2"], [SHUT])},
    PUBLIC | {"vpc_security_groups": ["security_group/data"]},
)
_IN_PRIVATE = network(
    {"data": {"ingress": [port(5432, ANYBODY)], "egress": ALL}},
    {
        "Out": {"routes": OUT, "subnets": ["subnet/Subnet3"]},
        "In": {"routes": {}, "subnets": ["subnet/Subnet1", "subnet/Subnet2"]},
    },
    database=PUBLIC | {"vpc_security_groups": ["security_group/data"]},
)
_TWO_ACLS = network(
    WEB | {"app": {"ingress": [{"protocol": "all", "source": INSIDE}], "egress": ALL}},
    acls={
        "front": acl(["subnet/Subnet1"], [OPEN], [port(443, ANYBODY, "destination")]),
        "back": acl(["subnet/Subnet2"], [port(8000, INSIDE)]),
    },
)

EXAMPLES: dict[str, Story] = {
    "a: with the tables unreadable, the gateway is attached for a route that nobody declared": story(
        network(ADMIN),
        PutRoute("In", ANYBODY, GATEWAY),
        DetachGateway(),
        fault=Fault("throttle", "DescribeRouteTables"),
    ),
    "a: with the groups unreadable, a route is made to a port that nobody declared": story(
        network(WEB),
        DeleteRoute("Out", ANYBODY),
        AddRule("web", False, What("tcp", (22, 22), ANYBODY)),
        fault=Fault("refuse", "DescribeSecurityGroups"),
    ),
    "a: with the databases unreadable, a group lets itself in again, and the database has a stranger's besides": story(
        network(
            {
                "web": {
                    "ingress": [{"protocol": "tcp", "ports": 443, "source": "security_group/web"}],
                    "egress": [port(443, "10.0.2.128/25", "destination")],
                }
            },
            acls={"all": acl([f"subnet/Subnet{n}" for n in (1, 2, 3)], [{"protocol": "all", "source": INSIDE}])},
            database={"vpc_security_groups": ["security_group/web"]},
        ),
        UseGroups(("web", STRANGER)),
        RemoveRule("web", False, 0),
        fault=Fault("throttle", "DescribeDBInstances"),
    ),
    "b: a private machine goes back to the main table, whose NAT route could not be deleted": story(
        network(WEB, {**WITH_MAIN, "Main": {"main": True, "routes": {}}}),
        PutRoute(MAIN, ANYBODY, NAT),
        UseTable("Subnet2", "Out"),
        fault=Fault("refuse", "DeleteRoute"),
    ),
    "b: a subnet goes back to the main table, which lost its route": story(
        network(WEB, {**WITH_MAIN, "Main": {"main": True, "routes": OUT}}),
        UseTable("Subnet2", "Out"),
        DeleteRoute(MAIN, ANYBODY),
    ),
    "b: a subnet goes back to the default ACL, which lost its entry": story(
        network(
            WEB,
            acls={
                "front": acl(["subnet/Subnet1"], [OPEN]),
                "rest": {"is_default": True, "ingress": {"100": {"action": "allow", **OPEN}}, "egress": ANY_WAY_OUT},
            },
        ),
        UseAcl("Subnet2", "front"),
        DeleteEntry(DEFAULT, False, 0),
    ),
    "c: a rule was moved between the two groups of the database": story(
        network(
            {
                "one": {"ingress": [port(5432, INSIDE)], "egress": ALL},
                "two": {"ingress": [], "egress": ALL},
            },
            database={"vpc_security_groups": ["security_group/one", "security_group/two"]},
        ),
        MoveRule("one", "two", False, 0),
    ),
    "c: the same, and the second call is refused": story(
        network(
            {
                "one": {"ingress": [port(5432, INSIDE)], "egress": ALL},
                "two": {"ingress": [], "egress": ALL},
            },
            database={"vpc_security_groups": ["security_group/one", "security_group/two"]},
        ),
        MoveRule("one", "two", False, 0),
        fault=Fault("refuse", "AuthorizeSecurityGroupIngress"),
    ),
    "c: the same, and another round of the run comes after it": story(
        network(
            {
                "one": {"ingress": [port(5432, INSIDE)], "egress": ALL},
                "two": {"ingress": [], "egress": ALL},
                "rest": {"ingress": [], "egress": ALL},
            },
            database={"vpc_security_groups": ["security_group/one", "security_group/two"]},
        ),
        MoveRule("one", "two", False, 0),
        AddRule("rest", False, What("tcp", (22, 22), ANYBODY)),
        fault=Fault("refuse", "AuthorizeSecurityGroupIngress"),
    ),
    "d: the main table comes back before an entry that nobody declared is taken away": story(
        network(
            ADMIN,
            {**WITH_MAIN, "Main": {"main": True, "routes": OUT}},
            {"back": acl(["subnet/Subnet2"], [SHUT])},
        ),
        PutRoute(STRANGER, "203.0.113.0/24", NAT),
        ExchangeMain(STRANGER),
        *BEHIND_A_DENY,
    ),
    "d: the database gets its group back before an entry that nobody declared is taken away": story(
        network(
            {"data": {"ingress": [port(5432, ANYBODY)], "egress": ALL}, "none": {"ingress": [], "egress": ALL}},
            BOTH_OUT,
            {"back": acl(["subnet/Subnet1", "subnet/Subnet2"], [SHUT])},
            PUBLIC | {"vpc_security_groups": ["security_group/data"]},
        ),
        UseGroups(("none",)),
        *BEHIND_A_DENY,
    ),
    "d: the database gets its group back before a route that nobody declared is taken away": story(
        network(
            {"data": {"ingress": [port(5432, ANYBODY)], "egress": ALL}, "none": {"ingress": [], "egress": ALL}},
            database={"publicly_accessible": True, "vpc_security_groups": ["security_group/data"]},
        ),
        UseGroups(("none",)),
        PutRoute("In", ANYBODY, GATEWAY),
    ),
    "e: a subnet comes back to a gateway that is still detached, behind an ACL that nobody declared": story(
        network(WEB),
        UseAcl("Subnet1", STRANGER),
        UseTable("Subnet1", "In"),
        PutRoute("In", ANYBODY, NAT),
        DetachGateway(),
    ),
    "f: one ACL lets out what the other lets in, and the first write is refused": story(
        _TWO_ACLS,
        PutEntry("front", True, 100, "allow", EVERYTHING),
        PutEntry("back", False, 100, "allow", What("tcp", (443, 443), INSIDE)),
        fault=Fault("refuse", write=1),
    ),
    "f: one group lets out what another lets in, and the first write is refused": story(
        network(
            {
                "client": {"ingress": [], "egress": [port(443, "10.0.0.0/8", "destination")]},
                "server": {"ingress": [port(8000, INSIDE)], "egress": ALL},
            }
        ),
        AddRule("client", True, What("tcp", (8000, 8000), "10.0.0.0/8")),
        RemoveRule("server", False, 0),
        fault=Fault("refuse", "RevokeSecurityGroupEgress"),
    ),
    "c: a group lets in the database by its own group again, which it does not have yet": story(
        network(
            {
                "data": {"ingress": [], "egress": ALL},
                "other": {"ingress": [{"protocol": "all", "source": "security_group/data"}], "egress": ALL},
            },
            database={"vpc_security_groups": ["security_group/data"]},
        ),
        UseGroups((DEFAULT,)),
        AddRule("other", False, What("tcp", (80, 443), INSIDE)),
    ),
    "a: with the groups unreadable, a route through a NAT gateway becomes one that lets in": story(
        network(WEB),
        PutRoute("Out", ANYBODY, NAT),
        AddRule("web", False, What("tcp", (22, 22), ANYBODY)),
        fault=Fault("refuse", "DescribeSecurityGroups"),
    ),
    "f: what was refused is not tried again in the run, and what needs it waits with it": story(
        network(
            WEB
            | {
                "client": {"ingress": [], "egress": ALL},
                "server": {
                    "ingress": [{"protocol": "tcp", "ports": "1024-65535", "source": "security_group/client"}],
                    "egress": ALL,
                },
            }
        ),
        AddRule("web", False, What("tcp", (22, 22), ANYBODY)),
        RemoveRule("client", True, 0),
        RemoveRule("server", False, 0),
        AddRule("server", False, What("tcp", (0, 65535), "10.0.0.0/8")),
        fault=Fault("refuse", "AuthorizeSecurityGroupIngress"),
    ),
    "g: a database is made in a subnet that could not be put behind its ACL": story(
        _NEW_DATABASE,
        fault=Fault("refuse", "ReplaceNetworkAclAssociation"),
        built=less(_NEW_DATABASE, "Subnet2"),
    ),
    "g: a database is made in a subnet that could not be given its table, with the main one open": story(
        _IN_PRIVATE,
        PutRoute(MAIN, ANYBODY, GATEWAY),
        fault=Fault("refuse", "AssociateRouteTable"),
        built=less(_IN_PRIVATE, "Subnet2"),
    ),
}


_EXCHANGED = (ExchangeMain("In"), PutRoute("In", ANYBODY, GATEWAY))
"""Each of the two tables then reads as the other is declared, and neither is corrected."""
_TABLES: Mapping[str, Written] = {
    "Out": {"routes": OUT, "subnets": ["subnet/Subnet1"]},
    "In": {"routes": {}, "subnets": ["subnet/Subnet2", "subnet/Subnet3"]},
    "Main": {"main": True, "routes": OUT},
}
LEFT: dict[str, Story] = {
    "a gateway": story(network(ADMIN, _TABLES), *_EXCHANGED, DetachGateway()),
    "a rule": story(network(ADMIN, _TABLES), *_EXCHANGED, RemoveRule("admin", False, 0)),
    "a database's public address": story(
        network(
            ADMIN, _TABLES, database={"publicly_accessible": True, "vpc_security_groups": ["security_group/admin"]}
        ),
        *_EXCHANGED,
        Publish(public=False),
    ),
    "a database's group": story(
        network(
            ADMIN | {"none": {"ingress": [], "egress": ALL}},
            _TABLES,
            database={"publicly_accessible": True, "vpc_security_groups": ["security_group/admin"]},
        ),
        *_EXCHANGED,
        UseGroups(("none",)),
    ),
}
"""What would open a way through a table that nobody may correct."""


@pytest.mark.parametrize("story", sampled([(one,) for one in EXAMPLES.values()], 2, seed="examples", ids=[*EXAMPLES]))
def test_no_step_opens_or_cuts_a_way(stage: Stage, story: Story) -> None:
    ending = stage.play(story)
    assert ending.violations == [], ending.writes
    assert ending.left == []
    assert ending.writes
    assert not ending.wrong_aim


@pytest.mark.parametrize("story", LEFT.values(), ids=LEFT.keys())
def test_no_step_opens_a_way_through_what_the_document_wants_otherwise_and_cannot_have(
    stage: Stage, story: Story
) -> None:
    ending = stage.play(story)
    assert ending.violations == [], ending.writes
    assert any("route_table/In" in one for one in ending.left)


def kept(stage: Stage, seed: int) -> None:
    story = a_story(seed)
    ending = stage.play(story)
    assert not ending.violations, f"seed {seed}: {ending.violations[:3]} of {ending.writes}; {story}"
    assert not ending.wrong_aim, f"seed {seed}: {story}"


@pytest.mark.parametrize("seed", sampled(range(0, 10 * len(KINDS), 10), 4, seed="drawn"))
def test_no_step_opens_or_cuts_a_way_in_a_drawn_network(stage: Stage, seed: int) -> None:
    kept(stage, seed)


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, 2500, 10))
def test_no_step_opens_or_cuts_a_way_at_length(stage: Stage, first: int) -> None:
    for seed in range(first, first + 10):
        kept(stage, seed)
