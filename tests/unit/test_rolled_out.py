"""Which differences a version makes itself until the network is at it: the judgement alone. The doors' tests let the
first run of a version fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from desired_state.document import Document
from desired_state.fields import Address, RuleKey
from desired_state.sources import Pinned, SourceError
from reconciler.attempt.rollout import Judge, after, judge_of, own
from reconciler.engine.gate import Gate
from reconciler.engine.plan import Plan
from reconciler.engine.result import Drift, Report
from reconciler.ledger.record import Accepted, Rollout
from reconciler.model import ABSENT, DOCUMENT_TAG, NAME_TAG, Difference, Outcome
from tests.support.reports import report
from tests.support.revisions import version
from tests.support.worlds import APP, REFERENCE, VPC, WEB, document

BEFORE = document()
HTTP = RuleKey("tcp", 80, 80, "0.0.0.0/0")
SSH = RuleKey("tcp", 22, 22, "0.0.0.0/0")
SUBNET, DB = Address("subnet/PublicSubnet1"), Address("db_instance/mypostgresqldb")


def changed(change: Callable[[dict[str, Any]], object]) -> Document:
    """The next version of the reference, changed in place."""

    def later(written: dict[str, Any]) -> None:
        written.update(revision=written["revision"] + 1, intents=[], workloads={})
        change(written["resources"])

    return version(later, of=REFERENCE)


def closes_http(resources: dict[str, Any]) -> None:
    rules = resources["security_group"]["APIGatewaySG"]["ingress"]
    rules[:] = [one for one in rules if one["ports"] != 80]


AFTER = changed(closes_http)
OWN = Difference(WEB, "ingress", HTTP, ABSENT, "")
THEIRS = Difference(WEB, "ingress", SSH, ABSENT, "")


def judged(one: Difference, *before: Document | None, after: Document = AFTER) -> bool:
    return Judge(after, lambda: before)(one)


def test_what_a_version_takes_away_is_its_own_and_what_somebody_adds_is_not() -> None:
    assert (judged(OWN, BEFORE), judged(THEIRS, BEFORE)) == (True, False)
    assert not judged(replace(OWN, address=APP), BEFORE)


def test_the_network_may_be_at_any_version_since_the_last_that_was_rolled_out() -> None:
    assert judged(OWN, AFTER, BEFORE)
    assert judged(OWN, BEFORE, AFTER)
    assert not judged(OWN, AFTER, AFTER)
    assert judged(THEIRS, BEFORE, None)  # there was none, or it is gone: nobody can say


def subnet(**fields: Any) -> Document:
    return changed(lambda resources: resources["subnet"]["PublicSubnet1"].update(fields))


PRIVATE, NOTED, TAGGED = subnet(map_public_ip_on_launch=False), subnet(note="ours"), subnet(tags={"team": "shop"})


@pytest.mark.parametrize(
    ("later", "field", "key", "want", "have", "is_own"),
    [
        (PRIVATE, "map_public_ip_on_launch", None, False, True, True),
        (NOTED, "map_public_ip_on_launch", None, True, False, False),
        (TAGGED, "tags", "team", "shop", ABSENT, True),
        (TAGGED, "tags", DOCUMENT_TAG, "test-server", "other", False),
        (TAGGED, "", None, None, ABSENT, False),
    ],
)
def test_a_field_is_its_own_where_the_versions_want_different_things(
    later: Document, field: str, key: Any, want: Any, have: Any, *, is_own: bool
) -> None:
    assert judged(Difference(SUBNET, field, key, want, have), BEFORE, after=later) is is_own


def test_a_reference_is_its_own_member_by_member() -> None:
    def moves(resources: dict[str, Any]) -> None:
        groups = ["security_group/DBSG", "security_group/TestServerSG"]
        resources["db_instance"]["mypostgresqldb"]["vpc_security_groups"] = groups

    stranger, kept = Address("sg-1"), Address("security_group/DBSG")
    for key, want, have, is_own in (
        (APP, APP, ABSENT, True),
        (stranger, ABSENT, stranger, False),
        (kept, kept, ABSENT, False),
    ):
        assert judged(Difference(DB, "vpc_security_groups", key, want, have), BEFORE, after=changed(moves)) is is_own


def test_a_reference_that_a_look_spells_otherwise_is_the_same_in_both() -> None:
    assert not judged(Difference(DB, "vpc_security_groups", Address("sg-1"), Address("sg-1"), ABSENT), BEFORE)


def test_what_was_not_managed_before_is_a_version_s_own() -> None:
    def unmanaged(resources: dict[str, Any]) -> None:
        del resources["security_group"]["APIGatewaySG"]["ingress"]

    assert judged(THEIRS, changed(unmanaged), after=BEFORE)
    assert judged(Difference(WEB, "ingress", HTTP, None, ABSENT), changed(unmanaged), after=BEFORE)
    new = Difference(WEB, "", None, BEFORE.resources[WEB], ABSENT)
    without = replace(BEFORE, resources={at: one for at, one in BEFORE.resources.items() if at != WEB})
    assert (judged(new, without), judged(new, BEFORE)) == (True, False)
    assert judged(THEIRS, without)


@pytest.mark.parametrize(
    ("was", "now", "is_own"), [("ignore", "correct", True), ("ignore", "ignore", False), ("report", "correct", False)]
)
def test_what_was_ignored_before_is_a_version_s_own(was: Any, now: Any, *, is_own: bool) -> None:
    before, later = (
        replace(one, resources={**one.resources, WEB: one.resources[WEB].but(enforcement=how)})
        for one, how in ((BEFORE, was), (BEFORE, now))
    )
    assert judged(THEIRS, before, after=later) is is_own


def test_what_an_exception_tolerated_before_is_a_version_s_own() -> None:
    def tolerates(written: dict[str, Any]) -> None:
        value = {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}
        one = {"address": WEB, "field": "ingress", "value": value, "until": "2027-01-31T00:00:00Z", "reason": "x"}
        written["exceptions"] = [one]

    tolerant = version(tolerates, of=REFERENCE)
    assert judged(THEIRS, tolerant, after=BEFORE)
    assert not judged(THEIRS, tolerant, after=tolerant)
    assert not judged(replace(THEIRS, field="egress"), tolerant, after=BEFORE)
    assert not judged(replace(THEIRS, address=APP), tolerant, after=BEFORE)


@pytest.mark.parametrize("tag", [DOCUMENT_TAG, NAME_TAG])
def test_our_own_tags_are_its_own_where_a_name_changes(tag: str) -> None:
    one = Difference(WEB, "tags", tag, "new", "old")
    assert not judged(one, BEFORE)
    assert judged(one, replace(BEFORE, name="former"))

    def renames(resources: dict[str, Any]) -> None:
        text = json.dumps(resources).replace("TestServerSG", "Server")
        resources.clear()
        resources.update(json.loads(text))
        resources["security_group"]["Server"]["formerly"] = ["TestServerSG"]

    renamed = changed(renames)
    at = Address("security_group/Server")
    assert judged(replace(one, address=at), BEFORE, after=renamed)
    assert not judged(Difference(at, "ingress", SSH, ABSENT, ""), BEFORE, after=renamed)


# What is left to do


def seen(*drifts: Drift, unseen: bool = False, only: bool = False) -> Report:
    gate = Gate({}, {}, None, (), unseen=frozenset({WEB} if unseen else ()))
    plan = Plan((), (), (), (), "0123456789abcdef", only=frozenset({VPC}) if only else None)
    return report(*drifts, gate=gate, plan=plan, document=AFTER)


SINCE = (Accepted(1, "a" * 64, "v1"),)
ROLLOUT = Rollout(SINCE)
JUDGE = Judge(AFTER, lambda: (BEFORE,))
LEFT = Drift(OWN, Outcome.HELD)


def test_a_rollout_ends_when_nothing_of_it_is_left() -> None:
    assert after(ROLLOUT, JUDGE, seen()) is None
    assert after(ROLLOUT, JUDGE, seen(Drift(OWN, Outcome.CORRECTED))) is None
    assert after(ROLLOUT, JUDGE, seen(Drift(THEIRS, Outcome.HELD))) is None
    for rollout, judge in ((None, None), (None, JUDGE), (ROLLOUT, None)):
        assert after(rollout, judge, seen(LEFT)) is None


def test_a_look_at_a_part_does_not_end_it() -> None:
    for look in (seen(unseen=True), seen(only=True)):
        assert after(ROLLOUT, JUDGE, look) == ROLLOUT


def test_what_is_left_is_known_by_its_live_value_from_then_on() -> None:
    gone = Drift(Difference(APP, "", None, AFTER.resources[APP], ABSENT), Outcome.HELD)
    left = after(ROLLOUT, JUDGE, seen(LEFT, Drift(THEIRS, Outcome.HELD), gone))
    assert left
    assert (left.since, len(left.left or ())) == (SINCE, 1)
    later = judge_of("shop", Nothing(), left, AFTER)
    assert later
    assert (later(OWN), later(THEIRS), later(replace(OWN, have="put back by somebody"))) == (True, False, False)
    assert after(left, later, seen(LEFT)) == left
    assert after(left, later, seen()) is None


def test_a_new_resource_that_is_not_there_yet_is_its_own_whatever_it_gets_meanwhile() -> None:
    without = replace(BEFORE, resources={at: one for at, one in BEFORE.resources.items() if at != WEB})
    new = Judge(AFTER, lambda: (without,))
    missing = Drift(Difference(WEB, "", None, AFTER.resources[WEB], ABSENT), Outcome.WAITING)
    left = after(ROLLOUT, new, seen(missing))
    assert left
    later = judge_of("shop", Nothing(), left, AFTER)
    assert later
    assert (later(THEIRS), later.is_new(WEB), later.is_new(APP)) == (True, True, False)
    was_ignored = {**BEFORE.resources, WEB: BEFORE.resources[WEB].but(enforcement="ignore")}
    unlooked = Judge(AFTER, lambda: (replace(BEFORE, resources=was_ignored),))
    gone = after(ROLLOUT, unlooked, seen(missing))  # its version has begun to look at it, and it is not there
    assert gone
    assert str(WEB) in (gone.left or ())
    half = after(ROLLOUT, new, seen(LEFT))  # it is there, and lacks something
    assert half
    assert set(half.left or ()) > {str(WEB)}
    assert list(half.left or ()) == sorted(half.left or ())
    assert {len(name) for name in half.left or ()} == {16, len(WEB)}
    assert Judge(AFTER, lambda: (None,)).is_new(WEB)
    assert (new.is_new(WEB), new.is_new(APP)) == (True, False)
    assert Judge(AFTER, lambda: (without, BEFORE)).is_new(WEB) is False


def test_its_own_differences_by_their_identities() -> None:
    assert own(JUDGE, seen(LEFT, Drift(THEIRS, None))) == {OWN.identity}
    assert own(None, seen(LEFT)) == frozenset()


# The versions before


class Nothing:
    """A bucket that nobody may ask."""

    def current(self, name: str) -> Pinned | None:
        raise AssertionError(name)

    def version(self, name: str, version_id: str) -> Pinned:
        raise AssertionError(version_id)


class Bucket(Nothing):
    """A bucket with the versions of some ids."""

    def version(self, name: str, version_id: str) -> Pinned:
        if version_id != "v1":
            raise SourceError("s3://x", "there is no such version", "hint", "NoSuchVersion")
        return Pinned(name, json.dumps(REFERENCE).encode(), version_id, "s3://x")


def test_versions_are_read_only_when_something_differs_and_one_that_is_gone_was_none() -> None:
    assert judge_of("shop", Nothing(), None, AFTER) is None
    assert judge_of("shop", Nothing(), Rollout(SINCE), AFTER) is not None
    read = judge_of("shop", Bucket(), Rollout(SINCE), AFTER)
    assert read
    assert (read(OWN), read(THEIRS)) == (True, False)
    for bucket, version_id in ((Bucket(), "v0"), (Nothing(), "")):
        gone = judge_of("shop", bucket, Rollout((Accepted(1, "a" * 64, version_id),)), AFTER)
        assert gone
        assert gone(THEIRS)
