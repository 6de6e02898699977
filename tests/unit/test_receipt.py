"""Receipts: all that a run knows, as published, redacted, whole or cut; nothing in them is guessed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desired_state.fields import Address, rule_key
from desired_state.members import Tags
from desired_state.network import SecurityGroup, Vpc
from reconciler.engine.gate import Gate
from reconciler.model import ABSENT, Cause, Finding, Observed, Operation, Outcome, Phase, Reason, Ref, Risk, Snapshot
from reconciler.model.trigger import Source, Upload
from reconciler.redact import REDACTED
from reconciler.report import receipt as receipts
from reconciler.report import standing
from reconciler.report.attempt import AttemptResult, Ending, HoldTag
from reconciler.report.fitting import encoded, size
from reconciler.report.looks import but, expanded
from reconciler.report.receipt import receipt, receipt_of_attempt
from reconciler.report.resolving import Resolving
from reconciler.report.stored import stored_text
from tests.support.attempts import HTTPS, IDS, NOW, SOMEBODY, SSH, completed, ended, extra, hostile, lacking
from tests.support.published import IS_RECEIPT
from tests.support.receipts import fixture
from tests.support.reports import GROUP, VPC, drift, planned, report

AUTHORIZE = Operation("ec2", "AuthorizeSecurityGroupIngress", Phase.BIND, Risk.TRAFFIC)
TAG = Operation("ec2", "CreateTags", Phase.BIND, Risk.COSMETIC)


def sent(one: dict[str, Any]) -> dict[str, Any]:
    """A receipt as a reader gets it; it is as published."""
    read: dict[str, Any] = json.loads(encoded(one))
    IS_RECEIPT.validate(read)
    return read


def look(**resources: Observed) -> Snapshot:
    seen = {Address(name.replace("__", "/")): one for name, one in resources.items()}
    return Snapshot(seen, {Ref(at): one.id for at, one in seen.items()}, {}, {}, (), NOW)


def vpc(**fields: Any) -> Observed:
    return Observed("vpc-0a1b2c3d4e5f60718", Vpc(cidr_block="10.0.0.0/16").but(**fields), None)


# --- which call resolves what


def test_two_rules_of_one_group_do_not_share_their_calls() -> None:
    one = fixture("apply")
    of_group = {
        index: drifted["key"]["source"]
        for index, drifted in enumerate(one["drifted"])
        if drifted["address"] == "security_group/DBSG"
    }
    calls = {
        of_group[index]: call["why"]
        for call in one["actions"]
        for index in call["resolves_drifted"]
        if index in of_group
    }
    assert calls == {
        "security_group/TestServerSG": "allow tcp 5432 from security_group/TestServerSG",
        "0.0.0.0/0": "revoke tcp 5432 from 0.0.0.0/0",
    }


def test_every_difference_that_is_corrected_is_resolved_by_a_call() -> None:
    for name in ("plan", "apply"):
        one = fixture(name)
        resolved = {index for call in one["actions"] for index in call["resolves_drifted"]}
        assert resolved == set(range(len(one["drifted"])))


def test_a_call_that_names_no_member_resolves_all_of_its_field() -> None:
    drifts = [extra(SSH), lacking(HTTPS), drift("tags", "Name", "a", "b", at=GROUP)]
    resolving = Resolving([one.difference for one in drifts])
    assert resolving.of(AUTHORIZE.on(GROUP, "all", "ingress")) == [0, 1]
    tags = {"Resources": [Ref(GROUP)], "Tags": [{"Key": "Name", "Value": "a"}]}
    assert resolving.of(TAG.on(GROUP, "tags", "tags", params=tags)) == [2]
    in_place = {"SecurityGroupRules": [{"SecurityGroupRuleId": Ref(GROUP, f"ingress {SSH}")}]}
    assert resolving.of(AUTHORIZE.on(GROUP, "in place", "ingress", params=in_place)) == [0]
    assert resolving.of(AUTHORIZE.on(Address("security_group/Other"), "other", "ingress")) == []


def test_what_is_missing_takes_all_calls_at_its_address() -> None:
    resolving = Resolving([drift("", None, SecurityGroup(), ABSENT).difference])
    assert resolving.of(AUTHORIZE.on(GROUP, "create")) == [0]


# --- the network


_SPECS = st.dictionaries(
    st.sampled_from(["ingress", "main", "tags", "cidr_block", "note", "enforcement"]),
    st.one_of(
        st.booleans(),
        st.text(max_size=3),
        st.lists(st.fixed_dictionaries({"source": st.text(max_size=2)}, optional={"description": st.just("x")})),
    ),
)


@settings(max_examples=60, deadline=None)
@given(_SPECS, _SPECS)
def test_what_is_otherwise_than_declared_says_the_whole(declared: dict[str, Any], live: dict[str, Any]) -> None:
    for one in ("note", "enforcement"):  # AWS does not know them
        live.pop(one, None)
    told = {"declared": {"a/b": declared}, "first": {"resources": {"a/b": {"id": "i", "but": but(declared, live)}}}}
    whole = expanded({"network": told})["network"]["first"]["resources"]["a/b"]["spec"]
    assert {name: value for name, value in whole.items() if value not in ("", [])} == {
        name: value for name, value in live.items() if value not in ("", [])
    }
    assert whole.keys() >= {name for name in live if name in declared}


def test_a_rule_without_a_description_is_as_declared_without_one() -> None:
    rule = {"protocol": "tcp", "ports": 22, "source": "10.0.0.0/8"}
    assert but({"ingress": [rule]}, {"ingress": [rule | {"description": ""}]}) == {}
    assert but({"ingress": [rule]}, {"ingress": [rule | {"description": "!"}]}) != {}
    assert but({"ingress": [rule | {"description": "!"}]}, {"ingress": [rule | {"description": ""}]}) != {}


def test_what_aws_does_not_show_is_not_as_declared() -> None:
    assert but({"tags": {"Name": "a"}}, {}) == {"tags": None}
    told = {"declared": {"a/b": {"tags": {"Name": "a"}}}, "last": {"resources": {"a/b": {"but": {"tags": None}}}}}
    assert expanded({"network": told})["network"]["last"]["resources"]["a/b"] == {"spec": {}}


def test_both_looks_are_told_and_a_plan_has_one() -> None:
    plan = expanded(fixture("plan"))["network"]
    assert plan["last"] is None
    ran = expanded(fixture("apply"))["network"]
    group, gateway = "security_group/DBSG", "internet_gateway/MyInternetGateway"
    before, after = (ran[which]["resources"][group]["spec"]["ingress"] for which in ("first", "last"))
    assert [one["source"] for one in before] == ["0.0.0.0/0"]
    assert after == ran["declared"][group]["ingress"]
    assert (ran["first"]["resources"][gateway]["spec"]["vpc"], ran["last"]["resources"][gateway]["spec"]["vpc"]) == (
        "nowhere",
        "vpc/MyVPC",
    )


def test_neighbours_are_told_whole_and_what_comes_with_the_vpc_is_no_stranger() -> None:
    found = fixture("hostile")["network"]["first"]["unmanaged"]
    by_aws = {name.partition("/")[0] for name, one in found.items() if one["made_by_aws"]}
    assert by_aws == {"network_acl", "route_table", "security_group"}
    strangers = [one for one in found.values() if not one["made_by_aws"]]
    assert len(strangers) == 10
    assert all(one["spec"]["egress"] for one in strangers)
    assert "<script>alert(1)</script>" in {one["spec"]["tags"]["Name"] for one in strangers}


def test_what_was_there_before_is_whole_and_only_of_what_a_call_touched() -> None:
    assert fixture("plan")["before"] == {}
    one = fixture("apply")
    assert one["before"].keys() == {call["address"] for call in one["actions"]} | {"route_table/PublicRouteTable"}
    assert one["before"]["security_group/DBSG"]["ingress"][0]["source"] == "0.0.0.0/0"
    assert not [key for spec in one["before"].values() for key in spec.get("tags", ()) if key.startswith("setpoint:")]


def test_a_resource_that_no_document_can_say_is_told_without_its_values() -> None:
    declared = report().document
    seen = Snapshot({}, {Ref(VPC): "vpc-1"}, {VPC: Cause(Reason.UNREADABLE, "odd")}, {}, (), NOW)
    told = sent(receipt(report(document=declared, first=seen)))["network"]["first"]
    assert told["resources"] == {"vpc/Main": {"id": "vpc-1", "status": None, "spec": None}}
    assert told["unread"] == {"vpc/Main": "odd"}


# --- what an attempt knows


def test_a_command_has_no_memory_and_says_so() -> None:
    told = sent(receipt(report(extra(outcome=None))))
    assert told["run"]["trigger"] == {"source": "terminal", "detail": None}
    assert (told["run"]["id"], told["run"]["mode"], told["since"], told["exposed"]) == (None, "plan", {}, {})
    assert (told["since_unknown"], told["exposed_unknown"]) == (
        "not known: a command has no memory of earlier runs",
        ["security_group/Web"],
    )
    assert told["actors_unknown"] == "CloudTrail was not asked"
    calm = sent(receipt(report()))
    assert (calm["since_unknown"], calm["actors_unknown"], calm["exposed_unknown"]) == (None, None, [])


def test_a_command_that_has_asked_tells_who() -> None:
    told = sent(receipt(report(extra()), actors={GROUP: SOMEBODY}))
    assert told["actors"][GROUP]["who"] == SOMEBODY.who
    assert told["actors_unknown"] is None
    refused = sent(receipt(report(extra()), actors_unknown="it may not ask"))
    assert (refused["actors"], refused["actors_unknown"]) == ({}, "it may not ask")


def test_an_attempt_tells_who_since_when_and_how_long() -> None:
    since = NOW - timedelta(minutes=8)
    closed, left = extra(), extra(key=HTTPS, outcome=Outcome.HELD, at="security_group/Other")
    result = completed(
        closed,
        left,
        actors={GROUP: SOMEBODY},
        exposed={GROUP: 480.0},
        drift_since={closed.difference.identity: since, left.difference.identity: since},
        hold_tags={Address("security_group/Other"): HoldTag(since, SOMEBODY)},
        version_id="v7",
        upload=Upload("v7", "111122223333", since),
        seconds=2.0,
        source=Source.CHANGE,
    )
    told = sent(receipt_of_attempt(result))
    assert told["run"]["trigger"] == {"source": "event", "detail": "change"}
    assert told["run"]["id"] == "run-1"
    assert [one["since"] for one in told["drifted"]] == ["2026-03-01T11:52:00Z"] * 2
    assert told["since"] == dict.fromkeys(["security_group/Other", "security_group/Web"], "2026-03-01T11:52:00Z")
    assert told["exposed"] == {"security_group/Other": 482.0, "security_group/Web": 480.0}
    assert told["holds"] == [
        {"address": "security_group/Other", "since": "2026-03-01T11:52:00Z", "who": SOMEBODY.who, "until": None}
    ]
    assert told["document"]["version_id"] == "v7"
    assert told["document"]["uploaded"] == {"who": "111122223333", "at": "2026-03-01T11:52:00Z", "source_ip": None}
    assert told["actors_unknown"] is not None  # of the other group
    other = replace(result, upload=Upload("v8", "999999999999"))
    assert sent(receipt_of_attempt(other))["document"]["uploaded"] is None  # that version is not in force


@pytest.mark.parametrize(
    ("ending", "state"), [(Ending.REFUSED, "refused"), (Ending.DELETED, "deleted"), (Ending.UNOBSERVABLE, "unseen")]
)
def test_an_attempt_without_a_report_has_only_how_it_ended(ending: Ending, state: str) -> None:
    told = sent(receipt_of_attempt(ended(ending, problem="password=hunter2hunter2")))
    assert (told["state"], told["run"]["ending"], told["document"]["name"]) == (state, ending.value, "small")
    assert told["run"]["problem"] == f"password={REDACTED}"
    assert "drifted" not in told


# --- how the network stands


UNREAD = Cause(Reason.UNREADABLE, "no")
_CALM = look(vpc__Main=vpc())
_BLIND = replace(_CALM, unreadable={VPC: UNREAD})


@pytest.mark.parametrize(
    ("seen", "state", "severity"),
    [
        (report(first=_CALM), "sync", None),
        (report(extra(), wrote=True), "sync", "critical"),
        (report(extra(outcome=None)), "open", "critical"),
        (report(extra(outcome=Outcome.HELD), wrote=True), "open", "critical"),
        (report(extra(), lacking(outcome=Outcome.WAITING), wrote=True), "differs", "high"),
        (report(drift("tags", "Name", "a", "b", at=VPC)), "differs", "low"),
        (report(first=_BLIND), "unseen", None),
        (report(extra(outcome=None), first=_BLIND), "open", "critical"),
        (report(first=_BLIND, last=_CALM), "sync", None),
    ],
    ids=range(9),
)
def test_the_state_is_of_what_is_left_and_the_severity_too(seen: Any, state: str, severity: str | None) -> None:
    told = sent(receipt(seen, lanes=False))
    assert (told["state"], told["severity"]) == (state, severity)


def test_a_kind_that_could_not_be_read_is_told_once() -> None:
    two = {Address("subnet/A"): UNREAD, Address("subnet/B"): UNREAD, VPC: Cause(Reason.UNREADABLE, "odd")}
    declared = SimpleNamespace(**vars(report().document))
    declared.resources = {**report().document.resources, **dict.fromkeys(two, Vpc(cidr_block="10.0.0.0/16"))}
    seen = replace(report(), first=replace(_CALM, resources={}, unreadable=two), document=declared)  # type: ignore[arg-type]
    assert list(standing.unseen(seen)) == [
        {"kind": "subnet", "why": "no"},
        {"kind": "vpc/Main", "why": "odd"},
    ]


# --- redacted, cut, and whole in spite of a fault


def texts(value: Any) -> Iterator[str]:
    """Every text in a value, names of members too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


