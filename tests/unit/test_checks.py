"""What parts of a document may not say of each other, and what AWS would refuse: each with its place and its hint."""

from __future__ import annotations

import json
import string
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import desired_state
from desired_state.database import windows_overlap
from desired_state.fields import Address
from desired_state.limits import over_quota
from desired_state.load import DocumentError, load
from desired_state.quotas import DEFAULT, MOST, Quotas
from desired_state.rules import description_problem
from tests.support.documents import DOCUMENT, edited, said_of

REFUSED: list[tuple[str, list[tuple[str, str]], list[str]]] = [
    (
        "a second VPC",
        [('"main": { "cidr', '"other": { "cidr_block": "10.9.0.0/16" },\n      "main": { "cidr')],
        [
            (
                "9:15: a second VPC besides 'vpc/other' (resources.vpc.main); a document describes one "
                "VPC: write a document for each"
            ),
        ],
    ),
    (
        "no VPC",
        [
            (
                (
                    '"vpc": {\n      "main": { "cidr_block": "10.0.0.0/16", "enable_dns_support": '
                    'true, "enable_dns_hostnames": true }\n    },'
                ),
                "",
            )
        ],
        [
            ('6:16: the document has no VPC (resources); declare one under "vpc", or name it in scope.vpc_id'),
        ],
    ),
    (
        "a second default network ACL",
        [('"front": {', '"other": { "is_default": true }, "front": { "is_default": true,')],
        [
            (
                "31:65: a second default network ACL besides 'network_acl/other' "
                "(resources.network_acl.front.is_default); a VPC has only one: set is_default on one ACL"
            ),
        ],
    ),
    (
        "two network ACLs for one subnet",
        [('"network_acl": {', '"network_acl": { "back": { "subnets": ["subnet/c"] },')],
        [
            (
                "32:33: 'subnet/c' already has a network ACL, 'network_acl/back' "
                "(resources.network_acl.front.subnets[1]); a subnet has only one: list it in one network ACL"
            ),
        ],
    ),
    (
        "a second internet gateway",
        [('"door": {}', '"door": {}, "window": {}')],
        [
            (
                "10:39: a second internet gateway besides 'internet_gateway/door' "
                "(resources.internet_gateway.window); a VPC has only one: remove one"
            ),
        ],
    ),
    (
        "a second main route table",
        [
            (
                '"subnets": ["subnet/a"] },\n      "in": {',
                '"subnets": ["subnet/a"], "main": true },\n      "in": { "main": true,',
            )
        ],
        [
            (
                "17:23: a second main route table besides 'route_table/out' "
                "(resources.route_table.in.main); a VPC has only one: set main on one table"
            ),
        ],
    ),
    (
        "a route to a gateway that nobody declares",
        [('"internet_gateway/door"', '"internet_gateway/dor"')],
        [
            (
                "16:41: 'internet_gateway/dor' is not declared in this document "
                "(resources.route_table.out.routes['0.0.0.0/0']); did you mean 'internet_gateway/door'?"
            ),
        ],
    ),
    (
        "a rule from a group that nobody declares",
        [('"source": "security_group/web"', '"source": "security_group/wep"')],
        [
            (
                "26:67: 'security_group/wep' is not declared in this document "
                "(resources.security_group.db.ingress[0].source); did you mean 'security_group/web'?"
            ),
        ],
    ),
    (
        "a route table of a subnet that nobody declares",
        [('"subnets": ["subnet/c"]', '"subnets": ["subnet/a", "subnet/z"]')],
        [
            (
                "17:41: 'subnet/a' already has a route table, 'route_table/out' "
                "(resources.route_table.in.subnets[0]); a subnet has only one: list it in one route table"
            ),
            (
                "17:53: 'subnet/z' is not declared in this document "
                "(resources.route_table.in.subnets[1]); did you mean 'subnet/c'?"
            ),
        ],
    ),
    (
        "an instance in a group that nobody declares",
        [('"db_subnet_group/data"', '"db_subnet_group/date"')],
        [
            (
                "47:28: 'db_subnet_group/date' is not declared in this document "
                "(resources.db_instance.orders.db_subnet_group); did you mean 'db_subnet_group/data'?"
            ),
        ],
    ),
    (
        "an instance behind a group that nobody declares",
        [('["security_group/db"]', '["security_group/dba"]')],
        [
            (
                "48:33: 'security_group/dba' is not declared in this document "
                "(resources.db_instance.orders.vpc_security_groups[0]); did you mean 'security_group/db'?"
            ),
        ],
    ),
    (
        "a workload in a subnet that nobody declares",
        [('{ "subnets": ["subnet/a"], "sec', '{ "subnets": ["subnet/b"], "sec')],
        [
            ("58:39: 'subnet/b' is not declared in this document (workloads.api.subnets[0]); did you mean 'subnet/c'?"),
        ],
    ),
    (
        "a tolerated rule from a group that nobody declares",
        [('"source": "192.0.2.7/32"', '"source": "security_group/ops"')],
        [
            (
                "63:16: 'security_group/ops' is not declared in this document (exceptions[0].value); did "
                "you mean 'security_group/db'?"
            ),
        ],
    ),
    (
        "an internet gateway of another VPC",
        [('"door": {}', '"door": { "vpc": "vpc/other" }')],
        [
            (
                "10:44: 'vpc/other' is not declared in this document "
                "(resources.internet_gateway.door.vpc); write one of vpc/main"
            ),
        ],
    ),
    (
        "a subnet outside the VPC",
        [('"10.0.2.0/24"', '"10.1.2.0/24"')],
        [
            (
                "13:28: 10.1.2.0/24 is outside the VPC's CIDR block (resources.subnet.c.cidr_block); choose "
                "a network inside 10.0.0.0/16, or declare its network in secondary_cidr_blocks"
            ),
        ],
    ),
    (
        "a subnet over another",
        [('"10.0.2.0/24"', '"10.0.0.0/20"')],
        [
            (
                "13:28: 10.0.0.0/20 overlaps 'subnet/a' (10.0.1.0/24) (resources.subnet.c.cidr_block); "
                "choose a network that no other subnet overlaps"
            ),
        ],
    ),
    (
        "a zone of another region",
        [('"ap-northeast-2c"', '"us-east-1c"')],
        [
            (
                "13:64: 'us-east-1c' is not a zone of ap-northeast-2 "
                '(resources.subnet.c.availability_zone); write a zone such as "ap-northeast-2a"'
            ),
        ],
    ),
    (
        "a zone of a region with a longer number",
        [('"region": "ap-northeast-2"', '"region": "ap-northeast-1"')],
        [
            (
                "12:64: 'ap-northeast-2a' is not a zone of ap-northeast-1 "
                '(resources.subnet.a.availability_zone); write a zone such as "ap-northeast-1a"'
            ),
            (
                "13:64: 'ap-northeast-2c' is not a zone of ap-northeast-1 "
                '(resources.subnet.c.availability_zone); write a zone such as "ap-northeast-1a"'
            ),
        ],
    ),
    (
        "two route tables for one subnet",
        [('"subnets": ["subnet/c"]', '"subnets": ["subnet/c", "subnet/a"]')],
        [
            (
                "17:53: 'subnet/a' already has a route table, 'route_table/out' "
                "(resources.route_table.in.subnets[1]); a subnet has only one: list it in one route table"
            ),
        ],
    ),
    (
        "a route for the VPC's own network",
        [('"routes": {}', '"routes": { "10.0.0.0/16": "internet_gateway/door" }')],
        [
            (
                "17:27: a route for the VPC's CIDR block cannot be created "
                "(resources.route_table.in.routes['10.0.0.0/16']); leave it out: AWS creates the local route"
            ),
        ],
    ),
    (
        "two groups of one name",
        [('"db": {\n', '"WEB": {\n')],
        [
            (
                "25:7: 'WEB' and 'web' are the same name to AWS (resources.security_group.WEB); choose names "
                "that differ in more than case"
            ),
            (
                "48:33: 'security_group/db' is not declared in this document "
                "(resources.db_instance.orders.vpc_security_groups[0]); did you mean "
                "'security_group/web'?"
            ),
        ],
    ),
    (
        "a subnet group in one zone",
        [('"ap-northeast-2c"', '"ap-northeast-2a"')],
        [
            (
                "37:75: the subnet group covers only ap-northeast-2a, RDS requires at least two zones "
                "(resources.db_subnet_group.data.subnets); add a subnet in another availability zone"
            ),
        ],
    ),
    (
        "a subnet group of nothing",
        [('"subnets": ["subnet/a", "subnet/c"] } }', '"subnets": [] } }')],
        [
            (
                "37:75: the subnet group covers no availability zone, RDS requires at least two zones "
                "(resources.db_subnet_group.data.subnets); add a subnet in another availability zone"
            ),
        ],
    ),
    (
        "windows that meet",
        [('"sun:18:00-sun:18:30"', '"sun:17:29-sun:18:00"')],
        [
            (
                "50:41: the maintenance window sun:17:29-sun:18:00 overlaps the backup window 17:00-17:30 "
                "(resources.db_instance.orders.preferred_maintenance_window); choose windows that do not "
                "overlap"
            ),
        ],
    ),
    (
        "storage that cannot grow",
        [('"allocated_storage": 20,', '"allocated_storage": 20, "max_allocated_storage": 20,')],
        [
            (
                "43:59: 20 GiB is less than 1.1 times the allocated 20 GiB "
                "(resources.db_instance.orders.max_allocated_storage); write at least 22, or 0 to switch autoscaling "
                "off"
            ),
        ],
    ),
    (
        "provisioned storage too small",
        [('"gp3"', '"io1"')],
        [
            (
                "43:30: 20 GiB is too small for io1 (resources.db_instance.orders.allocated_storage); "
                "write 100 or more, or choose gp3"
            ),
        ],
    ),
    (
        "magnetic storage too large",
        [
            (
                '"storage_type": "gp3",\n        "allocated_storage": 20,',
                '"storage_type": "standard",\n        "allocated_storage": 4000,',
            )
        ],
        [
            (
                "43:30: 4000 GiB is too large for magnetic storage "
                "(resources.db_instance.orders.allocated_storage); write 3072 or less, or choose gp3"
            ),
        ],
    ),
    (
        "a password that nobody keeps",
        [('"manage_master_user_password": true', '"manage_master_user_password": false')],
        [
            (
                "45:40: the instance would have no master password, because a document cannot contain one "
                "(resources.db_instance.orders.manage_master_user_password); write true, or leave it out if "
                "the password is managed elsewhere"
            ),
        ],
    ),
    (
        "an instance behind nothing",
        [('["security_group/db"]', "[]")],
        [
            (
                "48:32: an instance without security groups "
                "(resources.db_instance.orders.vpc_security_groups); write at least one, or leave the field out"
            ),
        ],
    ),
    (
        "a public instance without DNS hostnames",
        [
            ('"publicly_accessible": false', '"publicly_accessible": true'),
            ('"enable_dns_hostnames": true', '"enable_dns_hostnames": false'),
        ],
        [
            (
                "46:32: a public instance in a VPC without DNS hostnames "
                "(resources.db_instance.orders.publicly_accessible); set enable_dns_support and "
                "enable_dns_hostnames to true in the VPC, or publicly_accessible to false"
            ),
        ],
    ),
    (
        "a public instance without a gateway",
        [
            ('"publicly_accessible": false', '"publicly_accessible": true'),
            ('"internet_gateway": { "door": {} },', ""),
            ('"0.0.0.0/0": "internet_gateway/door"', ""),
        ],
        [
            (
                "46:32: a public instance in a VPC without an internet gateway "
                "(resources.db_instance.orders.publicly_accessible); declare the internet gateway, or set "
                "publicly_accessible to false"
            ),
        ],
    ),
    (
        "hostnames without DNS",
        [('"enable_dns_support": true', '"enable_dns_support": false')],
        [
            (
                "8:99: DNS hostnames need DNS support (resources.vpc.main.enable_dns_hostnames); set "
                "enable_dns_support to true, or enable_dns_hostnames to false"
            ),
        ],
    ),
    (
        "a tag that RDS refuses",
        [('"engine": "postgres",', '"engine": "postgres", "tags": { "owner": "a&b" },')],
        [
            (
                "40:50: RDS refuses a character in this tag (resources.db_instance.orders.tags.owner); use "
                "letters, digits, spaces and _.:/=+-@"
            ),
        ],
    ),
    (
        "two intents of one name",
        [('"name": "shut"', '"name": "open"')],
        [
            "56:15: a second intent called 'open' (intents[1].name); give every intent its own name",
        ],
    ),
    (
        "an intent from a workload that nobody declares",
        [('"to": "api"', '"to": "apis"')],
        [
            (
                "55:49: 'apis' is not a workload, an address in this document or a CIDR (intents[0].to); "
                "did you mean 'api'?"
            ),
        ],
    ),
    (
        "an intent to a database that nobody declares",
        [('"to": "db_instance/orders"', '"to": "db_instance/order"')],
        [
            (
                "56:53: 'db_instance/order' is not declared in this document (intents[1].to); did you "
                "mean 'db_instance/orders'?"
            ),
        ],
    ),
    (
        "an intent from a network with host bits",
        [('"192.0.2.0/24"', '"192.0.2.1/24"')],
        [
            "56:31: '192.0.2.1/24' is not in canonical form (intents[1].from); write \"192.0.2.0/24\"",
        ],
    ),
    (
        "an intent from the internet to itself",
        [('"to": "api"', '"to": "internet"')],
        [
            ("55:49: both ends of the intent are the internet (intents[0].to); write one end inside the VPC"),
        ],
    ),
    (
        "ports of no protocol",
        [('"protocol": "tcp", "ports": 443, "expect"', '"ports": 443, "expect"')],
        [
            ('55:65: ports without tcp or udp (intents[0].ports); add "protocol": "tcp" or "udp", or leave ports out'),
        ],
    ),
    (
        "ports backwards",
        [('"ports": 443, "expect"', '"ports": "443-80", "expect"')],
        [
            ("55:84: ports '443-80' do not exist (intents[0].ports); ports go from 0 to 65535, the lower one first"),
        ],
    ),
    (
        "a workload called internet",
        [
            (
                '"workloads": { "api"',
                ('"workloads": { "internet": { "subnets": ["subnet/c"], "security_groups": [] }, "api"'),
            )
        ],
        [
            (
                "58:18: a workload cannot be called 'internet' (workloads.internet); choose a name without a "
                'slash, and not "internet", "outside" or "anywhere"'
            ),
        ],
    ),
    (
        "a workload nowhere",
        [('{ "subnets": ["subnet/a"], "sec', '{ "subnets": [], "sec')],
        [
            ("58:38: a workload without subnets (workloads.api.subnets); write the subnets that it runs in"),
        ],
    ),
]


