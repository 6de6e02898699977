"""Bytes in, a document or everything that is wrong with it out: the text, the shape, the exceptions, hostile text."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import desired_state
from desired_state.document import Document, DocumentException
from desired_state.fields import AclEntry, Address, RuleKey
from desired_state.load import DocumentError, Problem, load
from desired_state.reading import UPGRADES
from desired_state.sources import read_file
from tests.support.documents import ADOPTED, DOCUMENT, edited, said_of

EXAMPLES = Path(desired_state.__file__).parent / "examples"
EXAMPLE = (EXAMPLES / "test-server.json").read_bytes()


REFUSED: list[tuple[str, list[tuple[str, str]], list[str]]] = [
    (
        "a key that stands twice",
        [('"revision": 3,', '"revision": 3,\n  "revision": 4,')],
        [
            "5:3: a duplicate key (revision); keep one of the two",
        ],
    ),
    (
        "null",
        [('"description": "The front door",', '"description": null,')],
        [
            (
                "21:24: null is not allowed (resources.security_group.web.description); leave the field "
                "out: what is left out is not managed"
            ),
        ],
    ),
    (
        "NaN",
        [('"revision": 3', '"revision": NaN')],
        [
            "4:15: NaN is not JSON (revision); write a number",
        ],
    ),
    (
        "an integer that Python will not read",
        [('"ports": 5432', '"ports": ' + "9" * 4400 + "")],
        [
            (
                "26:21: ports 999999999999999999 do not exist (resources.security_group.db.ingress[0]); "
                "ports go from 0 to 65535, the lower one first"
            ),
            ("26:51: a number of 4400 digits (resources.security_group.db.ingress[0].ports); write a shorter number"),
        ],
    ),
    (
        "half a character in a value",
        [('"reason": "the migration"', '"reason": "\\ud800"')],
        [
            ("65:17: a lone surrogate (half a character) in a string (exceptions[0].reason); write whole characters"),
        ],
    ),
    (
        "half a character in a key",
        [('"team": "shop"', '"\\udfff": "shop"')],
        [
            (
                "27:19: a lone surrogate (half a character) in a key "
                "(resources.security_group.db.tags['\\udfff']); write whole characters"
            ),
        ],
    ),
    (
        "a comma too many",
        [('"tags": { "team": "shop" }', '"tags": { "team": "shop", }')],
        [
            ("27:33: this is not JSON: a comma before the end of an object; remove the comma"),
        ],
    ),
    (
        "a comma missing",
        [('"version": 1,', '"version": 1')],
        [
            "3:3: this is not JSON: a comma is missing; write a comma between two members",
        ],
    ),
    (
        "single quotes",
        [('"shop",', "'shop',")],
        [
            "3:11: this is not JSON: single quotes are not JSON; write keys and strings in double quotes",
        ],
    ),
    (
        "a newer version",
        [('"version": 1', '"version": 2')],
        [
            ("2:14: the document has version 2, this Setpoint reads version 1 (version); upgrade Setpoint"),
        ],
    ),
    (
        "version zero",
        [('"version": 1', '"version": 0')],
        [
            '2:14: there is no version 0 (version); write "version": 1',
        ],
    ),
    (
        "a version as text",
        [('"version": 1', '"version": "1"')],
        [
            "2:14: expected a whole number, found '1' (version); write 1, not \"1\"",
        ],
    ),
    (
        "a truth as version",
        [('"version": 1', '"version": true')],
        [
            "2:14: expected a whole number, found true (version); write a whole number",
        ],
    ),
    (
        "a version missing",
        [('  "version": 1,\n', "")],
        [
            '1:1: "version" is missing (version); add "version"',
        ],
    ),
    (
        "a name in upper case",
        [('"name": "shop",', '"name": "Shop",')],
        [
            ("3:11: 'Shop' is not a valid document name (name); use 1 to 63 of a-z, 0-9 and -, not starting with -"),
        ],
    ),
    (
        "revision zero",
        [('"revision": 3', '"revision": 0')],
        [
            "4:15: 0 is too small (revision); write 1 or more",
        ],
    ),
    (
        "an unknown part",
        [('"workloads":', '"workload":')],
        [
            "58:3: unknown field 'workload' (workload); did you mean 'workloads'?",
        ],
    ),
    (
        "a misspelt kind",
        [('"security_group": {', '"security_groups": {')],
        [
            (
                "19:5: unknown kind of resource 'security_groups' (resources.security_groups); did you "
                "mean 'security_group'?"
            ),
        ],
    ),
    (
        "a short account",
        [('"123456789012"', '"1234"')],
        [
            (
                "5:28: '1234' is not a valid account id (scope.account_id); write the 12 digits as a "
                'string: "123456789012"'
            ),
        ],
    ),
    (
        "an account as a number",
        [('"123456789012"', "123456789012")],
        [
            ('5:28: expected a string, found 123456789012 (scope.account_id); write "123456789012", not 123456789012'),
        ],
    ),
    (
        "a region of nowhere",
        [('"region": "ap-northeast-2"', '"region": "Seoul"')],
        [
            ("5:54: 'Seoul' is not a valid region (scope.region); write the region's name, such as \"ap-northeast-2\""),
        ],
    ),
    (
        "a missing region",
        [(', "region": "ap-northeast-2"', "")],
        [
            '5:12: "region" is missing (scope.region); add "region"',
        ],
    ),
    (
        "an unknown enforcement",
        [('"name": "shop",', '"name": "shop", "enforcement": "enforce",')],
        [
            '3:34: \'enforce\' is not allowed here (enforcement); write "correct", "report" or "ignore"',
        ],
    ),
    (
        "a section that is a list",
        [('"internet_gateway": { "door": {} }', '"internet_gateway": []')],
        [
            (
                '10:25: expected an object of the form { "<name>": { ... } }, found a list '
                '(resources.internet_gateway); write an object of the form { "<name>": { ... } }'
            ),
            (
                "16:41: 'internet_gateway/door' is not declared in this document "
                "(resources.route_table.out.routes['0.0.0.0/0']); declare it under \"internet_gateway\""
            ),
        ],
    ),
    (
        "a resource that is a text",
        [('"door": {}', '"door": "open"')],
        [
            ("10:35: expected an object, found 'open' (resources.internet_gateway.door); write an object"),
        ],
    ),
    (
        "a misspelt field",
        [('"engine_version"', '"engineversion"')],
        [
            (
                "41:9: unknown field 'engineversion' (resources.db_instance.orders.engineversion); did "
                "you mean 'engine_version'?"
            ),
        ],
    ),
    (
        "a required field left out",
        [(', "availability_zone": "ap-northeast-2a"', "")],
        [
            ('12:12: "availability_zone" is missing (resources.subnet.a.availability_zone); add "availability_zone"'),
        ],
    ),
    (
        "a number as text",
        [('"allocated_storage": 20', '"allocated_storage": "20"')],
        [
            (
                "43:30: expected a whole number, found '20' "
                '(resources.db_instance.orders.allocated_storage); write 20, not "20"'
            ),
        ],
    ),
    (
        "a truth as text",
        [('"publicly_accessible": false', '"publicly_accessible": "False"')],
        [
            (
                "46:32: expected true or false, found 'False' "
                '(resources.db_instance.orders.publicly_accessible); write false, not "False"'
            ),
        ],
    ),
    (
        "a text as number",
        [('"engine_version": "16"', '"engine_version": 16')],
        [
            ('41:27: expected a string, found 16 (resources.db_instance.orders.engine_version); write "16", not 16'),
        ],
    ),
    (
        "an engine that is not kept",
        [('"engine": "postgres"', '"engine": "mysql"')],
        [
            ("40:19: 'mysql' is not allowed here (resources.db_instance.orders.engine); write \"postgres\""),
        ],
    ),
    (
        "storage below the least",
        [('"allocated_storage": 20', '"allocated_storage": 4')],
        [
            ("43:30: 4 is too small (resources.db_instance.orders.allocated_storage); write 5 or more"),
        ],
    ),
    (
        "storage above the most",
        [('"allocated_storage": 20', '"allocated_storage": 70000')],
        [
            ("43:30: 70000 is too large (resources.db_instance.orders.allocated_storage); write 65536 or less"),
        ],
    ),
    (
        "a rule with a source and a destination",
        [('"source": "security_group/web"', '"source": "security_group/web", "destination": "0.0.0.0/0"')],
        [
            (
                "26:89: unknown field 'destination' "
                "(resources.security_group.db.ingress[0].destination); did you mean 'description'?"
            ),
        ],
    ),
    (
        "a rule without its source",
        [(', "source": "security_group/web"', "")],
        [
            '26:21: "source" is missing (resources.security_group.db.ingress[0].source); add "source"',
        ],
    ),
    (
        "a rule that is a text",
        [('[{ "protocol": "all", "destination": "0.0.0.0/0" }]', '["all"]')],
        [
            ("23:20: expected an object, found 'all' (resources.security_group.web.egress[0]); write an object"),
        ],
    ),
    (
        "a protocol that is a truth",
        [('"protocol": "all", "destination": "0.0.0.0/0" }]', '"protocol": true, "destination": "0.0.0.0/0" }]')],
        [
            (
                "23:34: expected a string or a whole number, found true "
                "(resources.security_group.web.egress[0].protocol); write a string or a whole number"
            ),
        ],
    ),
    (
        "an intent of another expectation",
        [('"expect": "blocked"', '"expect": "closed"')],
        [
            '56:85: \'closed\' is not allowed here (intents[1].expect); write "reachable", "blocked" or "only"',
        ],
    ),
    (
        "an intent without its end",
        [('"to": "db_instance/orders", ', "")],
        [
            '56:5: "to" is missing (intents[1].to); add "to"',
        ],
    ),
    (
        "an intent with a field too many",
        [('"name": "shut",', '"name": "shut", "fron": "internet",')],
        [
            "56:23: unknown field 'fron' (intents[1].fron); did you mean 'from'?",
        ],
    ),
    (
        "an intent without a name",
        [('"name": "shut"', '"name": ""')],
        [
            "56:15: the text is empty (intents[1].name); write at least one character",
        ],
    ),
    (
        "workloads in a list",
        [
            (
                ('"workloads": { "api": { "subnets": ["subnet/a"], "security_groups": ["security_group/web"] } }'),
                '"workloads": []',
            )
        ],
        [
            "58:16: expected an object, found a list (workloads); write an object",
        ],
    ),
    (
        "an exception for what nobody declared",
        [('"address": "security_group/web"', '"address": "security_group/wbe"')],
        [
            (
                "61:18: 'security_group/wbe' is not declared in this document (exceptions[0].address); "
                "did you mean 'security_group/web'?"
            ),
        ],
    ),
    (
        "an exception for a field that is not there",
        [('"field": "ingress"', '"field": "ingres"')],
        [
            ("62:16: a security_group has no field 'ingres' (exceptions[0].field); did you mean 'ingress'?"),
        ],
    ),
    (
        "an exception to the enforcement",
        [('"field": "ingress"', '"field": "enforcement"')],
        [
            (
                "62:16: a security_group has no field 'enforcement' (exceptions[0].field); write one of "
                "description, egress, ingress, tags"
            ),
        ],
    ),
    (
        "an exception with a bad value",
        [('"192.0.2.7/32"', '"192.0.2.7/24"')],
        [
            ("63:60: '192.0.2.7/24' is not in canonical form (exceptions[0].value.source); write \"192.0.2.0/24\""),
        ],
    ),
    (
        "an exception with a value of another shape",
        [('"value": { "protocol": "tcp", "ports": 22, "source": "192.0.2.7/32" }', '"value": 22')],
        [
            "63:16: expected an object, found 22 (exceptions[0].value); write an object",
        ],
    ),
    (
        "an exception until no date",
        [('"2027-01-31"', '"soon"')],
        [
            (
                "64:16: 'soon' is not a date (exceptions[0].until); write \"2027-01-31\" (until that day "
                'starts in UTC) or "2027-01-31T18:00:00Z"'
            ),
        ],
    ),
    (
        "an exception until a day that is none",
        [('"2027-01-31"', '"2027-02-30"')],
        [
            (
                "64:16: '2027-02-30' is not a date (exceptions[0].until); write \"2027-01-31\" (until that day "
                'starts in UTC) or "2027-01-31T18:00:00Z"'
            ),
        ],
    ),
    (
        "an exception until no hour of any place",
        [('"2027-01-31"', '"2027-01-31T18:00:00"')],
        [
            (
                "64:16: '2027-01-31T18:00:00' has no time zone (exceptions[0].until); write "
                '"2027-01-31T18:00:00Z" for UTC, or add an offset: +09:00'
            ),
        ],
    ),
    (
        "an exception without a reason",
        [('"reason": "the migration"', '"reason": ""')],
        [
            "65:17: the text is empty (exceptions[0].reason); write at least one character",
        ],
    ),
    (
        "a terminal's escape codes in a name",
        [('"db": {\n', '"\\u001b[31mdb": {\n')],
        [
            (
                "25:7: '\\x1b[31mdb' cannot be a name (resources.security_group['\\x1b[31mdb']); use 1 to 255 "
                "of the characters that AWS allows in group names, no space at either end"
            ),
            (
                "48:33: 'security_group/db' is not declared in this document "
                "(resources.db_instance.orders.vpc_security_groups[0]); did you mean "
                "'security_group/web'?"
            ),
        ],
    ),
    (
        "a mark that turns the writing",
        [('"engine": "postgres"', '"engine": "\\u202epostgres"')],
        [
            ("40:19: '\\u202epostgres' is not allowed here (resources.db_instance.orders.engine); write \"postgres\""),
        ],
    ),
    (
        "a letter that only looks like one of ours",
        [('"a": { "cidr', '"\\u0430": { "cidr')],
        [
            (
                "12:7: '\u0430' cannot be a name (it contains U+0430) (resources.subnet['\u0430']); use 1 to "
                "255 of the characters that AWS allows in group names, no space at either end"
            ),
            (
                "16:80: 'subnet/a' is not declared in this document "
                "(resources.route_table.out.subnets[0]); did you mean 'subnet/\\u0430'?"
            ),
            (
                "32:21: 'subnet/a' is not declared in this document "
                "(resources.network_acl.front.subnets[0]); did you mean 'subnet/\\u0430'?"
            ),
            (
                "37:76: 'subnet/a' is not declared in this document "
                "(resources.db_subnet_group.data.subnets[0]); did you mean 'subnet/\\u0430'?"
            ),
            (
                "58:39: 'subnet/a' is not declared in this document (workloads.api.subnets[0]); did you "
                "mean 'subnet/\\u0430'?"
            ),
        ],
    ),
    (
        "a text of a thousand letters",
        [('"engine": "postgres"', '"engine": "' + "x" * 1000 + '"')],
        [
            (
                "40:19: "
                "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'... is not allowed here "
                '(resources.db_instance.orders.engine); write "postgres"'
            ),
        ],
    ),
    (
        "a line break in a value",
        [('"region": "ap-northeast-2"', '"region": "a\\nERROR b"')],
        [
            (
                "5:54: 'a\\nERROR b' is not a valid region (scope.region); write the region's name, such "
                'as "ap-northeast-2"'
            ),
        ],
    ),
]


@pytest.mark.parametrize(("edits", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_document_is_refused_with_place_and_hint(edits: list[tuple[str, str]], said: list[str]) -> None:
    assert said_of(edited(*edits)) == said


def test_the_examples_load() -> None:
    document = load(EXAMPLE, "test-server.json")
    assert (document.name, document.revision, document.vpc) == ("test-server", 1, "vpc/MyVPC")
    assert list(document.resources)[:3] == ["vpc/MyVPC", "internet_gateway/MyInternetGateway", "subnet/PublicSubnet1"]
    assert len(document.resources) == 14
    assert len(document.intents) == 8
    assert list(document.workloads) == ["api", "server"]
    assert document.origin == "test-server.json"
    assert load((EXAMPLES / "minimal.json").read_bytes(), "minimal.json").resources.keys() == {
        "vpc/Main",
        "security_group/Web",
    }


def test_a_document_is_pinned_by_the_digest_of_its_bytes() -> None:
    data = (
        b'{"version":1,"name":"a","revision":1,"scope":{"account_id":"123456789012","region":"eu-west-1",'
        b'"vpc_id":"vpc-0123456789abcdef0"},"resources":{}}'
    )
    assert load(data, "x").sha256 == ("954c395752e45c09d93588bca6dfa3e5038366142b5a3ceaf58bc004424a6256")


def test_enforcement_is_filled_in_from_the_default_and_a_resource_may_say_otherwise() -> None:
    gateway = '"door": { "enforcement": "ignore" }'
    text = edited(('"revision": 3,', '"revision": 3, "enforcement": "report",'), ('"door": {}', gateway))
    document = load(text.encode(), "shop.json")
    assert document.enforcement == "report"
    assert document.resources[Address("internet_gateway/door")].enforcement == "ignore"
    assert document.resources[Address("vpc/main")].enforcement == "report"
    assert load(DOCUMENT.encode(), "shop.json").resources[Address("vpc/main")].enforcement == "correct"


def test_a_gateway_without_a_vpc_belongs_to_that_of_the_document() -> None:
    gateway = load(DOCUMENT.encode(), "shop.json").resources[Address("internet_gateway/door")]
    assert gateway.model_dump(exclude_defaults=True) == {"enforcement": "correct", "vpc": "vpc/main"}


def test_documents_that_differ_in_the_order_of_members_are_equal() -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(member) for key, member in reversed(value.items())}
        return [turned(member) for member in reversed(value)] if isinstance(value, list) else value

    document = json.loads(DOCUMENT)
    other = document | {"resources": turned(document["resources"])}
    one, two = (load(json.dumps(it).encode(), "shop.json") for it in (document, other))
    assert one.resources == two.resources
    assert one.sha256 != two.sha256


def test_problems_of_all_parts_are_said_at_once_in_the_order_of_their_places() -> None:
    text = edited(
        ('"name": "shop"', '"name": "Shop"'),
        ('"10.0.1.0/24"', '"10.0.1.1/24"'),
        ('"ports": 5432', '"ports": null'),
        ('"engine": "postgres"', '"engine": "mysql"'),
        ('"to": "db_instance/orders"', '"to": "nobody"'),
        ('"2027-01-31"', '"tomorrow"'),
    )
    assert [line.partition(" (")[0] for line in said_of(text)] == [
        "3:11: 'Shop' is not a valid document name",
        "12:28: '10.0.1.1/24' is not in canonical form",
        "26:51: null is not allowed",
        "40:19: 'mysql' is not allowed here",
        "56:53: 'nobody' is not a workload, an address in this document or a CIDR",
        "64:16: 'tomorrow' is not a date",
    ]


def test_a_problem_has_its_parts_for_programs() -> None:
    with pytest.raises(DocumentError) as refused:
        load(edited(('"revision": 3', '"revision": 0')).encode(), "s3://bucket/shop.json")
    assert refused.value.problems == (
        Problem("s3://bucket/shop.json", 4, 15, "revision", "0 is too small", "write 1 or more"),
    )
    assert str(refused.value) == "s3://bucket/shop.json:4:15: 0 is too small (revision); write 1 or more"


def test_columns_count_characters_and_lines_may_end_as_on_windows() -> None:
    text = edited(('"reason": "the migration"', '"reason": "\uc6f9 \U0001f512", "x": 1')).replace("\n", "\r\n")
    assert said_of(text) == [
        "65:24: unknown field 'x' (exceptions[0].x); write one of address, field, reason, until, value"
    ]


@pytest.mark.parametrize(
    ("collection", "written", "held"),
    [
        ("ingress", {"protocol": "tcp", "ports": 22, "source": "::/0"}, RuleKey("tcp", 22, 22, "::/0")),
        ("description", "An older word", "An older word"),
        ("tags", {"team": "ops"}, ("team", "ops")),
    ],
)
def test_an_exception_for_a_group_holds_one_canonical_value(collection: str, written: Any, held: Any) -> None:
    assert tolerance("security_group/web", collection, written).value == held


def test_an_exception_for_an_entry_a_route_a_reference_and_a_truth() -> None:
    entry = {"110": {"action": "allow", "protocol": "all", "source": "10.9.0.0/16"}}
    held = (110, AclEntry("allow", "all", -1, -1, "10.9.0.0/16"))
    assert tolerance("network_acl/front", "ingress", entry).value == held
    route = {"10.9.0.0/16": "pcx-0123456789abcdef0"}
    assert tolerance("route_table/out", "routes", route).value == ("10.9.0.0/16", "pcx-0123456789abcdef0")
    assert tolerance("route_table/out", "subnets", "subnet/c").value == Address("subnet/c")
    assert tolerance("db_instance/orders", "publicly_accessible", True).value is True


def test_an_exception_holds_no_two_members() -> None:
    routes = {"10.9.0.0/16": "pcx-0123456789abcdef0", "10.8.0.0/16": "pcx-0123456789abcdef0"}
    with pytest.raises(DocumentError, match=r"expected one member, found 2 \(exceptions\[0\]\.value\)"):
        tolerance("route_table/out", "routes", routes)


@pytest.mark.parametrize(
    ("until", "moment"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T18:00Z", datetime(2027, 1, 31, 18, tzinfo=UTC)),
        ("2027-01-31T18:00:30+09:00", datetime(2027, 1, 31, 18, 0, 30, tzinfo=timezone(timedelta(hours=9)))),
        ("2001-01-01", datetime(2001, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_date_is_its_first_moment_in_utc_and_one_that_is_over_still_loads(until: str, moment: datetime) -> None:
    assert tolerance("security_group/web", "description", "x", until).until == moment


def tolerance(address: str, field: str, value: Any, until: str = "2027-01-31") -> DocumentException:
    document = json.loads(DOCUMENT)
    written = {"address": address, "field": field, "value": value, "until": until, "reason": "why not"}
    document["exceptions"] = [written]
    (loaded,) = load(json.dumps(document).encode(), "shop.json").exceptions
    return loaded


def test_the_same_exception_twice_is_refused() -> None:
    document = json.loads(DOCUMENT)
    document["exceptions"].append(document["exceptions"][0] | {"until": "2028-01-31"})
    with pytest.raises(DocumentError, match=r"a duplicate exception \(exceptions\[1\]\)"):
        load(json.dumps(document).encode(), "shop.json")


WHOLE = json.dumps(json.loads(DOCUMENT))
POISON = [
    b"",
    b" ",
    b"\x00",
    b"\xef\xbb\xbf" + EXAMPLE,
    EXAMPLE.decode().encode("utf-16"),
    b"\xff" + EXAMPLE,
    EXAMPLE + EXAMPLE,
    EXAMPLE + b"x",
    b" " * 10_000_000,
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b"[" * 21 + b"]" * 21,
    b'{"version": ' + b"9" * 10_000 + b"}",
    b'{"version": ' + b"9" * 10_000 + b"," + b"[" * 10_000 + b"}",
    b"-" * 100_000,
    b'"' * 99_999,
    b'"' + b'\\"' * 400_000,
    b'{"\\ud800": "\\udfff"}',
    b"1e999999",
    b"-Infinity",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b'{"version": 1}',
    b'{"version": 1e0}',
    b'{"version": -1}',
    b'{"version": [1]}',
    b'{"": {"": {"": ""}}}',
    b'{"resources": {"vpc": [], "subnet": 1, "route_table": "x", "security_group": null, "db_instance": true}}',
    b'{"resources": {"vpc": {"": null}}, "scope": {"vpc_id": "vpc-0"}}',
    b'{"resources": [[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]}',
    b'{"a": 1, "a": {"a": 1, "a": 2}, "a": 3}',
    b'{"' + b"k" * 900_000 + b'": 1}',
    b"[" + b"1," * 50_000 + b"1]",
    *(
        WHOLE.replace("10.0.1.0/24", cidr).encode()
        for cidr in (
            "10.0.1.0",
            "10.0.1.0/",
            "10.0.1.0/024",
            "10.0.1.0/+24",
            "10.0.1/24",
            "010.0.1.0/24",
            "0x0a.0.1.0/24",
            "167772416/24",
            "10.0.1.0/255.255.255.0",
            "10.0.1.0/0.0.0.255",
            " 10.0.1.0/24",
            "10.0.1.0/24\\n",
            "\u0661\u0660.0.1.0/24",
            "10.0.1.0\uff0f24",
            "::ffff:10.0.1.0/120",
            "fe80::1%1/64",
            "10.0.1.0/-1",
            "/24",
            "",
        )
    ),
    *(
        WHOLE.replace('"shop"', f'"{name}"').encode()
        for name in (
            "",
            "-",
            "sh\u043ep",
            "shop\u200b",
            "shop ",
            "../shop",
            "shop/1",
            "s" * 64,
            "\u202eshop",
            "shop\\u0000",
        )
    ),
    *(
        WHOLE.replace('"ports": 5432', f'"ports": {ports}').encode()
        for ports in (
            "-1",
            "1.5",
            "true",
            '""',
            '"-"',
            '"1-"',
            '"-1"',
            '"1-2-3"',
            '"1 - 2"',
            '"' + "1" * 5000 + '-2"',
            "[]",
            "{}",
            "1" * 4000,
            "1" * 5000,
            '"\u0661-\u0662"',
        )
    ),
]


@pytest.mark.parametrize("number", range(len(POISON)))
def test_a_poisoned_document_is_refused_in_plain_lines(number: int) -> None:
    refused_plainly(POISON[number])


def refused_plainly(data: bytes) -> None:
    with pytest.raises(DocumentError) as refused:
        load(data, "poison.json")
    sanitize(refused.value)


def sanitize(error: DocumentError) -> None:
    assert error.problems
    places = [(problem.line, problem.column) for problem in error.problems]
    assert places == sorted(places)
    for problem in error.problems:
        assert str(problem).isprintable()
        assert len(str(problem)) < 2_000
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.hint


def test_an_example_cut_short_anywhere_is_refused() -> None:
    for end in range(0, len(EXAMPLE.rstrip()), 97):
        refused_plainly(EXAMPLE[:end])


def test_two_of_every_key_are_refused_at_the_second() -> None:
    said = said_of('{"a": {"b": 1, "b": 2},\n "a": 1}')
    assert [line for line in said if "duplicate key" in line] == [
        "1:16: a duplicate key (a.b); keep one of the two",
        "2:2: a duplicate key (a); keep one of the two",
    ]


def test_a_document_that_is_too_deep_is_refused_for_that_alone_and_at_that_place() -> None:
    assert said_of("[" * 100_000) == [
        "1:21: more than 20 levels of lists and objects; a document of this format needs fewer than ten"
    ]
    assert said_of('{\n"version": 1, "exceptions": ' + "[" * 20 + "]" * 20 + "}") == [
        "2:48: more than 20 levels of lists and objects; a document of this format needs fewer than ten"
    ]


def test_bytes_that_are_no_text_are_refused_at_their_place() -> None:
    assert said_of(b"\xef\xbb\xbf{}") == ["1:1: the file starts with a byte order mark; save it as UTF-8 without BOM"]
    assert said_of(b'{\n"a": "\xff"}') == ["2:7: byte 0xff is not UTF-8; save the file as UTF-8"]
    for other in ("utf-16", "utf-16-le", "utf-16-be"):
        assert said_of("{}".encode(other)) == ["1:1: the file is UTF-16 or not a text; save it as UTF-8 without BOM"]
    assert said_of(b" " * 1_000_001) == [
        "1:1: the document is larger than 1,000,000 bytes; split it: one document for each VPC"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", '1:1: the document is empty; write { "version": 1, ... }'),
        (" \n", '1:1: the document is empty; write { "version": 1, ... }'),
        ("null", '1:1: expected an object; write { "version": 1, ... }'),
        ("[]", '1:1: expected an object, found a list; write { "version": 1, ... }'),
        ('{"a": [1\n', "2:1: this is not JSON: the text ends too early; close the open lists and objects; part of "),
        ("// shop\n{}", '1:1: this is not JSON: JSON has no comments; write them under "note"'),
        ("version: 1", "1:1: this is not JSON: a value is expected here; write a string, a number, true, false, a "),
        ('{"a" 1}', "1:6: this is not JSON: a colon is missing; write a colon between a key and its value"),
        ('{"a": 1} b', "1:10: this is not JSON: something follows the document; remove what follows the document"),
        (r'{"a": "\d"}', r"1:8: this is not JSON: a backslash that escapes nothing; write \\ for a backslash"),
        ('{"a": "b', "1:7: this is not JSON: a string without an end; close the string with a double quote"),
    ],
)
def test_a_text_that_is_no_json_object_is_refused_once_in_plain_words(text: str, said: str) -> None:
    (only,) = said_of(text)
    assert only.startswith(said)


def test_where_the_resources_are_misspelled_no_reference_is_called_undeclared() -> None:
    said = said_of(edited(('"resources"', '"resource"')))
    assert [one.partition("; ")[0].partition(": ")[2] for one in said] == [
        '"resources" is missing (resources)',
        "unknown field 'resource' (resource)",
    ]


def test_what_an_unknown_kind_may_be_is_only_a_guess() -> None:
    (said,) = said_of(edited(('"resources": {', '"resources": {\n    "nat_gateway": { "a": {}, "b": {} },')))
    assert "unknown kind of resource 'nat_gateway'" in said  # and no second internet gateway, which it resembles


def test_pairs_of_escaped_halves_are_whole_characters() -> None:
    text = edited(('"reason": "the migration"', r'"reason": "\ud83d\udd12 and null"'))
    (exception,) = load(text.encode(), "shop.json").exceptions
    assert exception.reason == "\U0001f512 and null"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FAMILIAR = st.sampled_from(
    ["::/0", "10.0.0.0/8", "subnet/a", "security_group/web", "rtb-01234567", "new", "1-2", "443", 443, True, {}, []]
)
EDITS = st.tuples(
    st.integers(0, 10_000), st.sampled_from(["replace", "rename", "remove"]), st.text(max_size=4), JSON | FAMILIAR
)


def either(data: bytes) -> Document | None:
    """What comes of any bytes: a document, or an error in plain lines."""
    try:
        return load(data, "any.json")
    except DocumentError as error:
        sanitize(error)
        return None


@settings(max_examples=40)
@given(JSON)
@example({"version": 1, "resources": {"vpc": {"\x1b[31m": {"\u202e": "\x00"}}}})
def test_any_json_loads_or_is_refused(value: Any) -> None:
    either(json.dumps(value).encode())


@pytest.mark.long
@given(JSON)
def test_any_json_loads_or_is_refused_at_length(value: Any) -> None:
    either(json.dumps(value).encode())


@settings(max_examples=40)
@given(st.lists(EDITS, min_size=1, max_size=3))
def test_an_almost_valid_document_loads_or_is_refused(edits: list[tuple[int, str, str, Any]]) -> None:
    for text in (DOCUMENT, ADOPTED):
        either(json.dumps(almost_valid(text, edits)).encode())


@pytest.mark.long
@given(st.lists(EDITS, min_size=1, max_size=3))
def test_an_almost_valid_document_loads_or_is_refused_at_length(edits: list[tuple[int, str, str, Any]]) -> None:
    for text in (DOCUMENT, ADOPTED):
        either(json.dumps(almost_valid(text, edits)).encode())


def almost_valid(text: str, edits: list[tuple[int, str, str, Any]]) -> Any:
    """The document with a value replaced by any other, a key renamed, or a member taken away."""
    document = json.loads(text)
    for number, edit, name, other in edits:
        places = members(document)
        inside, key = places[number % len(places)]
        value = inside.pop(key)
        if edit == "replace":
            value = other
        if edit != "remove" and isinstance(inside, list):
            inside.insert(key, value)
        elif edit != "remove":
            inside[name if edit == "rename" else key] = value
    return document


def members(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) below a value."""
    if not isinstance(value, (dict, list)):
        return []
    pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
    return [(value, key) for key, _ in pairs] + [pair for _, inner in pairs for pair in members(inner)]


