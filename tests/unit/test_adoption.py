"""What a document says about who is who: `adopt`, `formerly`, `external`, ids in place, secondary networks, notes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import desired_state
from desired_state.document import Document, External
from desired_state.fields import Address
from desired_state.load import DocumentError, load
from desired_state.members import Names, Subnets
from desired_state.network import Blocks, InternetGateway, Subnet, Vpc
from desired_state.resource import SECTIONS
from tests.support.documents import ADOPTED, DOCUMENT, edited, said_of


def loaded(*edits: tuple[str, str]) -> Document:
    return load(edited(*edits, of=ADOPTED).encode(), "shop.json")


REFUSED: list[tuple[str, list[tuple[str, str]], list[str]]] = [
    (
        "an address that is not declared is adopted",
        [('"network_acl/spare": "new"', '"network_acl/spar": "new"')],
        [
            (
                "11:5: 'network_acl/spar' is not declared in this document (adopt['network_acl/spar']); did you "
                "mean 'network_acl/spare'?"
            ),
        ],
    ),
    (
        "an address of a kind that there is not is adopted",
        [('"network_acl/spare": "new"', '"elastic_ip/a": "new"')],
        [
            (
                "11:5: 'elastic_ip/a' is not declared in this document (adopt['elastic_ip/a']); write one of "
                "db_instance/app, db_subnet_group/data, network_acl/spare, route_table/in, route_table/out, "
                "security_group/db, security_group/web, subnet/c, vpc/main"
            ),
        ],
    ),
    (
        "what is no address is adopted",
        [('"network_acl/spare": "new"', '"spare": "new"')],
        [
            "11:5: 'spare' is not declared in this document (adopt.spare); did you mean 'network_acl/spare'?",
        ],
    ),
    (
        "what is external is adopted",
        [('"network_acl/spare": "new"', '"subnet/a": "subnet-00000000"')],
        [
            "11:5: 'subnet/a' is external (adopt['subnet/a']); write its id there: { \"id\": \"...\" }",
        ],
    ),
    (
        "the id of another kind",
        [('"route_table/in": "rtb-0123456789abcdef0"', '"route_table/in": "acl-0123456789abcdef0"')],
        [
            (
                "10:23: 'acl-0123456789abcdef0' is not a route table id (adopt['route_table/in']); write the id as "
                'AWS shows it: rtb-..., or "new"'
            ),
        ],
    ),
    (
        "an id of no form",
        [('"route_table/in": "rtb-0123456789abcdef0"', '"route_table/in": "rtb-0123"')],
        [
            (
                "10:23: 'rtb-0123' is not a route table id (adopt['route_table/in']); write the id as AWS shows "
                'it: rtb-..., or "new"'
            ),
        ],
    ),
    (
        "an id with a line break",
        [('"route_table/in": "rtb-0123456789abcdef0"', '"route_table/in": "rtb-0123456789abcdef0\\n"')],
        [
            (
                "10:23: 'rtb-0123456789abcdef0\\n' is not a route table id (adopt['route_table/in']); write the id "
                'as AWS shows it: rtb-..., or "new"'
            ),
        ],
    ),
    (
        "an empty id",
        [('"route_table/in": "rtb-0123456789abcdef0"', '"route_table/in": ""')],
        [
            (
                "10:23: '' is not a route table id (adopt['route_table/in']); write the id as AWS shows it: "
                'rtb-..., or "new"'
            ),
        ],
    ),
    (
        "NEW in capitals",
        [('"network_acl/spare": "new"', '"network_acl/spare": "NEW"')],
        [
            (
                "11:26: 'NEW' is not a network ACL id (adopt['network_acl/spare']); write the id as AWS shows it: "
                'acl-..., or "new"'
            ),
        ],
    ),
    (
        "an id that is a list",
        [('"route_table/in": "rtb-0123456789abcdef0"', '"route_table/in": ["rtb-0123456789abcdef0"]')],
        [
            (
                "10:23: expected an id as a string, or \"new\", found a list (adopt['route_table/in']); write an "
                'id as a string, or "new"'
            ),
        ],
    ),
    (
        "an id that is a number",
        [('"route_table/in": "rtb-0123456789abcdef0"', '"route_table/in": 7')],
        [
            (
                "10:23: expected an id as a string, or \"new\", found 7 (adopt['route_table/in']); write an id as "
                'a string, or "new"'
            ),
        ],
    ),
    (
        "adopt as a list",
        [('"adopt": {', '"adopt": [], "adop": {')],
        [
            "8:12: expected an object, found a list (adopt); write an object",
            "8:16: unknown field 'adop' (adop); did you mean 'adopt'?",
        ],
    ),
    (
        "the name of an instance for its id",
        [('"db_instance/app": "db-ABCDEFGHIJKLMNOPQRSTUVWX01"', '"db_instance/app": "app"')],
        [
            (
                "14:24: 'app' is not the DbiResourceId of a DB instance (adopt['db_instance/app']); write it as "
                "RDS shows it: db-, and 26 capitals or digits"
            ),
        ],
    ),
    (
        "an id of an instance in lower case",
        [('"db_instance/app": "db-ABCDEFGHIJKLMNOPQRSTUVWX01"', '"db_instance/app": "db-abcdefghijklmnopqrstuvwx01"')],
        [
            (
                "14:24: 'db-abcdefghijklmnopqrstuvwx01' is not the DbiResourceId of a DB instance "
                "(adopt['db_instance/app']); write it as RDS shows it: db-, and 26 capitals or digits"
            ),
        ],
    ),
    (
        "a new instance",
        [('"db_instance/app": "db-ABCDEFGHIJKLMNOPQRSTUVWX01"', '"db_instance/app": "new"')],
        [
            (
                "14:24: a db_instance cannot be \"new\" (adopt['db_instance/app']); leave it out: RDS knows it by "
                "its name"
            ),
        ],
    ),
    (
        "a new subnet group",
        [('"db_subnet_group/data": "data"', '"db_subnet_group/data": "new"')],
        [
            (
                "13:29: a db_subnet_group cannot be \"new\" (adopt['db_subnet_group/data']); leave it out: RDS "
                "knows it by its name"
            ),
        ],
    ),
    (
        "a subnet group under another name",
        [('"db_subnet_group/data": "data"', '"db_subnet_group/data": "date"')],
        [
            "13:29: 'date' is not its name (adopt['db_subnet_group/data']); leave it out: RDS knows it by its name",
        ],
    ),
    (
        "a VPC beside another scope",
        [('"vpc/main": "vpc-0123456789abcdef0"', '"vpc/main": "vpc-0fedcba9876543210"')],
        [
            (
                "9:17: scope.vpc_id already says which VPC it is: vpc-0123456789abcdef0 (adopt['vpc/main']); take "
                "out one of the two"
            ),
        ],
    ),
    (
        "a new VPC beside a scope",
        [('"vpc/main": "vpc-0123456789abcdef0"', '"vpc/main": "new"')],
        [
            (
                "9:17: scope.vpc_id already says which VPC it is: vpc-0123456789abcdef0 (adopt['vpc/main']); take "
                "out one of the two"
            ),
        ],
    ),
    (
        "one id for two addresses",
        [('"network_acl/spare": "new"', '"security_group/db": "sg-0123456789abcdef0"')],
        [
            (
                "12:27: 'sg-0123456789abcdef0' is 'security_group/db' already (adopt['security_group/web']); write "
                "one address for each live resource"
            ),
        ],
    ),
    (
        "one id for what is adopted and what is external",
        [('"security_group/web": "sg-0123456789abcdef0"', '"security_group/web": "sg-0fedcba9876543210"')],
        [
            (
                "12:27: 'sg-0fedcba9876543210' is 'security_group/ops' already (adopt['security_group/web']); "
                "write one address for each live resource"
            ),
        ],
    ),
    (
        "its own name as a former one",
        [('["shop-prod"]', '["shop-prod", "shop"]')],
        [
            "4:29: 'shop' is the name of the document (formerly[1]); write earlier names only",
        ],
    ),
    (
        "former names that are none, and one twice",
        [('["shop-prod"]', '["Shop", "a\\nb", "old", "", "old"]')],
        [
            (
                "4:16: 'Shop' is not a valid document name (formerly[0]); use 1 to 63 of a-z, 0-9 and -, not "
                "starting with -"
            ),
            (
                "4:24: 'a\\nb' is not a valid document name (formerly[1]); use 1 to 63 of a-z, 0-9 and -, not "
                "starting with -"
            ),
            ("4:39: '' is not a valid document name (formerly[3]); use 1 to 63 of a-z, 0-9 and -, not starting with -"),
            "4:43: 'old' is listed twice (formerly[4]); list it once",
        ],
    ),
    (
        "eleven former names",
        [
            (
                '["shop-prod"]',
                '["old-0", "old-1", "old-2", "old-3", "old-4", "old-5", "old-6", "old-7", "old-8", "old-9", "old-10"]',
            )
        ],
        [
            "4:15: 11 names (formerly); write at most 10",
        ],
    ),
    (
        "a former name that is a text",
        [('["shop-prod"]', '"shop-prod"')],
        [
            "4:15: expected a list, found 'shop-prod' (formerly); write a list",
        ],
    ),
    (
        "former names of other types",
        [('["shop-prod"]', '[1, null, ["a"]]')],
        [
            '4:16: expected a string, found 1 (formerly[0]); write "1", not 1',
            "4:19: null is not allowed (formerly[1]); leave the field out: what is left out is not managed",
            "4:25: expected a string, found a list (formerly[2]); write a string",
        ],
    ),
    (
        "its own name as a former one of a resource",
        [('"rt 1"', '"in"')],
        [
            "31:36: 'in' is its own name (resources.route_table.in.formerly[1]); write earlier names only",
        ],
    ),
    (
        "a former name that is still declared",
        [('"rt 1"', '"out"')],
        [
            (
                "31:36: 'route_table/out' is still declared (resources.route_table.in.formerly[1]); write names "
                "that are declared no more"
            ),
        ],
    ),
    (
        "a former name of a group that is still declared in another case",
        [('["launch-wizard-3"]', '["DB"]')],
        [
            (
                "35:29: 'security_group/db' is still declared (resources.security_group.web.formerly[0]); write "
                "names that are declared no more"
            ),
        ],
    ),
    (
        "a former name of two",
        [('{ "routes":', '{ "formerly": ["rt-2"], "routes":')],
        [
            (
                "31:28: 'rt-2' is a former name of 'route_table/out' too (resources.route_table.in.formerly[0]); "
                "keep it at the one that it belongs to"
            ),
        ],
    ),
    (
        "a former name of two groups, in any case",
        [('"db": { "ingress"', '"db": { "formerly": ["LAUNCH-wizard-3"], "ingress"')],
        [
            (
                "36:28: 'LAUNCH-wizard-3' is a former name of 'security_group/web' too "
                "(resources.security_group.db.formerly[0]); keep it at the one that it belongs to"
            ),
        ],
    ),
    (
        "former names of a resource that are none, and one twice",
        [('["launch-wizard-3"]', '["sg-old", " a", "b", "b"]')],
        [
            (
                "35:29: 'sg-old' cannot be the name of a security group "
                "(resources.security_group.web.formerly[0]); choose another: AWS reserves names that start with "
                "sg- for ids"
            ),
            (
                "35:39: ' a' cannot be a name (resources.security_group.web.formerly[1]); use 1 to 255 of the "
                "characters that AWS allows in group names, no space at either end"
            ),
            "35:50: 'b' is listed twice (resources.security_group.web.formerly[3]); list it once",
        ],
    ),
    (
        "former names of a resource in an object",
        [('["launch-wizard-3"]', "{}")],
        [
            "35:28: expected a list, found an object (resources.security_group.web.formerly); write a list",
        ],
    ),
    (
        "a former name of an instance",
        [('{ "app": {', '{ "app": { "formerly": ["app-old"],')],
        [
            (
                "39:43: RDS knows it by its name (resources.db_instance.app.formerly); rename it in RDS and "
                "declare it under the new name"
            ),
        ],
    ),
    (
        "a former name of a subnet group",
        [('{ "data": {', '{ "data": { "formerly": [],')],
        [
            (
                "38:48: RDS knows it by its name (resources.db_subnet_group.data.formerly); rename it in RDS and "
                "declare it under the new name"
            ),
        ],
    ),
    (
        "external as a list",
        [('"external": {', '"external": [], "externals": {')],
        [
            "16:15: expected an object, found a list (external); write an object",
            "16:19: unknown field 'externals' (externals); did you mean 'external'?",
            (
                "30:41: 'internet_gateway/door' is not declared in this document "
                "(resources.route_table.out.routes['0.0.0.0/0']); declare it under \"internet_gateway\""
            ),
            (
                "31:76: 'subnet/b' is not declared in this document (resources.route_table.in.subnets[0]); did you "
                "mean 'subnet/c'?"
            ),
            (
                "35:92: 'security_group/ops' is not declared in this document "
                "(resources.security_group.web.ingress[0].source); did you mean 'security_group/db'?"
            ),
            (
                "38:48: 'subnet/a' is not declared in this document (resources.db_subnet_group.data.subnets[0]); "
                "did you mean 'subnet/c'?"
            ),
            (
                "41:59: 'db_instance/theirs' is not declared in this document (intents[0].to); did you mean "
                "'db_instance/app'?"
            ),
            ("42:39: 'subnet/b' is not declared in this document (workloads.ops.subnets[0]); did you mean 'subnet/c'?"),
            (
                "42:72: 'security_group/ops' is not declared in this document (workloads.ops.security_groups[0]); "
                "did you mean 'security_group/db'?"
            ),
            (
                "47:16: 'security_group/ops' is not declared in this document (exceptions[0].value); did you mean "
                "'security_group/db'?"
            ),
        ],
    ),
    (
        "external and declared",
        [('"subnet/a": {', '"subnet/c": {')],
        [
            "17:5: 'subnet/c' is also declared under resources (external['subnet/c']); take out one of the two",
            (
                "38:48: 'subnet/a' is not declared in this document (resources.db_subnet_group.data.subnets[0]); "
                "did you mean 'subnet/c'?"
            ),
        ],
    ),
    (
        "external of an unknown kind",
        [('"subnet/a": {', '"subnets/a": {')],
        [
            "17:5: unknown kind of resource 'subnets' (external['subnets/a']); did you mean 'subnet'?",
            (
                "38:48: 'subnet/a' is not declared in this document (resources.db_subnet_group.data.subnets[0]); "
                "did you mean 'subnet/c'?"
            ),
        ],
    ),
    (
        "external without a kind",
        [('"subnet/a": {', '"a": {')],
        [
            "17:5: 'a' is not an address (external.a); write <kind>/<name>, such as subnet/private-a",
            (
                "38:48: 'subnet/a' is not declared in this document (resources.db_subnet_group.data.subnets[0]); "
                "did you mean 'subnet/c'?"
            ),
        ],
    ),
    (
        "external without a name",
        [('"subnet/a": {', '"subnet/": {')],
        [
            (
                "17:5: '' cannot be a name (external['subnet/']); use 1 to 255 of the characters that AWS allows "
                "in group names, no space at either end"
            ),
            (
                "38:48: 'subnet/a' is not declared in this document (resources.db_subnet_group.data.subnets[0]); "
                "did you mean 'subnet/'?"
            ),
        ],
    ),
    (
        "external with a name that none can have",
        [('"security_group/ops": {', '"security_group/sg-ops": {')],
        [
            (
                "19:5: 'sg-ops' cannot be the name of a security group (external['security_group/sg-ops']); choose "
                "another: AWS reserves names that start with sg- for ids"
            ),
            (
                "35:92: 'security_group/ops' is not declared in this document "
                "(resources.security_group.web.ingress[0].source); did you mean 'security_group/sg-ops'?"
            ),
            (
                "42:72: 'security_group/ops' is not declared in this document (workloads.ops.security_groups[0]); "
                "did you mean 'security_group/sg-ops'?"
            ),
            (
                "47:16: 'security_group/ops' is not declared in this document (exceptions[0].value); did you mean "
                "'security_group/sg-ops'?"
            ),
        ],
    ),
    (
        "an external VPC",
        [('"subnet/a": {', '"vpc/a": {')],
        [
            "17:5: a VPC cannot be external (external['vpc/a']); name it in scope.vpc_id",
            (
                "38:48: 'subnet/a' is not declared in this document (resources.db_subnet_group.data.subnets[0]); "
                "did you mean 'subnet/c'?"
            ),
        ],
    ),
    (
        "external by nothing",
        [('"external": {', '"external": { "subnet/x": {},')],
        [
            (
                "16:29: 'subnet/x' has neither an id nor a document (external['subnet/x']); write either \"id\" or "
                '"document"'
            ),
        ],
    ),
    (
        "external by both",
        [('"subnet/a": {', '"subnet/a": { "id": "subnet-00000000",')],
        [
            ("17:17: 'subnet/a' has an id and a document (external['subnet/a']); write either \"id\" or \"document\""),
        ],
    ),
    (
        "external by the id of another kind",
        [('"igw-0123456789abcdef0"', '"nat-0123456789abcdef0"')],
        [
            (
                "20:38: 'nat-0123456789abcdef0' is not an internet gateway id "
                "(external['internet_gateway/door'].id); write the id as AWS shows it: igw-..."
            ),
        ],
    ),
    (
        "external by the id of another account",
        [('"sg-0fedcba9876543210"', '"123456789012/sg-0fedcba9876543210"')],
        [
            (
                "19:35: '123456789012/sg-0fedcba9876543210' is not a security group id "
                "(external['security_group/ops'].id); write the id as AWS shows it: sg-..."
            ),
        ],
    ),
    (
        "external by a name that no subnet group has",
        [('"other"', '"Other"')],
        [
            (
                "21:39: 'Other' cannot be the name of a DB subnet group (external['db_subnet_group/theirs'].id); "
                "use 1 to 255 lower-case letters, digits, spaces and ._-, such as 'other'"
            ),
        ],
    ),
    (
        "external by the name of an instance",
        [('"db-ABCDEFGHIJKLMNOPQRSTUVWX02"', '"theirs"')],
        [
            (
                "22:35: 'theirs' is not the DbiResourceId of a DB instance (external['db_instance/theirs'].id); "
                "write it as RDS shows it: db-, and 26 capitals or digits"
            ),
        ],
    ),
    (
        "an external name without a document",
        [('{ "id": "igw-0123456789abcdef0" }', '{ "id": "igw-0123456789abcdef0", "name": "d" }')],
        [
            (
                "20:71: a name without a document (external['internet_gateway/door'].name); leave it out, or write "
                '"document": the name is the one that it has there'
            ),
        ],
    ),
    (
        "an external name alone",
        [('{ "id": "igw-0123456789abcdef0" }', '{ "name": "d" }')],
        [
            (
                "20:30: 'internet_gateway/door' has neither an id nor a document "
                '(external[\'internet_gateway/door\']); write either "id" or "document"'
            ),
            (
                "20:40: a name without a document (external['internet_gateway/door'].name); leave it out, or write "
                '"document": the name is the one that it has there'
            ),
        ],
    ),
    (
        "an external name that none can have",
        [('"PrivateB"', '"Private\\u00e9"')],
        [
            (
                "18:50: 'Private\u00e9' cannot be a name (it contains U+00E9) (external['subnet/b'].name); use 1 "
                "to 255 of the characters that AWS allows in group names, no space at either end"
            ),
        ],
    ),
    (
        "external by one id twice",
        [('"external": {', '"external": { "security_group/x": { "id": "sg-0fedcba9876543210" },')],
        [
            (
                "19:35: 'sg-0fedcba9876543210' is 'security_group/x' already (external['security_group/ops'].id); "
                "write one address for each live resource"
            ),
        ],
    ),
    (
        "external by one name twice",
        [('"PrivateB"', '"a"')],
        [
            (
                "18:5: 'subnet/a' is 'a' of the document 'network' already (external['subnet/b']); refer to it by "
                "one address"
            ),
        ],
    ),
    (
        "external in this document",
        [('"subnet/a": { "document": "network" }', '"subnet/a": { "document": "shop" }')],
        [
            (
                "17:31: 'shop' is this document (external['subnet/a'].document); declare it under resources, or "
                "write the name of the document that owns it"
            ),
        ],
    ),
    (
        "external in a document that cannot be",
        [('"subnet/a": { "document": "network" }', '"subnet/a": { "document": "Network" }')],
        [
            (
                "17:31: 'Network' is not a valid document name (external['subnet/a'].document); use 1 to 63 of "
                "a-z, 0-9 and -, not starting with -"
            ),
        ],
    ),
    (
        "external with a note",
        [('"subnet/a": {', '"subnet/a": { "note": "x",')],
        [
            "17:19: unknown field 'note' (external['subnet/a'].note); write one of document, id, name",
        ],
    ),
    (
        "external as a text",
        [('"subnet/a": { "document": "network" }', '"subnet/a": "network"')],
        [
            "17:17: expected an object, found 'network' (external['subnet/a']); write an object",
        ],
    ),
    (
        "an exception at what is external",
        [('"address": "security_group/db"', '"address": "security_group/ops"')],
        [
            (
                "45:18: 'security_group/ops' is external (exceptions[0].address); take the exception out: what is "
                "external is not compared"
            ),
        ],
    ),
    (
        "a reference to what is not external",
        [('"subnets": ["subnet/b", "', '"subnets": ["subnet/bb", "')],
        [
            (
                "31:76: 'subnet/bb' is not declared in this document (resources.route_table.in.subnets[0]); did "
                "you mean 'subnet/b'?"
            ),
        ],
    ),
    (
        "a subnet by an id that it has not",
        [('"subnet-0fedcba9876543210"', '"subnet-0fed"')],
        [
            (
                "31:88: 'subnet-0fed' is not a valid reference here (resources.route_table.in.subnets[1]); write "
                "subnet/<name> of a subnet in this document, or a subnet id subnet-..."
            ),
        ],
    ),
    (
        "a gateway by an id that it has not",
        [('"igw-00000000"', '"igw-0"')],
        [
            (
                "30:81: 'igw-0' is not a route target (resources.route_table.out.routes['10.9.0.0/16']); write "
                "internet_gateway/<name>, or the id of an igw-, nat-, pcx-, tgw-, vgw-, eni-, vpce-, eigw-, lgw- or "
                "cagw- target, or the ARN of a core network or an ODB network"
            ),
        ],
    ),
    (
        "a subnet in two tables by its id",
        [('{ "routes":', '{ "subnets": ["subnet-0fedcba9876543210"], "routes":')],
        [
            (
                "31:88: 'subnet-0fedcba9876543210' already has a route table, 'route_table/out' "
                "(resources.route_table.in.subnets[1]); a subnet has only one: list it in one route table"
            ),
        ],
    ),
    (
        "an id in the place of its address: a gateway",
        [('"igw-00000000"', '"igw-0123456789abcdef0"')],
        [
            (
                "30:81: 'igw-0123456789abcdef0' is 'internet_gateway/door' "
                "(resources.route_table.out.routes['10.9.0.0/16']); write 'internet_gateway/door'"
            ),
        ],
    ),
    (
        "an id in the place of its address: groups",
        [
            ('"source": "security_group/web"', '"source": "sg-0123456789abcdef0"'),
            ('["security_group/ops"]', '["sg-0fedcba9876543210"]'),
        ],
        [
            (
                "36:58: 'sg-0123456789abcdef0' is 'security_group/web' "
                "(resources.security_group.db.ingress[0].source); write 'security_group/web'"
            ),
            (
                "42:72: 'sg-0fedcba9876543210' is 'security_group/ops' (workloads.ops.security_groups[0]); write "
                "'security_group/ops'"
            ),
        ],
    ),
    (
        "an id in the place of its address: a subnet",
        [('"subnet/a": { "document": "network" }', '"subnet/a": { "id": "subnet-0fedcba9876543210" }')],
        [
            ("31:88: 'subnet-0fedcba9876543210' is 'subnet/a' (resources.route_table.in.subnets[1]); write 'subnet/a'"),
        ],
    ),
    (
        "an id in the place of its address: a tolerated rule",
        [('22, "source": "security_group/ops"', '22, "source": "sg-0fedcba9876543210"')],
        [
            "47:16: 'sg-0fedcba9876543210' is 'security_group/ops' (exceptions[0].value); write 'security_group/ops'",
        ],
    ),
    (
        "secondary networks that are none, and one twice",
        [('"10.1.0.0/20"', '"10.1.0.1/20", "2001:db8::/56", "10.0.0.0/8", "here", "10.3.0.0/24", "10.3.0.0/24"')],
        [
            (
                "25:96: '10.1.0.1/20' is not in canonical form (resources.vpc.main.secondary_cidr_blocks[1]); "
                'write "10.1.0.0/20"'
            ),
            (
                "25:111: '2001:db8::/56' cannot be the CIDR block of a VPC or subnet "
                "(resources.vpc.main.secondary_cidr_blocks[2]); write an IPv4 network from /16 to /28"
            ),
            (
                "25:128: '10.0.0.0/8' cannot be the CIDR block of a VPC or subnet "
                "(resources.vpc.main.secondary_cidr_blocks[3]); write an IPv4 network from /16 to /28"
            ),
            (
                "25:142: 'here' is not a CIDR (resources.vpc.main.secondary_cidr_blocks[4]); write an IPv4 or IPv6 "
                "network such as 10.0.0.0/16 or 2001:db8::/32"
            ),
            "25:165: '10.3.0.0/24' is listed twice (resources.vpc.main.secondary_cidr_blocks[6]); list it once",
        ],
    ),
    (
        "secondary networks in an object",
        [('["100.64.0.0/16", "10.1.0.0/20"]', '{ "100.64.0.0/16": true }')],
        [
            "25:78: expected a list, found an object (resources.vpc.main.secondary_cidr_blocks); write a list",
        ],
    ),
    (
        "a secondary network over the VPC's own",
        [('"10.1.0.0/20"', '"10.0.4.0/24"')],
        [
            (
                "25:96: 10.0.4.0/24 overlaps 10.0.0.0/16, a network of the VPC "
                "(resources.vpc.main.secondary_cidr_blocks[1]); choose networks that do not overlap"
            ),
        ],
    ),
    (
        "secondary networks over each other",
        [('"10.1.0.0/20"', '"100.64.1.0/24"')],
        [
            (
                "25:96: 100.64.1.0/24 overlaps 100.64.0.0/16, a network of the VPC "
                "(resources.vpc.main.secondary_cidr_blocks[1]); choose networks that do not overlap"
            ),
        ],
    ),
    (
        "a subnet outside all networks",
        [('"100.64.1.0/24"', '"100.65.1.0/24"')],
        [
            (
                "27:28: 100.65.1.0/24 is outside the VPC's CIDR block (resources.subnet.c.cidr_block); choose a "
                "network inside 10.0.0.0/16 or 10.1.0.0/20 or 100.64.0.0/16, or declare its network in "
                "secondary_cidr_blocks"
            ),
        ],
    ),
    (
        "a route for a secondary network",
        [('"10.9.0.0/16"', '"10.1.0.0/20"')],
        [
            (
                "30:66: a route for the VPC's CIDR block cannot be created "
                "(resources.route_table.out.routes['10.1.0.0/20']); leave it out: AWS creates the local route"
            ),
        ],
    ),
    (
        "a note of too many words",
        [('"taken over"', f'"{"x" * 1001}"')],
        [
            "5:11: the text is too long (note); write at most 1000 characters",
        ],
    ),
    (
        "a note of a resource of too many words",
        [('"by hand"', f'"{"x" * 1001}"')],
        [
            "31:53: the text is too long (resources.route_table.in.note); write at most 1000 characters",
        ],
    ),
    (
        "a note that is a list",
        [('"by hand"', '["by hand"]')],
        [
            "31:53: expected a string, found a list (resources.route_table.in.note); write a string",
        ],
    ),
    (
        "a note in a rule",
        [('"source": "security_group/web"', '"source": "security_group/web", "note": "x"')],
        [
            (
                "36:80: unknown field 'note' (resources.security_group.db.ingress[0].note); write one of "
                "description, icmp_code, icmp_type, ports, protocol, source"
            ),
        ],
    ),
    (
        "a note in a workload",
        [('"ops": {', '"ops": { "note": "x",')],
        [
            (
                "42:27: unknown field 'note' (workloads.ops.note); "
                "write one of client_ports, public_address, security_groups, subnets"
            ),
        ],
    ),
    (
        "a note in the scope",
        [('"scope": {', '"scope": { "note": "x",')],
        [
            "7:14: unknown field 'note' (scope.note); write one of account_id, region, vpc_id",
        ],
    ),
    (
        "a note in an exception",
        [('"reason":', '"note": "x", "reason":')],
        [
            "49:7: unknown field 'note' (exceptions[0].note); write one of address, field, reason, until, value",
        ],
    ),
    (
        "an exception to a note",
        [('"field": "ingress"', '"field": "note"')],
        [
            (
                "46:16: a security_group has no field 'note' (exceptions[0].field); write one of description, "
                "egress, ingress, tags"
            ),
        ],
    ),
]


@pytest.mark.parametrize(("edits", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_document_is_refused_with_place_and_hint(edits: list[tuple[str, str]], said: list[str]) -> None:
    assert said_of(edited(*edits, of=ADOPTED)) == said


def test_the_words_are_in_the_document() -> None:
    document = loaded()
    assert document.formerly == ("shop-prod",)
    assert document.adopt == {
        "vpc/main": "vpc-0123456789abcdef0",
        "route_table/in": "rtb-0123456789abcdef0",
        "network_acl/spare": "new",
        "security_group/web": "sg-0123456789abcdef0",
        "db_subnet_group/data": "data",
        "db_instance/app": "db-ABCDEFGHIJKLMNOPQRSTUVWX01",
    }
    assert {type(address) for address in document.adopt} == {Address}
    assert document.external == {
        "subnet/a": External(document="network"),
        "subnet/b": External(document="network", name="PrivateB"),
        "security_group/ops": External(id="sg-0fedcba9876543210"),
        "internet_gateway/door": External(id="igw-0123456789abcdef0"),
        "db_subnet_group/theirs": External(id="other"),
        "db_instance/theirs": External(id="db-ABCDEFGHIJKLMNOPQRSTUVWX02"),
    }
    table = document.resources[Address("route_table/in")]
    assert (table.formerly, table.note) == (("rt-2", "rt 1"), "by hand")
    assert document.resources[Address("route_table/out")].formerly == ()
    assert document.resources[Address("vpc/main")] == Vpc(
        enforcement="correct",
        cidr_block="10.0.0.0/16",
        secondary_cidr_blocks=Blocks({"10.1.0.0/20", "100.64.0.0/16"}),
    )


def test_without_the_words_they_are_empty() -> None:
    document = load(DOCUMENT.encode(), "shop.json")
    assert (document.formerly, dict(document.adopt), dict(document.external)) == ((), {}, {})


def test_what_is_external_is_the_last_of_the_resources_and_has_no_field() -> None:
    document = loaded()
    assert list(document.resources)[-6:] == list(document.external)
    assert document.resources[Address("subnet/a")] == Subnet(enforcement="ignore")
    assert document.resources[Address("internet_gateway/door")] == InternetGateway(enforcement="ignore")
    assert list(document.of_kind("subnet")) == ["subnet/c", "subnet/a", "subnet/b"]


def test_a_resource_with_former_names_and_a_note_can_be_a_key() -> None:
    one, other = (Subnet.model_validate({"formerly": ["a", "b"], "note": "x"}) for _ in range(2))
    assert len({one, other}) == 1
    assert one != Subnet.model_validate({"formerly": ["b", "a"], "note": "x"})


@pytest.mark.parametrize("kind", SECTIONS)
def test_what_is_not_in_aws_is_not_compared(kind: str) -> None:
    fields = SECTIONS[kind].model_fields.keys()
    assert fields - set(SECTIONS[kind].described()) == {"enforcement", "formerly", "note"}


IDS = {
    "vpc": "vpc-0123456789abcdef0",
    "internet_gateway": "igw-01234567",
    "subnet": "subnet-0123456789abcdef0",
    "route_table": "rtb-01234567",
    "security_group": "sg-0123456789abcdef0",
    "network_acl": "acl-01234567",
    "db_instance": "db-0123456789ABCDEFGHIJKLMNOP",
}


@pytest.mark.parametrize("kind", SECTIONS)
def test_an_id_is_of_one_kind(kind: str) -> None:
    form = SECTIONS[kind].id_form
    assert [other for other, one in IDS.items() if form and not form.problem(one)] == [kind] * (kind in IDS)


def test_only_a_subnet_group_has_its_name_for_an_id() -> None:
    assert [kind for kind, model in SECTIONS.items() if model.id_form is None] == ["db_subnet_group"]


@pytest.mark.parametrize(
    "words", ["rtb-0123456", "rtb-0123456789abcdef01", "RTB-01234567", "rtb-0123456g", "rtb-01234567 "]
)
def test_an_id_has_eight_to_seventeen_small_hexadecimal_digits(words: str) -> None:
    form = SECTIONS["route_table"].id_form
    assert form
    assert form.problem(words) == (f"{words!r} is not a route table id", "write the id as AWS shows it: rtb-...")


def test_without_a_scope_a_second_vpc_may_be_made() -> None:
    document = loaded(
        (', "vpc_id": "vpc-0123456789abcdef0"', ""), ('"vpc/main": "vpc-0123456789abcdef0"', '"vpc/main": "new"')
    )
    assert document.adopt[Address("vpc/main")] == "new"


def test_a_vpc_that_only_the_scope_names_cannot_be_adopted() -> None:
    document = json.loads(ADOPTED)
    del document["resources"]["vpc"]
    document["adopt"] = {"vpc/vpc-0123456789abcdef0": "vpc-0123456789abcdef0"}
    assert problems_of(document) == [
        "adopt['vpc/vpc-0123456789abcdef0']: 'vpc/vpc-0123456789abcdef0' is not declared in this document"
    ]


def test_a_group_may_be_the_former_one_in_another_case() -> None:
    assert loaded(("launch-wizard-3", "Web")).resources[Address("security_group/web")].formerly == ("Web",)


def test_a_name_may_be_a_former_one_of_another_kind_and_one_of_another_document() -> None:
    loaded(("launch-wizard-3", "out"), ('"rt 1"', '"spare"'), ('"c": {', '"c": { "formerly": ["a", "PrivateB"],'))


def test_a_document_may_refer_to_what_it_takes_over_piece_by_piece() -> None:
    assert loaded(("shop-prod", "network")).external[Address("subnet/a")].document == "network"


def test_the_same_name_in_two_documents_or_of_two_kinds_is_not_the_same_thing() -> None:
    loaded(
        (
            '"subnet/b": { "document": "network", "name": "PrivateB" }',
            '"subnet/b": { "document": "other", "name": "a" }',
        ),
        (
            '"security_group/ops": { "id": "sg-0fedcba9876543210" }',
            '"security_group/ops": { "document": "network", "name": "a" }',
        ),
    )


def test_a_group_of_others_may_have_the_same_name_here_but_for_its_case() -> None:
    loaded(('"security_group/ops": {', '"security_group/WEB": { "document": "network" }, "security_group/ops": {'))


def test_a_subnet_group_may_be_called_default() -> None:
    text = json.dumps(json.loads(ADOPTED)).replace("data", "default")
    document = load(text.encode(), "shop.json")
    assert Address("db_subnet_group/default") in document.resources
    assert document.adopt[Address("db_subnet_group/default")] == "default"


def changed(**sections: dict[str, Any]) -> dict[str, Any]:
    """The document with resources added."""
    document: dict[str, Any] = json.loads(ADOPTED)
    for kind, section in sections.items():
        document["resources"].setdefault(kind, {}).update(section)
    return document


def problems_of(document: dict[str, Any]) -> list[str]:
    with pytest.raises(DocumentError) as refused:
        load(json.dumps(document).encode(), "shop.json")
    return [f"{one.path}: {one.problem}" for one in refused.value.problems]


def test_a_vpc_has_one_gateway_whoever_owns_it() -> None:
    assert problems_of(changed(internet_gateway={"window": {}})) == [
        "external['internet_gateway/door']: a second internet gateway besides 'internet_gateway/window'"
    ]
    document = changed()
    document["external"]["internet_gateway/back"] = {"document": "network"}
    assert problems_of(document) == [
        "external['internet_gateway/back']: a second internet gateway besides 'internet_gateway/door'"
    ]


def test_the_zones_of_subnets_of_others_are_not_known() -> None:
    for subnets in (["subnet/a"], ["subnet/a", "subnet/b"], ["subnet-00000000"], ["subnet/c", "subnet-00000000"]):
        load(json.dumps(changed(db_subnet_group={"data": {"subnets": subnets}})).encode(), "shop.json")
    assert problems_of(changed(db_subnet_group={"data": {"subnets": ["subnet/c"]}})) == [
        (
            "resources.db_subnet_group.data.subnets: "
            "the subnet group covers only eu-central-1a, RDS requires at least two zones"
        )
    ]


def public(*, external: dict[str, Any], **sections: dict[str, Any]) -> dict[str, Any]:
    """A document of a public instance, and of what its VPC has beside it."""
    vpc = {"cidr_block": "10.0.0.0/16", "enable_dns_support": True, "enable_dns_hostnames": True}
    return {
        "version": 1,
        "name": "shop",
        "revision": 1,
        "scope": {"account_id": "123456789012", "region": "eu-central-1"},
        "external": external,
        "resources": {"vpc": {"main": vpc}, "db_instance": {"app": {"publicly_accessible": True}}, **sections},
    }


def test_a_public_instance_needs_a_gateway_that_somebody_has() -> None:
    assert problems_of(public(external={})) == [
        "resources.db_instance.app.publicly_accessible: a public instance in a VPC without an internet gateway"
    ]
    assert len(problems_of(public(external={"security_group/a": {"document": "network"}}))) == 1
    for document in (
        public(external={}, internet_gateway={"door": {}}),
        public(external={"internet_gateway/door": {"id": "igw-01234567"}}),
        public(external={"subnet/a": {"document": "network"}}),
        public(external={}, route_table={"out": {"routes": {"0.0.0.0/0": "igw-01234567"}}}),
        public(external={}, db_subnet_group={"data": {"subnets": ["subnet-01234567", "subnet-01234568"]}}),
    ):
        load(json.dumps(document).encode(), "shop.json")


def test_subnets_lie_in_every_network_of_the_vpc_and_still_not_on_each_other() -> None:
    def subnet(block: str) -> dict[str, Any]:
        return {"cidr_block": block, "availability_zone": "eu-central-1b"}

    blocks = ("10.0.1.0/24", "10.1.0.0/24", "100.64.2.0/24")
    load(json.dumps(changed(subnet={f"x{n}": subnet(one) for n, one in enumerate(blocks)})).encode(), "shop.json")
    assert problems_of(changed(subnet={"x": subnet("100.64.0.0/20")})) == [
        "resources.subnet.x.cidr_block: 100.64.0.0/20 overlaps 'subnet/c' (100.64.1.0/24)"
    ]


def test_a_network_that_is_not_declared_is_asked_for() -> None:
    document = changed()
    del document["resources"]["vpc"]["main"]["secondary_cidr_blocks"]
    with pytest.raises(DocumentError) as refused:
        load(json.dumps(document).encode(), "shop.json")
    (one,) = refused.value.problems
    assert (one.problem, one.hint) == (
        "100.64.1.0/24 is outside the VPC's CIDR block",
        "choose a network inside 10.0.0.0/16, or declare its network in secondary_cidr_blocks",
    )


def test_a_vpc_has_fifty_networks_at_most() -> None:
    blocks = [f"10.{n}.0.0/16" for n in range(101, 150)]
    vpc = {"cidr_block": "10.0.0.0/16", "secondary_cidr_blocks": [*blocks[:48], "100.64.0.0/16"]}
    document = load(json.dumps(changed(vpc={"main": vpc})).encode(), "shop.json")
    assert document.resources[document.vpc] == Vpc(
        enforcement="correct", cidr_block="10.0.0.0/16", secondary_cidr_blocks=Blocks({*blocks[:48], "100.64.0.0/16"})
    )
    vpc["secondary_cidr_blocks"] = [*blocks, "100.64.0.0/16"]
    assert problems_of(changed(vpc={"main": vpc})) == [
        "resources.vpc.main.secondary_cidr_blocks: 50 secondary CIDR blocks"
    ]


def test_networks_are_a_set_and_are_written_in_their_order() -> None:
    one, other = Blocks.read(["100.64.0.0/16", "10.1.0.0/20"]), Blocks.read(["10.1.0.0/20", "100.64.0.0/16"])
    assert one == other
    assert one.as_written() == other.as_written() == ["10.1.0.0/20", "100.64.0.0/16"]


def test_names_keep_their_order() -> None:
    assert Names.read(["b", "a"]).as_written() == ["b", "a"]
    assert Subnet(formerly=Names(("b", "a"))).formerly == ("b", "a")


def test_subnets_by_id_are_references_like_others() -> None:
    subnets = Subnets.read(["subnet-01234567", "subnet/a"])
    assert {type(one) for one in subnets} == {Address}
    assert subnets.as_written() == ["subnet-01234567", "subnet/a"]


def test_an_id_in_a_tag_or_a_description_is_only_text() -> None:
    tags = changed(
        security_group={"db": {"tags": {"is": "sg-0fedcba9876543210"}, "description": "sg-0fedcba9876543210"}}
    )
    for field, value in (("tags", {"is": "sg-0fedcba9876543210"}), ("description", "sg-0fedcba9876543210")):
        tags["exceptions"][0] |= {"field": field, "value": value}
        load(json.dumps(tags).encode(), "shop.json")


def test_a_tolerated_route_and_subnet_are_written_by_their_addresses_too() -> None:
    document = changed()
    document["adopt"]["subnet/c"] = "subnet-01234567"
    for field, value in (("routes", {"10.8.0.0/16": "igw-0123456789abcdef0"}), ("subnets", "subnet-01234567")):
        document["exceptions"][0] |= {"address": "route_table/in", "field": field, "value": value}
        (said,) = problems_of(document)
        assert said.startswith("exceptions[0].value: ")


def test_everything_wrong_with_the_words_is_said_at_once() -> None:
    text = edited(
        ('"shop-prod"', '"shop"'),
        ('"rtb-0123456789abcdef0"', '"acl-0123456789abcdef0"'),
        ('{ "document": "network" }', '{ "document": "shop" }'),
        ('"10.1.0.0/20"', '"10.0.0.0/20"'),
        ('"rt 1"', '"out"'),
        ('"launch-wizard-3"', '"sg-3"'),
        of=ADOPTED,
    )
    assert [line.partition(" (")[0] for line in said_of(text)] == [
        "4:16: 'shop' is the name of the document",
        "10:23: 'acl-0123456789abcdef0' is not a route table id",
        "17:31: 'shop' is this document",
        "25:96: 10.0.0.0/20 overlaps 10.0.0.0/16, a network of the VPC",
        "31:36: 'route_table/out' is still declared",
        "35:29: 'sg-3' cannot be the name of a security group",
    ]


def test_names_that_would_act_on_a_terminal_are_shown_escaped() -> None:
    document = changed()
    document["adopt"] = {"subnet/\u202e\x1b[31m": "\x9b"}
    document["external"] = {"subnet/\x1b]0;a\x07": {"id": "\u2028"}}
    document["formerly"] = ["\u200b"]
    with pytest.raises(DocumentError) as refused:
        load(json.dumps(document).encode(), "shop.json")
    assert str(refused.value).replace("\n", "").isprintable()
    assert (
        "adopt['subnet/\\u202e\\x1b[31m']: 'subnet/\\u202e\\x1b[31m' is not declared in this document"
        in problems_of(document)
    )


def test_ten_thousand_entries_of_adopt_load() -> None:
    document = changed(security_group={f"g{n}": {} for n in range(10_000)})
    document["adopt"] = {f"security_group/g{n}": f"sg-{n:08x}" for n in range(10_000)}
    adopt = load(json.dumps(document).encode(), "shop.json").adopt
    assert (len(adopt), adopt[Address("security_group/g9999")]) == (10_000, "sg-0000270f")


def test_of_ten_thousand_wrong_entries_the_first_are_said() -> None:
    document = changed()
    document["adopt"] = {f"security_group/g{n}": f"sg-{n:08x}" for n in range(10_000)}
    said = problems_of(document)
    assert len(said) == 501
    assert said[0] == "adopt['security_group/g0']: 'security_group/g0' is not declared in this document"
    assert said[-1] == ": there are more problems"


def test_the_example_of_an_adopted_network_loads() -> None:
    example = Path(desired_state.__file__).parent / "examples" / "adopted.json"
    document = load(example.read_bytes(), "adopted.json")
    assert (document.name, document.formerly, len(document.adopt), len(document.external)) == (
        "shop",
        ("shop-prod",),
        3,
        4,
    )
    assert document.of_kind("db_subnet_group").keys() == {"db_subnet_group/default"}