@pytest.mark.parametrize(("edits", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_document_is_refused_with_place_and_hint(edits: list[tuple[str, str]], said: list[str]) -> None:
    assert said_of(edited(*edits)) == said


def changed(kind: str, name: str, **fields: Any) -> str:
    """The document with fields of one resource written otherwise, on one line."""
    document = json.loads(DOCUMENT)
    document["resources"][kind].setdefault(name, {}).update(fields)
    return json.dumps(document)


def rules(count: int, *peers: str) -> list[dict[str, Any]]:
    return [{"protocol": "tcp", "ports": port, "source": peer} for port in range(1, count + 1) for peer in peers]


def entries(count: int, network: str) -> dict[str, Any]:
    return {str(n): {"action": "deny", "protocol": "all", "source": network} for n in range(1, count + 1)}


def problems_of(text: str) -> list[str]:
    with pytest.raises(DocumentError) as refused:
        load(text.encode(), "shop.json")
    return [f"{one.path}: {one.problem}" for one in refused.value.problems]


def over(text: str, quotas: Quotas = DEFAULT) -> list[str]:
    """What is more than the quotas of a document that loads."""
    document = load(text.encode(), "shop.json")
    return [f"{'.'.join(map(str, one.path))}: {one.problem}" for one in over_quota(document.resources, (), quotas)]


def test_a_document_loads_with_all_that_an_account_can_have() -> None:
    most = changed("security_group", "db", ingress=rules(MOST.rules, "10.0.0.0/8", "2001:db8::/32"))
    load(most.encode(), "shop.json")
    said = problems_of(changed("security_group", "db", ingress=rules(MOST.rules + 1, "10.0.0.0/8")))
    assert said == [
        "resources.security_group.db.ingress: 1001 ingress rules for IPv4, the quota (QUOTA_RULES) allows 1000"
    ]
    said = problems_of(changed("network_acl", "front", ingress=entries(MOST.entries, "0.0.0.0/0")))
    assert said == [
        "resources.network_acl.front.ingress: 40 ingress entries for IPv4, the quota (QUOTA_ENTRIES) allows 39"
    ]
    routes = {f"172.{16 + n // 250}.{n % 250}.0/24": "internet_gateway/door" for n in range(MOST.routes + 1)}
    said = problems_of(changed("route_table", "out", routes=routes))
    assert said == ["resources.route_table.out.routes: 1001 routes for IPv4, the quota (QUOTA_ROUTES) allows 1000"]


def test_a_group_holds_sixty_rules_of_each_family() -> None:
    assert over(changed("security_group", "db", ingress=rules(60, "10.0.0.0/8", "2001:db8::/32"))) == []
    said = over(changed("security_group", "db", ingress=rules(61, "10.0.0.0/8")))
    assert said == ["resources.security_group.db.ingress: 61 ingress rules for IPv4, the quota (QUOTA_RULES) allows 60"]
    assert over(changed("security_group", "db", ingress=rules(61, "10.0.0.0/8")), Quotas(rules=61)) == []


def test_a_group_as_peer_counts_in_both_families() -> None:
    said = over(changed("security_group", "db", ingress=rules(31, "security_group/web", "pl-0123456789abcdef0")))
    assert said == [
        "resources.security_group.db.ingress: 62 ingress rules for IPv4, the quota (QUOTA_RULES) allows 60",
        "resources.security_group.db.ingress: 62 ingress rules for IPv6, the quota (QUOTA_RULES) allows 60",
    ]


def test_an_acl_holds_nineteen_entries_of_each_family_because_the_last_is_aws_own() -> None:
    assert over(changed("network_acl", "front", ingress=entries(19, "0.0.0.0/0"))) == []
    said = over(changed("network_acl", "front", ingress=entries(20, "::/0")))
    assert said == [
        "resources.network_acl.front.ingress: 20 ingress entries for IPv6, the quota (QUOTA_ENTRIES) allows 19"
    ]
    assert over(changed("network_acl", "front", ingress=entries(20, "::/0")), Quotas(entries=21)) == []


def test_a_route_table_holds_five_hundred_routes_of_each_family() -> None:
    routes = {f"172.{16 + n // 250}.{n % 250}.0/24": "internet_gateway/door" for n in range(500)}
    assert over(changed("route_table", "out", routes=routes)) == []
    said = over(changed("route_table", "out", routes=routes | {"0.0.0.0/0": "internet_gateway/door"}))
    assert said == ["resources.route_table.out.routes: 501 routes for IPv4, the quota (QUOTA_ROUTES) allows 500"]


@pytest.mark.parametrize("target", ["internet_gateway/door", "igw-0123456789abcdef0"])
@pytest.mark.parametrize("destination", ["10.0.2.0/24", "10.0.0.0/17"])
def test_an_internet_gateway_is_no_way_into_the_vpc_itself(destination: str, target: str) -> None:
    said = problems_of(changed("route_table", "out", routes={destination: target}))
    assert said == [
        (
            f"resources.route_table.out.routes['{destination}']: {destination} is a part of the VPC, and an internet "
            "gateway is no way there"
        )
    ]
    wider = {"10.0.0.0/8": target, "10.1.0.0/16": target}
    load(changed("route_table", "out", routes=wider).encode(), "shop.json")


def test_a_route_inside_the_vpc_is_allowed() -> None:
    routes = {"10.0.2.0/24": "eni-0123456789abcdef0", "64:ff9b::/96": "nat-0123456789abcdef0"}
    load(changed("route_table", "out", routes=routes).encode(), "shop.json")


def test_an_instance_stands_behind_five_groups_at_most() -> None:
    groups = [f"sg-{n:08x}" for n in range(6)]
    load(changed("db_instance", "orders", vpc_security_groups=groups[:5]).encode(), "shop.json")
    said = problems_of(changed("db_instance", "orders", vpc_security_groups=groups))
    assert said == ["resources.db_instance.orders.vpc_security_groups: 6 security groups on an instance, AWS allows 5"]


def test_a_subnet_group_holds_twenty_subnets() -> None:
    document = json.loads(DOCUMENT)
    for n in range(21):
        zone = "ap-northeast-2a" if n % 2 else "ap-northeast-2c"
        document["resources"]["subnet"][f"x{n}"] = {"cidr_block": f"10.0.{n + 10}.0/24", "availability_zone": zone}
    subnets = [f"subnet/x{n}" for n in range(21)]
    document["resources"]["db_subnet_group"]["data"]["subnets"] = subnets[:20]
    load(json.dumps(document).encode(), "shop.json")
    document["resources"]["db_subnet_group"]["data"]["subnets"] = subnets
    assert problems_of(json.dumps(document)) == [
        "resources.db_subnet_group.data.subnets: 21 subnets in a group, RDS allows 20"
    ]


def test_a_public_instance_is_fine_with_a_gateway_and_dns_hostnames() -> None:
    load(changed("db_instance", "orders", publicly_accessible=True).encode(), "shop.json")


ALLOWED = set(string.ascii_letters + string.digits + " ._-:/()#,@[]+=&;{}!$*")
"""What EC2 takes in the description of a group or a rule (EC2 API reference, CreateSecurityGroup and IpRange)."""


def test_a_description_has_the_characters_that_aws_takes() -> None:
    texts = [*map(chr, range(128)), "é", "\u00a0"]
    assert {text for text in texts if description_problem(text) is None} == ALLOWED


def test_a_description_is_as_long_as_aws_takes_it_and_only_that_of_a_rule_may_be_empty() -> None:
    assert description_problem("a" * 255) is None
    assert description_problem("a" * 256)
    rule = {"protocol": "tcp", "ports": 443, "source": "0.0.0.0/0", "description": ""}
    load(changed("security_group", "web", description="R&D", ingress=[rule]).encode(), "shop.json")
    (problem,) = problems_of(changed("security_group", "web", description=""))
    assert problem == "resources.security_group.web.description: the description is empty"


def test_storage_may_grow_to_just_enough_or_not_at_all() -> None:
    """AWS takes a maximum of 1.1 times the size, and 0 switches autoscaling off."""
    for most in (22, 0):
        load(changed("db_instance", "orders", allocated_storage=20, max_allocated_storage=most).encode(), "shop.json")


def _minutes(first: int, span: int, day: int) -> set[int]:
    return {(first + offset) % day for offset in range(span)}


def test_windows_meet_if_a_minute_of_any_day_is_in_both() -> None:
    """All windows of 30 and 90 minutes around midnight, of two days in a row."""
    for first, span, start, length in product(range(0, 1440, 30), (30, 90), (0, 1380, 1410), (30, 90)):
        if 120 < first < 1320:
            continue
        for day in (0, 6):
            once = _written(day * 1440 + first, span, days=True)
            daily = _written(start, length, days=False)
            both = _minutes(first, span, 1440) & _minutes(start, length, 1440)
            assert windows_overlap(daily, once) == bool(both), (daily, once)


def _written(first: int, span: int, *, days: bool) -> str:
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    ends = []
    for minute in (first, first + span):
        day, clock = names[minute // 1440 % 7], f"{minute // 60 % 24:02}:{minute % 60:02}"
        ends.append(f"{day}:{clock}" if days else clock)
    return "-".join(ends)


@pytest.mark.parametrize(
    ("window", "taken"),
    [
        ("sun:23:45-mon:00:15", True),
        ("sat:00:00-sat:23:59", True),
        ("sun:00:00-mon:00:00", False),
        ("sun:23:45-mon:00:14", False),
        ("sun:23:45-sun:23:30", False),
    ],
)
def test_a_maintenance_window_may_end_on_the_next_day_within_a_day(window: str, taken: bool) -> None:
    instance = json.loads(changed("db_instance", "orders", preferred_maintenance_window=window))
    del instance["resources"]["db_instance"]["orders"]["preferred_backup_window"]
    with nullcontext() if taken else pytest.raises(DocumentError, match="is not a maintenance window"):
        load(json.dumps(instance).encode(), "shop.json")


def test_windows_that_only_touch_do_not_meet() -> None:
    load(changed("db_instance", "orders", preferred_maintenance_window="sun:17:30-sun:18:00").encode(), "shop.json")


def test_windows_meet_over_midnight_and_over_the_end_of_the_week() -> None:
    windows = {"preferred_backup_window": "23:45-00:15", "preferred_maintenance_window": "sun:23:30-mon:00:00"}
    assert problems_of(changed("db_instance", "orders", **windows)) == [
        (
            "resources.db_instance.orders.preferred_maintenance_window: "
            "the maintenance window sun:23:30-mon:00:00 overlaps the backup window 23:45-00:15"
        )
    ]
    windows["preferred_maintenance_window"] = "mon:00:00-mon:00:30"
    assert len(problems_of(changed("db_instance", "orders", **windows))) == 1
    windows["preferred_maintenance_window"] = "mon:00:15-mon:00:45"
    load(changed("db_instance", "orders", **windows).encode(), "shop.json")


def test_every_pair_of_overlapping_subnets_names_the_later_one() -> None:
    document = json.loads(DOCUMENT)
    for name, block in (("x", "10.0.16.0/20"), ("y", "10.0.17.0/24"), ("z", "10.0.18.0/24")):
        document["resources"]["subnet"][name] = {"cidr_block": block, "availability_zone": "ap-northeast-2a"}
    assert problems_of(json.dumps(document)) == [
        "resources.subnet.y.cidr_block: 10.0.17.0/24 overlaps 'subnet/x' (10.0.16.0/20)",
        "resources.subnet.z.cidr_block: 10.0.18.0/24 overlaps 'subnet/x' (10.0.16.0/20)",
    ]


def test_a_resource_that_failed_to_load_is_not_missing_to_others() -> None:
    text = edited(('"10.0.1.0/24"', '"10.0.1.1/24"'))
    assert said_of(text) == [
        "12:28: '10.0.1.1/24' is not in canonical form (resources.subnet.a.cidr_block); write \"10.0.1.0/24\""
    ]


def test_a_group_may_refer_to_itself_and_to_groups_of_others() -> None:
    peers = ["security_group/db", "sg-0123456789abcdef0", "111122223333/sg-0123456789abcdef0", "pl-0123456789abcdef0"]
    load(changed("security_group", "db", ingress=rules(1, *peers)).encode(), "shop.json")


def test_without_a_vpc_the_one_named_in_the_scope_is_there_and_nothing_of_it_is_managed() -> None:
    document = json.loads(DOCUMENT)
    del document["resources"]["vpc"]
    document["scope"]["vpc_id"] = "vpc-0123456789abcdef0"
    loaded = load(json.dumps(document).encode(), "shop.json")
    assert loaded.vpc == Address("vpc/vpc-0123456789abcdef0")
    assert loaded.resources[loaded.vpc].enforcement == "ignore"
    assert loaded.resources[Address("internet_gateway/door")].model_dump(exclude_defaults=True) == {
        "enforcement": "correct",
        "vpc": "vpc/vpc-0123456789abcdef0",
    }


def test_the_example_as_written_is_refused_for_its_three_mistakes_and_nothing_else() -> None:
    examples = Path(desired_state.__file__).parent / "examples"
    with pytest.raises(DocumentError) as refused:
        load((examples / "as-written.json").read_bytes(), "as-written.json")
    assert str(refused.value).split("\n") == [
        (
            "as-written.json:184:20: the subnet group covers only ap-northeast-2a, RDS requires at least two zones "
            "(resources.db_subnet_group.mydbsubnetgroup.subnets); add a subnet in another availability zone"
        ),
        (
            "as-written.json:190:7: the identifier 'MyPostgreSQLDB' is not lower case "
            "(resources.db_instance.MyPostgreSQLDB); RDS stores it in lower case: write 'mypostgresqldb'"
        ),
        (
            "as-written.json:196:28: 'admin' is a reserved master user name for PostgreSQL "
            '(resources.db_instance.MyPostgreSQLDB.master_username); choose another, such as "postgres"'
        ),
    ]