def test_a_file_is_read_up_to_one_byte_more_than_a_document_may_have(tmp_path: Path) -> None:
    file = tmp_path / "long.json"
    file.write_bytes(b" " * 3_000_000)
    assert len(read_file(file)) == 1_000_001
    assert read_file(EXAMPLES / "test-server.json") == EXAMPLE


def test_what_is_no_file_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as refused:
        read_file(tmp_path / "absent.json")
    assert str(refused.value) == f"{tmp_path}/absent.json: there is no such file; check the path"
    with pytest.raises(DocumentError) as refused:
        read_file(tmp_path)
    assert str(refused.value) == f"{tmp_path}: this is a directory; name one document in it"
    with pytest.raises(DocumentError, match=r"the file cannot be read: embedded null byte; check the path"):
        read_file("a\0b")


def test_an_older_format_goes_through_its_upgrade(monkeypatch: pytest.MonkeyPatch) -> None:
    def named(document: dict[str, Any]) -> dict[str, Any]:
        return {"name" if key == "title" else key: value for key, value in document.items()} | {"version": 1}

    monkeypatch.setitem(UPGRADES, 0, named)
    text = edited(('"version": 1', '"version": 0'), ('"name": "shop"', '"title": "shop"'))
    assert load(text.encode(), "shop.json").name == "shop"


