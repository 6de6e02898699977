"""Additions to a document: what is live and declared nowhere, live values on demand, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from desired_state.write import write
from reconciler.importing.draft import ImportRefused
from reconciler.importing.new import Imported
from reconciler.importing.report import heading, text
from tests.support.live_vpc import REGION, VPC, LiveVpc, rule, shop, tag_list


def written(imported: Imported) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(imported.data)
    return values


def edited(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    values = json.loads(data)
    change(values)
    return write(values)


def held(imported: Imported) -> list[str]:
    return [f"{note.where}: {note.text}" for note in imported.not_held]


def test_what_was_just_imported_stays_as_it_is_byte_for_byte() -> None:
    live = shop()
    first = live()
    again = live.add_to(first.data)
    assert (again.data, again.changed, again.added) == (first.data, False, ())
    assert "unchanged, revision 1" in heading(again, "shop.json")
    live.apply_tags(first)
    assert live.add_to(first.data).data == first.data


def test_a_file_that_a_person_laid_out_stays_as_it_is() -> None:
    live = shop()
    data = json.dumps(json.loads(live().data), indent=7).encode() + b"\n\n"
    assert live.add_to(data).data == data


def test_a_new_group_is_added_alone_and_raises_the_revision() -> None:
    live = shop()
    first = live()
    live.apply_tags(first)
    live.group("cache", rule("tcp", 6379, "10.0.0.0/16"))
    again = live.add_to(first.data)
    before, after = written(first), written(again)
    assert again.added == ("security_group/cache",)
    assert again.tag_calls == 1
    assert after.pop("revision") == before.pop("revision") + 1 == 2
    assert list(after["resources"]["security_group"]) == ["app", "db", "default", "web", "cache"]
    del after["resources"]["security_group"]["cache"]
    assert after == before
    assert "21 resources, 1 of them new, revision 2" in heading(again, "shop.json")


def test_names_order_intents_exceptions_and_notes_are_kept() -> None:
    live = shop()
    data = edited(
        live().data,
        lambda it: it.update(
            {
                "note": "ask Kim",
                "intents": [{"name": "open", "from": "internet", "to": "security_group/web", "expect": "reachable"}],
                "exceptions": [
                    {
                        "address": "security_group/web",
                        "field": "ingress",
                        "value": {"protocol": "tcp", "ports": 22, "source": "192.0.2.7/32"},
                        "until": "2027-01-31",
                        "reason": "the migration",
                    }
                ],
                "resources": {kind: dict(reversed(some.items())) for kind, some in reversed(it["resources"].items())},
            }
        ),
    )
    live.group("cache")
    before, after = json.loads(data), written(live.add_to(data))
    assert list(after) == list(before)
    assert {name: list(some) for name, some in after["resources"].items()} == {
        name: [*some, *(["cache"] if name == "security_group" else [])] for name, some in before["resources"].items()
    }
    assert [after[name] for name in ("note", "intents", "exceptions")] == [
        before[name] for name in ("note", "intents", "exceptions")
    ]


def test_a_new_thing_never_takes_a_name_that_the_document_has() -> None:
    live = shop()
    first = live()
    live.subnet("10.0.12.0/24", "a", name="app-a")
    live.table(name="public")
    again = live.add_to(first.data, "network_acl/default")
    spare = live.lists["DescribeRouteTables"][-1]["RouteTableId"]
    assert again.added == (f"route_table/public-{spare[-4:]}", "subnet/app-a-a")


def test_new_parts_stand_at_their_place() -> None:
    live = LiveVpc()
    first = live()
    assert "adopt" not in written(first)
    live.table()
    again = written(live.add_to(first.data))
    assert list(again) == ["version", "name", "revision", "scope", "adopt", "resources"]


def test_what_the_document_refers_to_by_its_id_is_not_offered() -> None:
    live = LiveVpc()
    outside = live.group("outside")
    live.group("web", rule("tcp", 443, outside))
    data = edited(live().data, lambda it: it["resources"]["security_group"].pop("outside"))
    data = data.replace(b"security_group/outside", outside.encode())
    again = live.add_to(data)
    assert again.data == data
    assert held(again) == [f"security group {outside}: the document refers to it by its id, so it is not declared"]


def test_what_an_earlier_import_left_out_is_told_again_and_not_added() -> None:
    live = LiveVpc()
    live.group(" led by a space")
    first = live()
    again = live.add_to(first.data)
    assert again.data == first.data
    assert held(again) == held(first)


def test_a_document_of_some_kinds_gets_no_vpc() -> None:
    live = shop()
    first = live(only=frozenset({"security_group"}))
    assert "vpc" not in written(live.add_to(first.data))["resources"]


def test_some_kinds_only() -> None:
    live = shop()
    first = live()
    live.group("cache")
    live.table(name="spare")
    assert live.add_to(first.data, only=frozenset({"route_table"})).added == ("route_table/spare",)


def test_a_document_without_the_id_of_its_vpc_finds_it_by_its_tags() -> None:
    live = shop()
    first = live()
    live.apply_tags(first)
    data = edited(first.data, lambda it: it["scope"].pop("vpc_id"))
    live.group("cache")
    again = live.add_to(data)
    assert again.added == ("security_group/cache",)
    assert written(again)["scope"] == {"account_id": "123456789012", "region": REGION}


def test_a_vpc_that_does_not_exist_is_refused() -> None:
    live = shop()
    first = live()
    live.apply_tags(first)
    data = edited(first.data, lambda it: it["scope"].pop("vpc_id"))
    live.lists["DescribeVpcs"] = []
    with pytest.raises(ImportRefused, match="vpc/shop does not exist: there is nothing to import"):
        live.add_to(data)


def test_drift_of_what_is_declared_is_left_for_apply_or_accept() -> None:
    live = shop()
    first = live()
    live.apply_tags(first)
    live.lists["DescribeSecurityGroups"][1]["IpPermissions"].append(rule("tcp", 22, "0.0.0.0/0"))
    assert live.add_to(first.data).data == first.data


def test_a_subnet_that_would_be_taken_off_a_declared_table_is_not_added() -> None:
    live = shop()
    first = live()
    live.apply_tags(first)
    table = next(one for one in live.lists["DescribeRouteTables"] if {"Key": "Name", "Value": "public"} in one["Tags"])
    subnet = live.subnet("10.0.3.0/24", "a", name="extra", table=table)
    again = live.add_to(first.data)
    assert again.data == first.data
    (told,) = held(again)
    assert told.startswith(f"subnet {subnet} ('extra'): it is left out and stays unmanaged: route_table/public would ")
    assert told.endswith("correct that first, or give --accept route_table/public too")
    both = live.add_to(first.data, "route_table/public", "network_acl/default")
    assert both.added == ("subnet/extra",)
    assert written(both)["resources"]["route_table"]["public"]["subnets"] == [
        "subnet/public-a",
        "subnet/public-c",
        "subnet/extra",
    ]


def test_accepting_takes_live_values_and_leaves_everything_else() -> None:
    live = shop()
    first = live()
    live.apply_tags(first)
    web = next(one for one in live.lists["DescribeSecurityGroups"] if one["GroupName"] == "web")
    web["IpPermissions"] = [rule("tcp", 80, "0.0.0.0/0", description="HTTP"), rule("tcp", 22, "192.0.2.7/32")]
    database = live.lists["DescribeDBInstances"][0]
    database |= {"BackupRetentionPeriod": 14, "MaxAllocatedStorage": 100}
    live.lists["DescribeSubnets"][0]["MapPublicIpOnLaunch"] = True
    again = live.add_to(first.data, "security_group/web", "db_instance/orders")
    before, after = written(first), written(again)
    assert again.accepted == (
        '- security_group/web ingress: tcp 443 from 0.0.0.0/0 "HTTPS"',
        "+ security_group/web ingress: tcp 22 from 192.0.2.7/32",
        '+ security_group/web ingress: tcp 80 from 0.0.0.0/0 "HTTP"',
        "~ db_instance/orders backup_retention_period: 7 -> 14",
    )
    assert after["resources"]["security_group"]["web"]["ingress"] == [
        {"protocol": "tcp", "ports": 22, "source": "192.0.2.7/32"},
        {"protocol": "tcp", "ports": 80, "source": "0.0.0.0/0", "description": "HTTP"},
    ]
    assert after["resources"]["db_instance"]["orders"]["backup_retention_period"] == 14
    assert after["resources"]["subnet"] == before["resources"]["subnet"]
    assert after["revision"] == 2
    assert again.tag_calls == 0


def test_every_form_of_field_can_be_accepted() -> None:
    live = shop()
    first = live()
    live.apply_tags(first)
    tags = {"team": "shop", "cost": "1"}
    data = edited(first.data, lambda it: it["resources"]["subnet"]["public-a"].update(tags=tags))
    acl = live.lists["DescribeNetworkAcls"][0]
    acl["Entries"][0] |= {"RuleNumber": 90, "CidrBlock": "10.0.0.0/8"}
    table = next(one for one in live.lists["DescribeRouteTables"] if {"Key": "Name", "Value": "public"} in one["Tags"])
    table["Routes"][-1] = live.route("0.0.0.0/0", "nat-0123456789abcdef0")
    table["Routes"].append(live.route("10.9.0.0/16", "pcx-0123456789abcdef0"))
    live.vpc["enableDnsHostnames"] = False
    live.vpc["CidrBlockAssociationSet"].append({"CidrBlock": "100.64.0.0/16"})
    live.lists["DescribeSubnets"][0]["Tags"] += tag_list({"cost": "2"})
    accept = ("network_acl/default", "route_table/public", "vpc/shop", "subnet/public-a")
    again = live.add_to(data, *accept)
    after = written(again)["resources"]
    assert list(after["network_acl"]["default"]["ingress"]) == ["90"]
    assert after["route_table"]["public"]["routes"] == {
        "0.0.0.0/0": "nat-0123456789abcdef0",
        "10.9.0.0/16": "pcx-0123456789abcdef0",
    }
    assert after["vpc"]["shop"]["enable_dns_hostnames"] is False
    assert after["vpc"]["shop"]["secondary_cidr_blocks"] == ["100.64.0.0/16"]
    assert after["subnet"]["public-a"]["tags"] == {"cost": "2"}
    assert live.add_to(again.data, *accept).data == again.data


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("security_group/wob", "--accept: 'security_group/wob' is not declared in this document; did you mean"),
        ("vpc/nothing", "--accept: 'vpc/nothing' is not declared in this document"),
    ],
)
def test_only_what_is_declared_can_be_accepted(address: str, words: str) -> None:
    live = shop()
    with pytest.raises(ImportRefused, match=words):
        live.add_to(live().data, address)


def test_what_does_not_exist_cannot_be_accepted() -> None:
    live = shop()
    first = live()
    groups = live.lists["DescribeSecurityGroups"]
    groups[:] = [one for one in groups if one["GroupName"] != "web"]
    with pytest.raises(ImportRefused, match=r"--accept: security_group/web does not exist: let apply create it, or"):
        live.add_to(first.data, "security_group/web")


def test_a_live_value_that_cannot_be_said_is_not_accepted() -> None:
    live = shop()
    first = live()
    web = next(one for one in live.lists["DescribeSecurityGroups"] if one["GroupName"] == "web")
    web["IpPermissions"].append(rule("tcp", 22, "192.0.2.7/32", description="a | b"))
    with pytest.raises(ImportRefused, match="security_group/web ingress: AWS refuses the description 'a \\| b'"):
        live.add_to(first.data, "security_group/web")


def test_accepting_what_has_not_drifted_changes_nothing() -> None:
    live = shop()
    first = live()
    assert live.add_to(first.data, "security_group/web").data == first.data


def test_new_machines_of_a_new_group_are_a_new_workload() -> None:
    live = shop()
    first = live()
    subnet = live.lists["DescribeSubnets"][0]["SubnetId"]
    live.interface(subnet, live.group("cache"), instance="i-1")
    live.interface(subnet, live.lists["DescribeSecurityGroups"][1]["GroupId"], instance="i-2")
    assert written(live.add_to(first.data))["workloads"] == {
        "cache": {"subnets": ["subnet/public-a"], "security_groups": ["security_group/cache"]}
    }


def test_what_another_document_took_is_not_added() -> None:
    live = shop()
    first = live()
    group = live.group("theirs")
    live.tag("DescribeSecurityGroups", group, setpoint__document="other", setpoint__name="theirs")
    assert live.add_to(first.data).data == first.data


def test_what_could_be_a_declared_resource_is_not_added_as_another_one() -> None:
    live = LiveVpc()
    live.table(name="private")
    first = live()
    tables = live.lists["DescribeRouteTables"]
    tables[-1]["Tags"] = tag_list({"Name": "renamed"})
    data = edited(first.data, lambda it: it.pop("adopt", None))
    again = live.add_to(data)
    assert again.data == data


def test_the_report_says_what_is_added_and_accepted() -> None:
    live = shop()
    first = live()
    live.apply_tags(first)
    live.group("cache")
    live.lists["DescribeDBInstances"][0]["BackupRetentionPeriod"] = 14
    told = text(live.add_to(first.data, "db_instance/orders"), "shop.json").splitlines()
    assert told == [
        f'Account 123456789012, {REGION}: {VPC} "shop" -> shop.json, 21 resources, 1 of them new, revision 2, 18 reads',
        "  takes over    1 security group",
        "  adds          security_group/cache",
        "  by            what AWS keeps unique 1",
        "  accepts       ~ db_instance/orders backup_retention_period: 7 -> 14",
        "  asks AWS      1 tag call (setpoint:document, setpoint:name), nothing else: proven",
        "  seen beside   DHCP options dopt-1: not managed; who changes them is not noticed",
    ]
