"""How rules, entries, routes, references, tags and names are written: every other spelling is refused with its hint."""

from __future__ import annotations

import json
from typing import Any

import pytest

from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.load import DocumentError, load
from desired_state.members import SecurityGroups, Subnets, Tags
from desired_state.network import NetworkAcl, RouteTable, SecurityGroup
from desired_state.rules import Egress, EgressEntries, Ingress, IngressEntries, Routes
from tests.support.documents import DOCUMENT, edited, said_of

REFUSED: list[tuple[str, list[tuple[str, str]], list[str]]] = [
    (
        "host bits in a CIDR",
        [('"source": "0.0.0.0/0", "desc', '"source": "10.0.0.1/16", "desc')],
        [
            (
                "22:66: '10.0.0.1/16' is not in canonical form "
                '(resources.security_group.web.ingress[0].source); write "10.0.0.0/16"'
            ),
        ],
    ),
    (
        "an address that is no network",
        [('"source": "0.0.0.0/0", "desc', '"source": "10.0.0.1", "desc')],
        [
            (
                "22:66: '10.0.0.1' is not in canonical form "
                '(resources.security_group.web.ingress[0].source); write "10.0.0.1/32"'
            ),
        ],
    ),
    (
        "IPv6 in upper case",
        [('"source": "0.0.0.0/0", "desc', '"source": "2001:DB8::/32", "desc')],
        [
            (
                "22:66: '2001:DB8::/32' is not in canonical form "
                '(resources.security_group.web.ingress[0].source); write "2001:db8::/32"'
            ),
        ],
    ),
    (
        "IPv6 written out",
        [('"source": "0.0.0.0/0", "desc', '"source": "2001:db8:0:0::/64", "desc')],
        [
            (
                "22:66: '2001:db8:0:0::/64' is not in canonical form "
                '(resources.security_group.web.ingress[0].source); write "2001:db8::/64"'
            ),
        ],
    ),
    (
        "IPv6 with a zone",
        [('"source": "0.0.0.0/0", "desc', '"source": "fe80::%eth0/64", "desc')],
        [
            (
                "22:66: 'fe80::%eth0/64' is not a CIDR (resources.security_group.web.ingress[0].source); "
                "write an IPv4 or IPv6 network such as 10.0.0.0/16 or 2001:db8::/32"
            ),
        ],
    ),
    (
        "a netmask",
        [('"source": "0.0.0.0/0", "desc', '"source": "10.0.0.0/255.255.0.0", "desc')],
        [
            (
                "22:66: '10.0.0.0/255.255.0.0' is not in canonical form "
                '(resources.security_group.web.ingress[0].source); write "10.0.0.0/16"'
            ),
        ],
    ),
    (
        "a word as a peer",
        [('"source": "0.0.0.0/0", "desc', '"source": "everywhere", "desc')],
        [
            (
                "22:66: 'everywhere' is not a valid peer of a rule "
                "(resources.security_group.web.ingress[0].source); write a CIDR, security_group/<name>, a "
                "group id sg-... or a prefix list pl-..."
            ),
        ],
    ),
    (
        "a peer without a name",
        [('"source": "security_group/web"', '"source": "security_group/"')],
        [
            (
                "26:67: 'security_group/' is not a valid peer of a rule "
                "(resources.security_group.db.ingress[0].source); write a CIDR, security_group/<name>, a group "
                "id sg-... or a prefix list pl-..."
            ),
        ],
    ),
    (
        "a protocol in upper case",
        [('"protocol": "tcp", "ports": 5432', '"protocol": "TCP", "ports": 5432')],
        [
            (
                "26:21: unknown protocol 'TCP' (resources.security_group.db.ingress[0]); write tcp, udp, "
                "icmp, icmpv6, all or a protocol number"
            ),
        ],
    ),
    (
        "a protocol by its number",
        [('"protocol": "tcp", "ports": 5432', '"protocol": 6, "ports": 5432')],
        [
            '26:21: protocol 6 has a name (resources.security_group.db.ingress[0]); write "tcp"',
        ],
    ),
    (
        "all protocols as a number",
        [('"protocol": "tcp", "ports": 5432', '"protocol": -1')],
        [
            '26:21: protocol -1 has a name (resources.security_group.db.ingress[0]); write "all"',
        ],
    ),
    (
        "a protocol that does not exist",
        [('"protocol": "tcp", "ports": 5432', '"protocol": 256')],
        [
            (
                "26:21: there is no protocol 256 (resources.security_group.db.ingress[0]); protocol "
                "numbers go from 0 to 255"
            ),
        ],
    ),
    (
        "tcp without ports",
        [('"protocol": "tcp", "ports": 5432', '"protocol": "tcp"')],
        [
            (
                '26:21: tcp needs ports (resources.security_group.db.ingress[0]); add "ports": a port '
                'such as 443 or a range such as "1024-65535"'
            ),
        ],
    ),
    (
        "ports without tcp",
        [('"protocol": "tcp", "ports": 5432', '"protocol": "all", "ports": 5432')],
        [
            ("26:21: all has no ports (resources.security_group.db.ingress[0]); leave ports out, or write tcp or udp"),
        ],
    ),
    (
        "a type for tcp",
        [('"ports": 5432', '"ports": 5432, "icmp_type": 3')],
        [
            (
                "26:21: tcp has no ICMP type or code (resources.security_group.db.ingress[0]); leave "
                "icmp_type and icmp_code out"
            ),
        ],
    ),
    (
        "a code without a type",
        [('"protocol": "tcp", "ports": 5432', '"protocol": "icmp", "icmp_code": 3')],
        [
            (
                "26:21: icmp_code without icmp_type (resources.security_group.db.ingress[0]); add "
                "icmp_type, or leave both out for any ICMP"
            ),
        ],
    ),
    (
        "a type that does not exist",
        [('"protocol": "tcp", "ports": 5432', '"protocol": "icmp", "icmp_type": 256')],
        [
            (
                "26:21: icmp_type 256 does not exist (resources.security_group.db.ingress[0]); icmp_type "
                "goes from 0 to 255; leave it out for any"
            ),
        ],
    ),
    (
        "a port that does not exist",
        [('"ports": 5432', '"ports": 65536')],
        [
            (
                "26:21: ports 65536 do not exist (resources.security_group.db.ingress[0]); ports go from "
                "0 to 65535, the lower one first"
            ),
        ],
    ),
    (
        "a range backwards",
        [('"ports": 5432', '"ports": "6000-5000"')],
        [
            (
                "26:21: ports '6000-5000' do not exist (resources.security_group.db.ingress[0]); ports "
                "go from 0 to 65535, the lower one first"
            ),
        ],
    ),
    (
        "a range of one port",
        [('"ports": 5432', '"ports": "5432-5432"')],
        [
            ("26:21: the range '5432-5432' is one port (resources.security_group.db.ingress[0]); write 5432"),
        ],
    ),
    (
        "a port as text",
        [('"ports": 5432', '"ports": "5432"')],
        [
            (
                "26:21: '5432' is not a port range (resources.security_group.db.ingress[0]); write a port as a "
                'number (443), or a range as "1024-65535"'
            ),
        ],
    ),
    (
        "a range with zeros",
        [('"ports": 5432', '"ports": "05432-5433"')],
        [
            (
                "26:21: '05432-5433' is not in canonical form "
                '(resources.security_group.db.ingress[0]); write "5432-5433"'
            ),
        ],
    ),
    (
        "a range of other digits",
        [('"ports": 5432', '"ports": "\\u0661-\\u0662"')],
        [
            (
                "26:21: '\u0661-\u0662' is not a port range (resources.security_group.db.ingress[0]); write a "
                'port as a number (443), or a range as "1024-65535"'
            ),
        ],
    ),
    (
        "a description that is not ASCII",
        [('"HTTPS"', '"HTTPS \\uc6f9"')],
        [
            (
                "22:94: AWS refuses the description 'HTTPS \uc6f9' "
                "(resources.security_group.web.ingress[0].description); use at most 255 ASCII letters, "
                "digits, spaces and ._-:/()#,@[]+=&;{}!$*"
            ),
        ],
    ),
    (
        "a group's description of nothing",
        [('"The front door"', '""')],
        [
            (
                "21:24: the description is empty (resources.security_group.web.description); leave it out, or "
                "write what this is for"
            ),
        ],
    ),
    (
        "a rule's description with quotes",
        [('"HTTPS"', '"Jim\'s"')],
        [
            (
                '22:94: AWS refuses the description "Jim\'s" '
                "(resources.security_group.web.ingress[0].description); use at most 255 ASCII letters, "
                "digits, spaces and ._-:/()#,@[]+=&;{}!$*"
            ),
        ],
    ),
    (
        "an entry of number zero",
        [('"ingress": { "100"', '"ingress": { "0"')],
        [
            (
                "33:27: '0' is not a rule number (resources.network_acl.front.ingress['0']); number entries "
                "from 1 to 32766, without leading zeros"
            ),
        ],
    ),
    (
        "an entry of AWS's own number",
        [('"ingress": { "100"', '"ingress": { "32767"')],
        [
            (
                "33:31: '32767' is not a rule number (resources.network_acl.front.ingress['32767']); number "
                "entries from 1 to 32766, without leading zeros"
            ),
        ],
    ),
    (
        "an entry with a zero in front",
        [('"ingress": { "100"', '"ingress": { "0100"')],
        [
            (
                "33:30: '0100' is not a rule number (resources.network_acl.front.ingress['0100']); number "
                "entries from 1 to 32766, without leading zeros"
            ),
        ],
    ),
    (
        "an entry with a number of a thousand digits",
        [('"ingress": { "100"', '"ingress": { "' + "1" * 5000 + '"')],
        [
            (
                f"33:5026: '{'1' * 120}'... is not a rule number "
                f"(resources.network_acl.front.ingress['{'1' * 120}'...]); "
                "number entries from 1 to 32766, without leading zeros"
            ),
        ],
    ),
    (
        "icmpv6 in IPv4",
        [('"protocol": "all", "destination": "0.0.0.0/0" } }', '"protocol": "icmpv6", "destination": "0.0.0.0/0" } }')],
        [
            (
                "34:28: icmpv6 does not match the network '0.0.0.0/0' "
                "(resources.network_acl.front.egress['100']); write icmp with an IPv4 network, icmpv6 with an "
                "IPv6 network"
            ),
        ],
    ),
    (
        "icmp in IPv6",
        [('"protocol": "all", "destination": "0.0.0.0/0" } }', '"protocol": "icmp", "destination": "::/0" } }')],
        [
            (
                "34:28: icmp does not match the network '::/0' (resources.network_acl.front.egress['100']); "
                "write icmp with an IPv4 network, icmpv6 with an IPv6 network"
            ),
        ],
    ),
    (
        "an action in upper case",
        [('"action": "allow", "protocol": "tcp"', '"action": "ALLOW", "protocol": "tcp"')],
        [
            (
                "33:41: 'ALLOW' is not allowed here (resources.network_acl.front.ingress['100'].action); "
                'write "allow" or "deny"'
            ),
        ],
    ),
    (
        "a route to nowhere",
        [('"internet_gateway/door"', '"local"')],
        [
            (
                "16:41: 'local' is not a route target (resources.route_table.out.routes['0.0.0.0/0']); "
                "write internet_gateway/<name>, or the id of an igw-, nat-, pcx-, tgw-, vgw-, eni-, vpce-, eigw-, lgw- "
                "or cagw- target, or the ARN of a core network or an ODB network"
            ),
        ],
    ),
    (
        "a route from no network",
        [('"routes": { "0.0.0.0/0"', '"routes": { "0.0.0.0"')],
        [
            (
                "16:39: '0.0.0.0' is not in canonical form "
                "(resources.route_table.out.routes['0.0.0.0']); write \"0.0.0.0/32\""
            ),
        ],
    ),
    (
        "IPv4 through an egress-only gateway",
        [('"internet_gateway/door"', '"eigw-0123456789abcdef0"')],
        [
            (
                "16:41: an egress-only internet gateway carries IPv6 only "
                "(resources.route_table.out.routes['0.0.0.0/0']); write an IPv6 destination, or another "
                "target"
            ),
        ],
    ),
    (
        "a reference of another kind",
        [('"subnets": ["subnet/c"]', '"subnets": ["vpc/main"]')],
        [
            (
                "17:41: 'vpc/main' is not a valid reference here (resources.route_table.in.subnets[0]); "
                "write subnet/<name> of a subnet in this document, or a subnet id subnet-..."
            ),
        ],
    ),
    (
        "a reference stated twice",
        [('"subnets": ["subnet/c"]', '"subnets": ["subnet/c", "subnet/c"]')],
        [
            "17:53: 'subnet/c' is listed twice (resources.route_table.in.subnets[1]); list it once",
        ],
    ),
    (
        "a tag of AWS's own",
        [('"team": "shop"', '"aws:team": "shop"')],
        [
            (
                "27:31: AWS reserves tags that begin with 'aws:' "
                "(resources.security_group.db.tags['aws:team']); choose another key"
            ),
        ],
    ),
    (
        "a tag of this tool's own",
        [('"team": "shop"', '"setpoint:name": "db"')],
        [
            (
                "27:36: 'setpoint:name' is reserved for Setpoint "
                "(resources.security_group.db.tags['setpoint:name']); leave it out"
            ),
        ],
    ),
    (
        "a tag of no letters",
        [('"team": "shop"', '"": "shop"')],
        [
            (
                "27:23: AWS does not allow a tag of this length (resources.security_group.db.tags['']); use 1 "
                "to 127 characters in the key, at most 256 in the value"
            ),
        ],
    ),
    (
        "a tag with a bell in it",
        [('"team": "shop"', '"team": "\\u0007"')],
        [
            (
                "27:27: the tag contains unprintable characters (resources.security_group.db.tags.team); use "
                "printable characters"
            ),
        ],
    ),
    (
        "a rule stated twice under two descriptions",
        [
            (
                '"description": "HTTPS" }]',
                ('"description": "HTTPS" }, { "protocol": "tcp", "ports": 443, "source": "0.0.0.0/0" }]'),
            )
        ],
        [
            (
                "22:105: a duplicate of the rule tcp 443 0.0.0.0/0 (resources.security_group.web.ingress[1]); "
                "write it once, also if the descriptions differ"
            ),
        ],
    ),
    (
        "a group called like an id",
        [('"db": {\n', '"sg-db": {\n')],
        [
            (
                "25:7: 'sg-db' cannot be the name of a security group (resources.security_group.sg-db); choose "
                "another: AWS reserves names that start with sg- for ids"
            ),
            (
                "48:33: 'security_group/db' is not declared in this document "
                "(resources.db_instance.orders.vpc_security_groups[0]); did you mean "
                "'security_group/sg-db'?"
            ),
        ],
    ),
    (
        "a default group in upper case",
        [('"db": {\n', '"Default": {\n')],
        [
            (
                "25:7: 'Default' cannot be the name of a security group (resources.security_group.Default); "
                'write "default" for the VPC\'s default group'
            ),
            (
                "48:33: 'security_group/db' is not declared in this document "
                "(resources.db_instance.orders.vpc_security_groups[0]); did you mean "
                "'security_group/web'?"
            ),
        ],
    ),
    (
        "a name with a space at its end",
        [('"a": { "cidr', '"a ": { "cidr')],
        [
            (
                "12:7: 'a ' cannot be a name (resources.subnet['a ']); use 1 to 255 of the characters that AWS "
                "allows in group names, no space at either end"
            ),
            (
                "16:80: 'subnet/a' is not declared in this document "
                "(resources.route_table.out.subnets[0]); did you mean 'subnet/a '?"
            ),
            (
                "32:21: 'subnet/a' is not declared in this document "
                "(resources.network_acl.front.subnets[0]); did you mean 'subnet/a '?"
            ),
            (
                "37:76: 'subnet/a' is not declared in this document "
                "(resources.db_subnet_group.data.subnets[0]); did you mean 'subnet/a '?"
            ),
            (
                "58:39: 'subnet/a' is not declared in this document (workloads.api.subnets[0]); did you "
                "mean 'subnet/a '?"
            ),
        ],
    ),
    (
        "a subnet group in upper case",
        [('"data": { "desc', '"Data": { "desc')],
        [
            (
                "37:26: 'Data' cannot be the name of a DB subnet group (resources.db_subnet_group.Data); use 1 "
                "to 255 lower-case letters, digits, spaces and ._-, such as 'data'"
            ),
            (
                "47:28: 'db_subnet_group/data' is not declared in this document "
                "(resources.db_instance.orders.db_subnet_group); did you mean 'db_subnet_group/Data'?"
            ),
        ],
    ),
    (
        "an identifier in upper case",
        [('"orders": {', '"Orders": {')],
        [
            (
                "39:7: the identifier 'Orders' is not lower case (resources.db_instance.Orders); RDS "
                "stores it in lower case: write 'orders'"
            ),
            (
                "56:53: 'db_instance/orders' is not declared in this document (intents[1].to); did you "
                "mean 'db_instance/Orders'?"
            ),
        ],
    ),
    (
        "an identifier with two hyphens",
        [('"orders": {', '"or--ders": {')],
        [
            (
                "39:7: 'or--ders' cannot be the identifier of a DB instance (resources.db_instance.or--ders); "
                "use 1 to 63 lower-case letters, digits and single hyphens, a letter first, no hyphen at the "
                "end"
            ),
            (
                "56:53: 'db_instance/orders' is not declared in this document (intents[1].to); did you "
                "mean 'db_instance/or--ders'?"
            ),
        ],
    ),
    (
        "a network too small for a subnet",
        [('"10.0.1.0/24"', '"10.0.1.0/29"')],
        [
            (
                "12:28: '10.0.1.0/29' cannot be the CIDR block of a VPC or subnet "
                "(resources.subnet.a.cidr_block); write an IPv4 network from /16 to /28"
            ),
        ],
    ),
    (
        "a subnet of IPv6",
        [('"10.0.1.0/24"', '"2001:db8::/64"')],
        [
            (
                "12:28: '2001:db8::/64' cannot be the CIDR block of a VPC or subnet "
                "(resources.subnet.a.cidr_block); write an IPv4 network from /16 to /28"
            ),
        ],
    ),
    (
        "a zone that is none",
        [('"ap-northeast-2a"', '"Seoul"')],
        [
            (
                "12:64: 'Seoul' is not an availability zone (resources.subnet.a.availability_zone); write the "
                'name of a zone, such as "ap-northeast-2a"'
            ),
        ],
    ),
    (
        "a reserved user",
        [('"master_username": "postgres"', '"master_username": "admin"')],
        [
            (
                "44:28: 'admin' is a reserved master user name for PostgreSQL "
                '(resources.db_instance.orders.master_username); choose another, such as "postgres"'
            ),
        ],
    ),
    (
        "a user of PostgreSQL's own",
        [('"master_username": "postgres"', '"master_username": "pg_shop"')],
        [
            (
                "44:28: 'pg_shop' is a reserved master user name for PostgreSQL "
                '(resources.db_instance.orders.master_username); choose another, such as "postgres"'
            ),
        ],
    ),
    (
        "a user with a hyphen",
        [('"master_username": "postgres"', '"master_username": "shop-owner"')],
        [
            (
                "44:28: 'shop-owner' cannot be a master user name "
                "(resources.db_instance.orders.master_username); use 1 to 16 letters, digits or underscores, "
                "starting with a letter"
            ),
        ],
    ),
    (
        "a version that is a word",
        [('"engine_version": "16"', '"engine_version": "latest"')],
        [
            (
                "41:27: 'latest' is not a PostgreSQL version (resources.db_instance.orders.engine_version); "
                'write a major version such as "16", or a minor version such as "16.4"'
            ),
        ],
    ),
    (
        "a backup in a quarter of an hour",
        [('"17:00-17:30"', '"17:00-17:15"')],
        [
            (
                "49:36: '17:00-17:15' is not a backup window "
                "(resources.db_instance.orders.preferred_backup_window); write UTC times at least 30 "
                'minutes apart: "17:00-17:30"'
            ),
        ],
    ),
    (
        "a backup at no time",
        [('"17:00-17:30"', '"25:00-26:00"')],
        [
            (
                "49:36: '25:00-26:00' is not a backup window "
                "(resources.db_instance.orders.preferred_backup_window); write UTC times at least 30 "
                'minutes apart: "17:00-17:30"'
            ),
        ],
    ),
    (
        "a maintenance on a day in capitals",
        [('"sun:18:00-sun:18:30"', '"Sun:18:00-Sun:18:30"')],
        [
            (
                "50:41: 'Sun:18:00-Sun:18:30' is not a maintenance window "
                "(resources.db_instance.orders.preferred_maintenance_window); write UTC days and times "
                '30 minutes to 24 hours apart, in lower case: "sun:18:00-sun:18:30"'
            ),
        ],
    ),
    (
        "a reference to a group of another kind",
        [('"db_subnet_group": "db_subnet_group/data"', '"db_subnet_group": "data"')],
        [
            (
                "47:28: 'data' is not a DB subnet group of this document "
                "(resources.db_instance.orders.db_subnet_group); write db_subnet_group/<name>"
            ),
        ],
    ),
    (
        "a group description that RDS refuses",
        [('"Two zones"', '"\\ub450 \\uac1c"')],
        [
            (
                "37:51: RDS refuses the description '\ub450 \uac1c' (resources.db_subnet_group.data.description); "
                "use 1 to 255 printable ASCII characters"
            ),
        ],
    ),
]