_SECRET = "password=hunter2hunter2"
_words = st.one_of(hostile, st.just(_SECRET), hostile.map(lambda text: f"{text} {_SECRET}"))


@settings(max_examples=40, deadline=None)
@given(_words, _words, st.integers(1, 3))
def test_whatever_people_write_a_receipt_is_as_published_and_redacted(name: str, words: str, count: int) -> None:
    at = Address.of("security_group", name)
    drifts = [
        drift("tags", f"{words}{number}", words, name, Outcome.HELD, Cause(Reason.REFUSED, words), at=at)
        for number in range(count)
    ]
    seen = look(vpc__Main=vpc(tags=Tags({words: name})))
    call = TAG.on(at, words, "tags", params={"Tags": [{"Key": words, "Value": name}], "Password": words})
    result = completed(
        *drifts,
        findings=(Finding(VPC, Outcome.FAILED, Cause(Reason.UNREADABLE, words), name),),
        plan=planned(call),
        wrote=False,
        first=replace(seen, unreadable={at: Cause(Reason.UNREADABLE, words)}),
        ids={at: words},
        actors={at: replace(SOMEBODY, who=words, user_agent=name)},
        problem=words,
        run_id=name,
        approved_by=words,
        upload=Upload("", words),
    )
    told = sent(receipt_of_attempt(result, lanes=False))
    assert len(told["ids"]) == 1
    assert len(told["drifted"]) == count
    for text in texts(told):
        assert text == stored_text(text)
        assert "hunter2" not in text


