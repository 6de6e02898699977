from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cloudtrail.record import NAMES, actor, bounded, is_own, no_change
from reconciler.model.trigger import Actor

ROLE = "arn:aws:iam::123456789012:role/setpoint-worker"
SESSION = "setpoint-worker"
GROUP, PEER = "sg-0a1b2c3d4e5f60718", "sg-0f0e0d0c0b0a09080"
ALICE = {
    "type": "IAMUser",
    "principalId": "AIDAEXAMPLE",
    "arn": "arn:aws:iam::123456789012:user/alice",
    "accountId": "123456789012",
    "userName": "alice",
}
OWN = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLE:setpoint-worker",
    "arn": f"arn:aws:sts::123456789012:assumed-role/setpoint-worker/{SESSION}",
    "accountId": "123456789012",
    "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE, "userName": "setpoint-worker"}},
}


def record(**parts: Any) -> dict[str, Any]:
    return {
        "userIdentity": ALICE,
        "eventTime": "2026-11-22T08:59:12Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "AuthorizeSecurityGroupIngress",
        "awsRegion": "ap-northeast-2",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.32.0",
        "requestParameters": {
            "groupId": GROUP,
            "ipPermissions": {
                "items": [
                    {
                        "ipProtocol": "tcp",
                        "fromPort": 22,
                        "toPort": 22,
                        "groups": {"items": [{"groupId": PEER, "userId": "123456789012"}]},
                        "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]},
                    }
                ]
            },
        },
        "responseElements": {
            "_return": True,
            "securityGroupRuleSet": {
                "items": [
                    {
                        "groupId": GROUP,
                        "securityGroupRuleId": "sgr-0123456789abcdef0",
                        "referencedGroupInfo": {"groupId": PEER},
                    }
                ]
            },
        },
        "eventID": "3038ebd2-c98a-4c65-9b6e-e22506292313",
        "readOnly": False,
        "recipientAccountId": "123456789012",
    } | parts


def who(**identity: Any) -> str:
    told = actor(record(userIdentity=identity))
    assert told is not None
    return told.who


def names(**parts: Any) -> set[str]:
    told = actor(record(**({"responseElements": None} | parts)))
    assert told is not None
    return set(told.names)


def own(**identity: Any) -> bool:
    return is_own(record(userIdentity=OWN | identity), {ROLE}, {SESSION})


def test_a_call_of_a_user_gives_the_actor_with_all_that_is_known() -> None:
    assert actor(record()) == Actor(
        who="arn:aws:iam::123456789012:user/alice",
        call="AuthorizeSecurityGroupIngress",
        at=datetime(2026, 11, 22, 8, 59, 12, tzinfo=UTC),
        source_ip="198.51.100.7",
        user_agent="aws-cli/2.32.0",
        event_id="3038ebd2-c98a-4c65-9b6e-e22506292313",
        names=frozenset({GROUP, "sgr-0123456789abcdef0"}),
        details=frozenset({"groupid", "ippermissions", "rule=tcp:22:22:0.0.0.0/0", f"rule=tcp:22:22:{PEER}"}),
    )


