"""The vocabulary: what an action says of itself."""

from __future__ import annotations

from desired_state.fields import Address
from reconciler.model import (
    ABSENT,
    Action,
    Cause,
    Change,
    Difference,
    Operation,
    Phase,
    Reason,
    Ref,
    Risk,
    Snapshot,
    refs,
)
from tests.support import worlds

GROUP = Address("security_group/DBSG")
REVOKE = Operation("ec2", "RevokeSecurityGroupIngress", Phase.UNBIND, Risk.TRAFFIC)


def test_an_operation_is_its_own_permission() -> None:
    assert REVOKE.permission == "ec2:RevokeSecurityGroupIngress"


def test_an_action_is_made_of_an_operation_with_its_parameters_and_the_fields_it_resolves() -> None:
    action = REVOKE.on(
        GROUP, "revoke it", "ingress", breaks=2, closes=True, params={"GroupId": Ref(GROUP), "IpPermissions": []}
    )
    assert action == Action(
        operation=REVOKE,
        address=GROUP,
        why="revoke it",
        risk=Risk.TRAFFIC,
        params={"GroupId": Ref(GROUP), "IpPermissions": []},
        resolves=frozenset({(GROUP, "ingress")}),
        breaks=2,
        closes=True,
    )


def test_an_action_may_be_riskier_than_its_operation() -> None:
    assert REVOKE.on(GROUP, "", risk=Risk.DATA).risk is Risk.DATA


def test_making_something_and_tagging_it_touch_no_traffic() -> None:
    make = Operation("ec2", "CreateSecurityGroup", Phase.CREATE, Risk.REVERSIBLE)
    tag = Operation("ec2", "CreateTags", Phase.BIND, Risk.COSMETIC)
    touching = [one.on(GROUP, "").touches_traffic for one in (make, tag, REVOKE)]
    assert touching == [False, False, True]


def test_references_are_found_however_deep_they_lie() -> None:
    rule = Ref(GROUP, "ingress tcp 22 0.0.0.0/0")
    params = {"GroupId": Ref(GROUP), "Rules": [{"Id": rule, "Rule": {"FromPort": 22}}], "Name": "x"}
    assert list(refs(params)) == [Ref(GROUP), rule]


def test_a_reference_reads_as_what_it_stands_for() -> None:
    assert str(Ref(GROUP)) == "<security_group/DBSG>"
    assert str(Ref(GROUP, "ingress all 0.0.0.0/0")) == "<security_group/DBSG ingress all 0.0.0.0/0>"


def test_a_change_gives_its_differences_by_field() -> None:
    spec = worlds.document().resources[GROUP]
    tag = Difference(GROUP, "tags", "team", "shop", ABSENT)
    rule = Difference(GROUP, "ingress", "a rule", ABSENT, "")
    change = Change(GROUP, spec, None, spec, (tag, rule))
    assert change.of("tags") == (tag,)
    assert change.fields == {"tags", "ingress"}


def test_what_could_not_be_read_or_told_apart_is_not_absent() -> None:
    whole = worlds.seen(worlds.document())
    look = Snapshot(
        {worlds.VPC: whole.resources[worlds.VPC]},
        {},
        unreadable={worlds.WEB: Cause(Reason.UNREADABLE, "refused")},
        ambiguous={worlds.APP: Cause(Reason.AMBIGUOUS, "two of them")},
        unmanaged=(),
        at=worlds.MORNING,
    )
    absent = [look.absent(at) for at in (worlds.VPC, worlds.WEB, worlds.APP, worlds.DB)]
    assert absent == [False, False, False, True]
