"""A document without databases asks nothing of RDS, and works with a role that has no permission for it."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import Outcome
from tests.support.cases import ended, permission, told
from tests.support.runs import Network, document

KINDS = ("db_instance", "db_subnet_group")


def _without(*kinds: str) -> Any:
    def change(written: dict[str, Any]) -> None:
        for kind in kinds:
            del written["resources"][kind]
        written["resources"].get("db_instance", {}).get("mypostgresqldb", {}).pop("db_subnet_group", None)
        written.pop("intents")
        written.pop("workloads")

    return change


def test_a_network_without_databases_is_kept_without_any_permission_for_rds(net: Network) -> None:
    for operation in ("DescribeDBInstances", "DescribeDBSubnetGroups", "ListTagsForResource"):
        net.lab.faults.refuse(operation)
    net.outsider("ec2").authorize_security_group_ingress(
        GroupId=net.id("security_group/DBSG"), IpPermissions=[permission(5432, "0.0.0.0/0")]
    )
    net.lab.calls.clear()
    report = net.run(document(_without(*KINDS)))
    assert ended(report, "security_group/DBSG", "ingress") == {Outcome.CORRECTED}, told(report)
    assert report.in_sync, told(report)
    assert {call.service for call in net.lab.calls} == {"ec2"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_with_one_of_them_asks(net: Network, kind: str) -> None:
    net.lab.calls.clear()
    net.plan(document(_without(kind)))
    assert "DescribeDBInstances" in {call.operation for call in net.lab.calls}