@pytest.mark.parametrize(
    ("identity", "told"),
    [
        ({"type": "Root", "arn": "arn:aws:iam::123456789012:root"}, "arn:aws:iam::123456789012:root"),
        ({"type": "IAMUser", "userName": "bob", "accountId": "123456789012"}, "bob of 123456789012"),
        (OWN, "arn:aws:sts::123456789012:assumed-role/setpoint-worker/setpoint-worker"),
        (
            OWN | {"sessionContext": {"sourceIdentity": "carol"}},
            "arn:aws:sts::123456789012:assumed-role/setpoint-worker/setpoint-worker (source identity carol)",
        ),
        (
            OWN | {"invokedBy": "cloudformation.amazonaws.com"},
            f"{OWN['arn']} (through cloudformation.amazonaws.com)",
        ),
        (
            {"type": "FederatedUser", "arn": "arn:aws:sts::123456789012:federated-user/dave"},
            "arn:aws:sts::123456789012:federated-user/dave",
        ),
        (
            {"type": "SAMLUser", "userName": "erin", "identityProvider": "https://idp.example.com", "principalId": "x"},
            "erin of https://idp.example.com",
        ),
        (
            {"type": "WebIdentityUser", "userName": "1234", "identityProvider": "accounts.example.com"},
            "1234 of accounts.example.com",
        ),
        ({"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}, "autoscaling.amazonaws.com"),
        (
            {
                "type": "IdentityCenterUser",
                "accountId": "123456789012",
                "onBehalfOf": {
                    "userId": "544894e8-80c1-707f-60e3-3ba6510dfac1",
                    "identityStoreArn": "arn:aws:identitystore::123456789012:identitystore/d-9067642ac7",
                },
            },
            "544894e8-80c1-707f-60e3-3ba6510dfac1 of arn:aws:identitystore::123456789012:identitystore/d-9067642ac7",
        ),
        ({"type": "AWSAccount", "accountId": "111122223333"}, "AWSAccount of 111122223333"),
        ({"type": "AWSAccount", "accountId": "111122223333", "principalId": "AROAX:s"}, "AROAX:s"),
        ({"type": "Unknown"}, "Unknown"),
        ({}, "unknown"),
        ({"arn": ["no", "text"], "type": 5, "sessionContext": "none"}, "unknown"),
    ],
)
def test_every_type_of_identity_is_called_by_what_cloudtrail_gives(identity: dict[str, Any], told: str) -> None:
    assert who(**identity) == told


@pytest.mark.parametrize(
    "parts",
    [
        {"userIdentity": None},
        {"userIdentity": "alice"},
        {"eventName": ""},
        {"eventName": 7},
        {"eventTime": None},
        {"eventTime": "yesterday"},
        {"eventTime": "2026-11-22T08:59:12"},
        {"eventTime": "0001-01-01T00:00:00+23:59"},
    ],
)
def test_a_record_that_does_not_say_who_what_and_when_has_no_actor(parts: dict[str, Any]) -> None:
    assert actor(record(**parts)) is None


def test_what_is_no_record_has_no_actor() -> None:
    records: list[object] = [None, [], "text", {}, 5]
    assert [actor(one) for one in records] == [None] * 5


def test_a_group_that_is_only_the_other_end_of_a_rule_is_not_what_the_call_is_about() -> None:
    assert PEER not in names()
    request = {
        "ModifySecurityGroupRulesRequest": {
            "GroupId": GROUP,
            "SecurityGroupRule": {
                "SecurityGroupRuleId": "sgr-0123456789abcdef0",
                "SecurityGroupRule": {"ReferencedGroupId": PEER, "IpProtocol": "tcp"},
                "tag": 1,
            },
        }
    }
    assert names(requestParameters=request) == {GROUP, "sgr-0123456789abcdef0"}


def test_ids_are_found_in_every_shape_that_a_request_has() -> None:
    tags = {"resourcesSet": {"items": [{"resourceId": "vpc-0a1b2c3d"}, {"resourceId": "rtb-0a1b2c3d4e5f60718"}]}}
    assert names(requestParameters=tags) == {"vpc-0a1b2c3d", "rtb-0a1b2c3d4e5f60718"}
    moved = {"associationId": "rtbassoc-0a1b2c3d4e5f60718", "routeTableId": "rtb-0a1b2c3d"}
    made = {"newAssociationId": "rtbassoc-0a1b2c3d4e5f60719"}
    assert names(requestParameters=moved, responseElements=made) == {*moved.values(), *made.values()}


def test_databases_are_found_by_name_and_by_arn() -> None:
    request = {"dBInstanceIdentifier": "shop-db", "dBInstanceClass": "db.t4g.micro", "masterUserPassword": "****"}
    assert names(requestParameters=request) == {"shop-db"}
    arn = "arn:aws:rds:ap-northeast-2:123456789012:db:shop-db"
    assert names(requestParameters={"resourceName": arn, "tags": [{"key": "a", "value": "b"}]}) == {"shop-db"}
    group = {"dBSubnetGroupName": "shop", "subnetIds": ["subnet-0a1b2c3d", "subnet-0a1b2c3e"]}
    assert names(requestParameters=group) == {"shop", "subnet-0a1b2c3d", "subnet-0a1b2c3e"}


def test_words_that_are_neither_ids_nor_names_are_left() -> None:
    request = {"cidrBlock": "10.0.0.0/16", "dBName": "postgres", "tagSet": {"items": [{"key": "Name", "value": "web"}]}}
    assert names(requestParameters=request) == set()
    assert names(requestParameters={"groupName": "../../etc\x00", "x": "sg-0a1b2c3d\n"}) == set()


@pytest.mark.parametrize("request_", [None, [], "sg-0a1b2c3d", 7])
def test_a_record_whose_request_was_left_out_has_an_actor_without_names(request_: object) -> None:
    assert names(requestParameters=request_) == ({"sg-0a1b2c3d"} if isinstance(request_, str) else set())


def test_only_so_many_names_are_kept_those_at_the_top_of_the_request_first() -> None:
    many = {"resourcesSet": {"items": [{"resourceId": f"vpc-{n:08x}"} for n in range(20_000)]}, "zzz": GROUP}
    kept = names(requestParameters=many)
    assert GROUP in kept
    assert len(kept) == NAMES


def test_a_record_that_is_nested_a_thousand_deep_is_read() -> None:
    deep: Any = GROUP
    for _ in range(1_000):
        deep = {"items": [deep]}
    assert names(requestParameters=deep) == {GROUP}


def test_hostile_text_is_cut_short_and_sanitized() -> None:
    evil = "\x1b[2J\u202e\ud800\n" * 1_000
    identity = ALICE | {"arn": evil}
    told = actor(record(userAgent=evil, sourceIPAddress=evil, eventID=evil, eventName=evil, userIdentity=identity))
    assert told is not None
    for text in (told.who, told.call, told.source_ip, told.user_agent, told.event_id):
        assert text.isprintable()
        assert text.startswith("\\x1b[2J\\u202e\\ud800\\n")
        assert len(text) <= 400


def test_a_long_arn_keeps_both_its_ends() -> None:
    arn = f"arn:aws:iam::123456789012:user/{'path/' * 100}mallory"
    told = who(type="IAMUser", arn=arn)
    assert told.startswith("arn:aws:iam::123456789012:user/path/")
    assert told.endswith("/mallory")
    assert len(told) == 400


texts = st.text(max_size=20) | st.builds(lambda text, times: text * times, st.text(max_size=20), st.integers(1, 60))
some_actors = st.builds(
    Actor,
    who=texts,
    call=texts,
    at=st.datetimes(timezones=st.just(UTC)),
    source_ip=texts,
    user_agent=texts,
    event_id=texts,
    names=st.frozensets(st.text(max_size=20) | st.sampled_from([GROUP, PEER, "shop-db"]), max_size=10),
)


@given(some_actors)
def test_a_bounded_actor_is_sanitized_and_bounding_it_again_changes_nothing(one: Actor) -> None:
    once = bounded(one)
    assert bounded(once) == once
    assert all(text.isprintable() for text in (once.who, once.call, once.source_ip, once.user_agent, once.event_id))
    assert len(once.who) <= 400
    assert len(once.names) <= NAMES


def test_a_session_of_our_role_by_our_name_is_our_own() -> None:
    assert own()
    assert is_own(record(userIdentity=OWN), [ROLE], [SESSION, "stack-worker-1A2B"])


def test_another_session_of_our_role_is_not_our_own() -> None:
    assert not own(arn="arn:aws:sts::123456789012:assumed-role/setpoint-worker/alice")


def test_another_role_whose_session_is_called_as_ours_is_not_our_own() -> None:
    other = {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::123456789012:role/admin"}}
    assert not own(sessionContext=other)
    elsewhere = {"sessionIssuer": {"type": "Role", "arn": ROLE.replace("123456789012", "111122223333")}}
    assert not own(sessionContext=elsewhere)


def test_a_user_called_like_our_role_and_session_is_not_our_own() -> None:
    user = {"type": "IAMUser", "arn": f"arn:aws:iam::123456789012:user/assumed-role/setpoint-worker/{SESSION}"}
    assert not is_own(record(userIdentity=user | {"userName": SESSION}), {ROLE}, {SESSION})
    with_mfa = user | {"sessionContext": {"attributes": {"mfaAuthenticated": "true"}}}
    assert not is_own(record(userIdentity=with_mfa), {ROLE}, {SESSION})
    assert not is_own(record(userIdentity=OWN | {"type": "IAMUser"}), {ROLE}, {SESSION})


@pytest.mark.parametrize(
    "identity", [None, {}, {"type": "AWSService", "invokedBy": "rds.amazonaws.com"}, {"type": "Root"}, [OWN]]
)
def test_without_an_issuer_nobody_is_us(identity: object) -> None:
    assert not is_own(record(userIdentity=identity), {ROLE}, {SESSION})
    assert not is_own(record(userIdentity=identity), {ROLE, ""}, {SESSION, ""})


def test_without_a_session_name_nobody_is_us_even_where_none_is_set() -> None:
    assert not is_own(record(userIdentity=OWN | {"arn": ""}), {ROLE}, {""})


def test_an_issuer_that_is_no_text_is_not_us() -> None:
    assert not own(sessionContext={"sessionIssuer": {"arn": [ROLE]}})
    assert not own(arn=[OWN["arn"]])


def test_a_failed_call_and_a_read_change_nothing() -> None:
    assert no_change(record()) == ""
    assert no_change(record(errorCode="Client.UnauthorizedOperation")) == (
        "the call failed: Client.UnauthorizedOperation"
    )
    assert no_change(record(errorMessage="\x1b[2J")) == "the call failed: \\x1b[2J"
    assert no_change(record(readOnly=True)) == "the call only reads"
    assert no_change(record(readOnly="true")) == "the call only reads"
    assert no_change(json.loads("[]")) == "it is not a record of a call"