@pytest.mark.parametrize(("edits", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_document_is_refused_with_place_and_hint(edits: list[tuple[str, str]], said: list[str]) -> None:
    assert said_of(edited(*edits)) == said


def test_all_bad_members_of_a_list_are_said_at_once() -> None:
    bad = '{ "protocol": "tcp", "source": "10.0.0.1/8" }, { "protocol": "gre", "source": "::/0", "description": "?" }'
    text = edited(('{ "protocol": "tcp", "ports": 5432, "source": "security_group/web" }', bad))
    assert [line.partition(" (")[0] for line in said_of(text)] == [
        "26:21: tcp needs ports",
        "26:52: '10.0.0.1/8' is not in canonical form",
        "26:68: unknown protocol 'gre'",
        "26:122: AWS refuses the description '?'",
    ]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ({"protocol": "tcp", "ports": 443, "source": "::/0"}, RuleKey("tcp", 443, 443, "::/0")),
        ({"protocol": "udp", "ports": "0-65535", "source": "pl-0a1b2c3d"}, RuleKey("udp", 0, 65535, "pl-0a1b2c3d")),
        ({"protocol": "icmp", "source": "0.0.0.0/0"}, RuleKey("icmp", -1, -1, "0.0.0.0/0")),
        ({"protocol": "icmp", "icmp_type": 3, "source": "0.0.0.0/0"}, RuleKey("icmp", 3, -1, "0.0.0.0/0")),
        ({"protocol": "icmpv6", "icmp_type": 128, "icmp_code": 0, "source": "::/0"}, RuleKey("icmpv6", 128, 0, "::/0")),
        ({"protocol": "all", "source": "security_group/a b"}, RuleKey("all", -1, -1, "security_group/a b")),
        ({"protocol": 50, "source": "10.0.0.0/8"}, RuleKey("50", -1, -1, "10.0.0.0/8")),
    ],
)
def test_a_rule_is_read_into_its_key_and_written_back_as_it_was(written: dict[str, Any], key: RuleKey) -> None:
    rules = Ingress.read([written])
    assert rules == {key: None}
    assert rules.as_written() == [written]