def test_a_resource_with_the_name_of_a_secret_keeps_its_value_and_a_tag_does_not() -> None:
    at = Address("security_group/api-token")
    seen = look(vpc__Main=vpc(tags=Tags({"DB_PASSWORD": "tiger", "Name": "main"})))
    told = sent(receipt(report(ids={at: "sg-1", **IDS}, first=seen), lanes=False))
    assert told["ids"][at] == "sg-1"
    assert told["network"]["first"]["resources"]["vpc/Main"]["but"]["tags"] == {"DB_PASSWORD": REDACTED, "Name": "main"}


def test_names_that_redacting_makes_the_same_stay_apart() -> None:
    same = {Address(f"security_group/password={one}hunter"): f"sg-{one}" for one in "ab"}
    told = sent(receipt(report(ids=same), lanes=False))
    assert told["ids"] == {
        f"security_group/password={REDACTED}": "sg-a",
        f"security_group/password={REDACTED} (2)": "sg-b",
    }


def test_what_is_too_long_is_cut_the_gravest_first_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    low = [drift("tags", f"k{number}", "a", "b", at=VPC) for number in range(300)]
    rules = [extra(rule_key("tcp", 1000 + number, 1000 + number, "0.0.0.0/0"), None) for number in range(3)]
    drifts = [*low, *rules]
    tags = {"Tags": [{"Key": "k7", "Value": "a"}]}
    calls = [TAG.on(VPC, "tag", "tags", params=tags), AUTHORIZE.on(GROUP, "revoke", "ingress")]
    calls += [TAG.on(VPC, "tag", "tags", params={"Tags": [{"Key": "k299", "Value": "a"}]})]
    whole = sent(receipt(report(*drifts, plan=planned(*calls)), lanes=False))
    assert whole["left_out"] == {}
    assert [call["resolves_drifted"] for call in whole["actions"]] == [[7], [300, 301, 302], [299]]
    monkeypatch.setattr(receipts, "LARGEST", 40_000)
    told = sent(receipt(report(*drifts, plan=planned(*calls)), lanes=False))
    assert size(encoded(told)) <= 40_000
    assert told["left_out"] == {"drifted": 303 - len(told["drifted"])}
    assert [one["severity"] for one in told["drifted"][:4]] == ["critical", "critical", "critical", "low"]
    assert [one["number"] for one in told["drifted"]] == list(range(1, len(told["drifted"]) + 1))
    tagged, revoked, of_what_is_left_out = (call["resolves_drifted"] for call in told["actions"])
    assert of_what_is_left_out == []
    assert revoked == [0, 1, 2]
    assert [told["drifted"][index]["key"] for index in tagged] == ["k7"]
    assert told["counts"]["drifted"] == 303