def test_of_very_many_problems_the_first_are_said_and_that_there_are_more() -> None:
    tags = ", ".join(f'"{n}": null' for n in range(2_000))
    said = said_of(edited(('"team": "shop"', tags)))
    assert len(said) == 501
    assert said[0].startswith("27:24: null is not allowed (resources.security_group.db.tags['0'])")
    assert said[-1] == "27:6403: there are more problems; fix these first"


def bombs() -> list[dict[str, Any]]:
    """Documents of close to a megabyte with as many problems as fit."""
    groups = {f"group {n}": {"ingress": [{"protocol": "all", "source": f"security_group/{n}"}]} for n in range(9_500)}
    misspelt = [{"protocol": "all", "source": f"10.0.0.{n}/8"} for n in range(18_000)]
    tolerance = {"address": "vpc/none", "field": "x", "value": 1, "until": "x", "reason": "x"}
    return [
        {"resources": {"security_group": groups}},
        {"resources": {"security_group": {"a": {"ingress": misspelt}}}},
        {"resources": {"security_group": {"a": {"ingress": [None] * 150_000}}}},
        {"resources": {"route_table": {"a": {"subnets": [f"subnet/{n}" for n in range(50_000)]}}}},
        {"resources": {"vpc": {str(n): {"x": 1} for n in range(50_000)}}},
        {"resources": {"vpc": {"a": {f"x{n}": 1 for n in range(65_000)}}}},
        {"resources": {f"vp{n}": {} for n in range(60_000)}},
        {f"scop{n}": 1 for n in range(60_000)},
        {"resources": {}, "exceptions": [tolerance] * 10_000},
        {"resources": {}, "exceptions": [1] * 300_000},
        {"resources": {}, "adopt": {f"security_group/group {n}": f"rtb-{n:08x}" for n in range(18_000)}},
        {"resources": {"subnet": {f"s{n}": {} for n in range(3)}}, "adopt": {f"s{n}": [n] for n in range(50_000)}},
        {"resources": {}, "external": {f"subnet/s{n}": {"id": "subnet-01234567"} for n in range(18_000)}},
        {"resources": {}, "external": {f"vpc/{n}": {"id": n, "document": n} for n in range(18_000)}},
        {"resources": {"route_table": {"a": {"formerly": [f"/{n}/\n" for n in range(60_000)]}}}},
        {"resources": {"route_table": {f"t{n}": {"formerly": ["a", f"t{n + 1}"]} for n in range(18_000)}}},
        {"resources": {"vpc": {"a": {"secondary_cidr_blocks": [f"10.0.{n}.0/24" for n in range(50_000)]}}}},
        {"resources": {}, "formerly": [f"name-{n}" for n in range(60_000)]},
        {"resources": {}, "note": "x" * 900_000},
    ]


@pytest.mark.long
@pytest.mark.parametrize("number", range(19))
def test_a_megabyte_of_problems_is_refused_in_plain_lines(number: int) -> None:
    data = json.dumps(
        {"version": 1, "name": "a", "revision": 1, "scope": {"account_id": "123456789012", "region": "eu-west-1"}}
        | bombs()[number]
    ).encode()
    assert 700_000 < len(data) <= 1_000_000
    refused_plainly(data)
