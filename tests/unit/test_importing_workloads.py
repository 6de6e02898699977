"""Workloads that a new document proposes from network interfaces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.engine.intent_faults import Verdicts
from reconciler.importing import intents
from reconciler.importing.told import Sort
from tests.support.live_vpc import LiveVpc, rule, shop

if TYPE_CHECKING:
    import pytest

    from desired_state.intents import Intent
    from reconciler.reach.judge.context import JudgeContext
    from reconciler.reach.judge.intents import Verdict

PRIVATE: tuple[tuple[str, str, dict[str, Any]], ...] = (("10.0.10.0/24", "app", {}), ("10.0.11.0/24", "app", {}))
"""Subnets of the shop, and the groups of machines in them."""


def test_one_workload_for_each_set_of_groups_with_the_subnets_of_its_machines() -> None:
    live = LiveVpc()
    first, second = live.subnet("10.0.0.0/24", "a", name="one"), live.subnet("10.0.1.0/24", "c", name="two")
    web, app = live.group("web"), live.group("app")
    live.interface(first, web, instance="i-1")
    live.interface(second, web, instance="i-2")
    live.interface(second, app, web, instance="i-3")
    assert live().document.workloads.keys() == {"web", "app-web"}
    workload = live().document.workloads["web"]
    assert set(workload.subnets) == {"subnet/one", "subnet/two"}
    assert set(workload.security_groups) == {"security_group/web"}


def test_balancers_and_functions_give_their_names() -> None:
    live = LiveVpc()
    subnet = live.subnet("10.0.0.0/24", name="one")
    live.interface(subnet, live.group("lb"), description="ELB app/front/50dc6c495c0c9188")
    live.interface(subnet, live.group("clb"), description="ELB old-front")
    function = "AWS Lambda VPC ENI-resize_images-9f1a2b3c-0000-4444-8888-0123456789ab"
    live.interface(subnet, live.group("fn"), description=function, InterfaceType="lambda")
    live.interface(subnet, live.group("tasks"), description="arn:aws:ecs:eu-central-1:123456789012:attachment/1")
    assert live().document.workloads.keys() == {"front", "old-front", "resize_images", "tasks"}


def test_databases_nat_gateways_endpoints_and_what_nothing_uses_are_no_workloads() -> None:
    live = LiveVpc()
    subnet, group = live.subnet("10.0.0.0/24"), live.group("web")
    live.interface(subnet, group, description="RDSNetworkInterface", RequesterId="amazon-rds")
    live.interface(subnet, group, description="Interface for NAT Gateway nat-1", InterfaceType="nat_gateway")
    live.interface(subnet, group, description="VPC Endpoint Interface vpce-1", InterfaceType="vpc_endpoint")
    live.interface(subnet, group, instance="i-1", Status="available")
    live.interface(subnet, instance="i-1")
    assert live().document.workloads == {}
    assert live().beside[0] == "5 interfaces"


def test_sets_of_groups_that_would_have_one_name_get_the_ends_of_their_ids() -> None:
    live = LiveVpc()
    subnet = live.subnet("10.0.0.0/24")
    for group in (live.group("a"), live.group("b")):
        live.interface(subnet, group, description="ELB app/front/50dc6c495c0c9188")
    assert all(name.startswith("front-0") for name in live().document.workloads)
    assert len(live().document.workloads) == 2


def test_names_that_a_workload_cannot_have_are_changed() -> None:
    live = LiveVpc()
    subnet = live.subnet("10.0.0.0/24")
    live.interface(subnet, live.group("internet"), instance="i-1")
    live.interface(subnet, live.group("a/b"), instance="i-2")
    assert live().document.workloads.keys() == {"internet-group", "a-b"}


def test_they_are_left_out_on_demand_and_where_interfaces_cannot_be_read() -> None:
    live = shop()
    live.interface(live.lists["DescribeSubnets"][0]["SubnetId"], live.group("x"), instance="i-1")
    assert live(workloads=False).document.workloads == {}
    live.refused["DescribeNetworkInterfaces"] = "UnauthorizedOperation"
    imported = live()
    assert imported.document.workloads == {}
    assert "interfaces: ec2:DescribeNetworkInterfaces was refused" in imported.not_looked_at


def test_intents_say_what_the_internet_does_not_reach_and_who_reaches_a_database() -> None:
    live = shop()
    for subnet, name, more in (("10.0.0.0/24", "web", {"Association": {"PublicIp": "203.0.113.7"}}), *PRIVATE):
        (at,) = (one["SubnetId"] for one in live.lists["DescribeSubnets"] if one["CidrBlock"] == subnet)
        (group,) = (one["GroupId"] for one in live.lists["DescribeSecurityGroups"] if one["GroupName"] == name)
        live.interface(at, group, instance=f"i-{name}", PrivateIpAddress=subnet.replace("0/24", "9"), **more)
    assert json.loads(live().data)["intents"] == [
        {
            "name": "the internet reaches none of these",
            "from": "internet",
            "to": ["db_instance/orders", "app"],
            "expect": "blocked",
        },
        {"name": "what reaches orders", "from": "app", "to": "db_instance/orders", "expect": "reachable"},
    ]
    assert live(intents=False).document.intents == ()
    live.group("anybody inside", rule("tcp", 5432, "10.0.0.0/16"))
    live.lists["DescribeDBInstances"][0]["VpcSecurityGroups"] = [
        {"VpcSecurityGroupId": live.lists["DescribeSecurityGroups"][-1]["GroupId"], "Status": "active"}
    ]
    assert set(live().document.intents[1].source) == {"app", "web"}
    live.refused["DescribeNetworkInterfaces"] = "UnauthorizedOperation"
    assert live().document.intents == ()  # who is there is not known


def test_pairs_are_asked_for_one_by_one_only_where_not_all_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    live, asked = LiveVpc(), list[int]()
    subnet, other = live.subnet("10.0.0.0/24", name="one"), live.subnet("10.0.1.0/24", "b", name="two")
    group = live.group("db", rule("tcp", 5432, "10.0.0.0/16"))
    live.database("orders", live.subnet_group("dbs", subnet, other), group)
    for index in range(4):
        live.interface(subnet, live.group(f"app{index}"), instance=f"i-{index}", PrivateIpAddress=f"10.0.0.{9 + index}")
    judged = Verdicts.of

    def of(self: Verdicts, some: list[Intent], context: JudgeContext) -> tuple[Verdict, ...]:
        asked.append(len(some))
        return judged(self, some, context)

    monkeypatch.setattr(Verdicts, "of", of)
    whole = live()
    assert len(whole.document.intents[1].source) == 4
    assert asked == [2, 2]  # both intents, by the document and by the live network

    monkeypatch.setattr(intents, "MOST_JUDGED", 8)  # five ends that the internet may reach, and four senders
    cut = live()
    assert cut.document.intents == whole.document.intents[:1]
    (told,) = (one for one in cut.for_person if one.sort is Sort.INTENT)
    assert told.where == "db_instance/orders"
    assert "write it by hand" in told.text