def test_mappings_are_cut_too(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = {Address(f"security_group/{number}"): f"sg-{number}" for number in range(1000)}
    monkeypatch.setattr(receipts, "LARGEST", 20_000)
    told = sent(receipt(report(ids=ids), lanes=False))
    assert size(encoded(told)) <= 20_000
    assert len(told["ids"]) + told["left_out"]["ids"] == 1000


class _Odd(Tags):
    def as_written(self) -> dict[str, str]:
        raise RuntimeError("odd")


def test_a_fault_in_one_resource_costs_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Observed("sg-1", SecurityGroup().but(tags=_Odd({"Name": "odd"})), None)
    seen = replace(look(vpc__Main=vpc(enable_dns_support=False), security_group__Web=odd))
    bad = AUTHORIZE.on(GROUP, "bad", "ingress", params={"1": object(), "x": {2}})
    told = sent(receipt(report(extra(outcome=None), first=seen, plan=planned(bad)), lanes=False))
    assert told["network"]["first"]["resources"]["security_group/Web"] == {"id": "sg-1", "status": None, "spec": None}
    assert told["network"]["first"]["resources"]["vpc/Main"]["but"] == {"enable_dns_support": False}

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr("reconciler.report.as_json.own_layer", broken)
    monkeypatch.setattr("reconciler.report.as_json.action_as_json", broken)
    monkeypatch.setattr("reconciler.report.standing.exposure", broken)
    monkeypatch.setattr("reconciler.report.network.look_as_json", broken)
    told = sent(receipt(report(extra(outcome=None), first=seen, plan=planned(bad))))
    assert (told["drifted"][0]["severity"], told["severity"], told["network"]) == (None, "high", None)
    assert "broken" in told["actions"][0]["why"]
    assert told["state"] == "open"


def test_a_hold_is_told_with_its_end_and_one_that_has_no_effect_without() -> None:
    valid, odd = Cause(Reason.HOLD_TAG, "held"), Cause(Reason.INVALID_HOLD_TAG, "odd")
    findings = (Finding(GROUP, Outcome.HELD, valid, "tags"), Finding(VPC, Outcome.BLOCKED, odd, "tags"))
    held = replace(report().gate, findings=findings, ends={GROUP: NOW})
    told = sent(receipt(report(gate=held), lanes=False))
    assert told["holds"] == [
        {"address": "security_group/Web", "since": None, "who": None, "until": "2026-03-01T12:00:00Z"},
        {"address": "vpc/Main", "since": None, "who": None, "until": None},
    ]


def test_only_a_part_was_looked_at_and_what_is_orphaned_is_told() -> None:
    from tests.support.reports import action

    held = Gate(held={0: Cause(Reason.PLAN_HELD, "no")}, deferred={}, plan_held=None, findings=())
    told = sent(receipt(report(plan=replace(planned(action()), only=frozenset({VPC})), gate=held), lanes=False))
    assert told["run"]["only"] == ["vpc/Main"]
    assert [(one["address"], one["outcome"], one["reason"]) for one in told["orphaned"]] == [
        ("security_group/Old", "held", "plan_held")
    ]


def test_nobody_asks_for_a_receipt_of_a_calm_run() -> None:
    """The looks are kept as they are, and nothing becomes JSON or a model before somebody asks."""

    class Neighbours(dict[Any, Any]):
        def __getitem__(self, key: Any) -> Any:
            raise AssertionError("nobody asked")

    seen = replace(_CALM, neighbours=Neighbours({("subnet", "subnet-1"): None}))
    result = completed(first=seen)
    assert isinstance(result, AttemptResult)
    told = receipt_of_attempt(result, lanes=False)  # and here it is asked, and contained
    assert told["network"]["first"]["unmanaged"]["subnet/subnet-1"]["spec"] is None