def test_an_entry_is_read_under_its_number_and_written_back_as_it_was() -> None:
    written = {"110": {"action": "deny", "protocol": "tcp", "ports": "1-9", "destination": "10.0.0.0/8"}}
    entries = EgressEntries.read(written)
    assert entries == {110: AclEntry("deny", "tcp", 1, 9, "10.0.0.0/8")}
    assert entries.as_written() == written


def test_collections_accept_themselves_so_that_live_state_needs_no_written_form() -> None:
    rules = Egress({RuleKey("all", -1, -1, "sg-of-nobody"): None})
    assert SecurityGroup(egress=rules).egress is rules
    entries = IngressEntries({1: AclEntry("allow", "all", -1, -1, "0.0.0.0/0")})
    assert NetworkAcl(ingress=entries).ingress is entries
    table = RouteTable(routes=Routes({"0.0.0.0/0": "local"}), subnets=Subnets({Address("subnet/a")}))
    assert table.routes == {"0.0.0.0/0": "local"}
    assert table.subnets == Subnets({Address("subnet/a")})


def test_members_have_no_order() -> None:
    one = {"protocol": "tcp", "ports": 1, "source": "::/0"}
    other = {"protocol": "tcp", "ports": 2, "source": "::/0", "description": "two"}
    assert Ingress.read([one, other]) == Ingress.read([other, one])
    assert Subnets.read(["subnet/a", "subnet/b"]) == Subnets.read(["subnet/b", "subnet/a"])
    assert Tags.read({"a": "1", "b": "2"}) == Tags.read({"b": "2", "a": "1"})


@pytest.mark.parametrize("text", ["", " ", "R&D", "._-:/()#,@[]+=&;{}!$*", "x" * 255])
def test_a_rule_may_have_every_description_that_aws_allows(text: str) -> None:
    rule = {"protocol": "tcp", "ports": 443, "source": "::/0", "description": text}
    assert Ingress.read([rule]).as_written() == [rule]
    if text:
        document = edited(('"The front door"', json.dumps(text)))
        group = load(document.encode(), "d.json").resources[Address("security_group/web")]
        assert isinstance(group, SecurityGroup)
        assert group.description == text


def test_a_description_is_no_part_of_the_rule_but_of_its_equality() -> None:
    rule = {"protocol": "tcp", "ports": 1, "source": "::/0"}
    assert Ingress.read([rule]).keys() == Ingress.read([rule | {"description": "one"}]).keys()
    assert Ingress.read([rule]) != Ingress.read([rule | {"description": "one"}])


def test_references_become_addresses() -> None:
    groups = SecurityGroups.read(["security_group/db", "sg-0123456789abcdef0"])
    assert {type(group) for group in groups} == {Address}
    assert groups.as_written() == ["security_group/db", "sg-0123456789abcdef0"]
    routes = Routes.read({"0.0.0.0/0": "internet_gateway/door", "::/0": "eigw-0123456789abcdef0"})
    assert [type(via) for via in routes.values()] == [Address, str]


def test_forty_one_tags_are_one_too_many() -> None:
    document = json.loads(DOCUMENT)
    document["resources"]["security_group"]["db"]["tags"] = {f"tag {n}": "" for n in range(41)}
    with pytest.raises(DocumentError) as refused:
        load(json.dumps(document).encode(), "shop.json")
    assert [(one.path, one.problem) for one in refused.value.problems] == [
        ("resources.security_group.db.tags", "41 tags")
    ]
