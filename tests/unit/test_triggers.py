from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desired_state.fields import Address
from handlers.triggers import (
    SCHEDULE,
    Dropped,
    Here,
    InvalidRequest,
    InvokeRequest,
    UnknownEvent,
    event_names,
    message,
    read,
    read_record,
    read_request,
)
from reconciler.cloudtrail.record import NAMES, bounded
from reconciler.kinds import REGISTRY
from reconciler.model.trigger import ACTORS, Actor, Source, Trigger, Upload

ROLE = "arn:aws:iam::123456789012:role/setpoint-worker"
HERE = Here(
    account="123456789012",
    region="ap-northeast-2",
    bucket="setpoint-documents",
    prefix="documents/",
    own_roles=frozenset({ROLE}),
    own_sessions=frozenset({"setpoint-worker"}),
    accounts=frozenset({"123456789012", "111122223333"}),
)
GROUP = "sg-0a1b2c3d4e5f60718"
SENT = datetime(2026, 11, 22, 9, 0, 0, 500_000, tzinfo=UTC)
ALICE = Actor(
    who="arn:aws:iam::123456789012:user/alice",
    call="AuthorizeSecurityGroupIngress",
    at=datetime(2026, 11, 22, 8, 59, 12, tzinfo=UTC),
    source_ip="198.51.100.7",
    user_agent="aws-cli/2.32.0",
    event_id="3038ebd2-c98a-4c65-9b6e-e22506292313",
    names=frozenset({GROUP}),
    details=frozenset({"groupid"}),
)


def envelope(source: str, kind: str, detail: Any, **parts: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "0a1b2c3d-1111-4000-8000-000000000000",
        "detail-type": kind,
        "source": source,
        "account": "123456789012",
        "time": "2026-11-22T08:59:12Z",
        "region": "ap-northeast-2",
        "resources": [],
        "detail": detail,
    } | parts


def called(*, around: dict[str, Any] | None = None, **detail: Any) -> dict[str, Any]:
    told = {
        "userIdentity": {"type": "IAMUser", "arn": ALICE.who},
        "eventTime": "2026-11-22T08:59:12Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": ALICE.call,
        "sourceIPAddress": ALICE.source_ip,
        "userAgent": ALICE.user_agent,
        "requestParameters": {"groupId": GROUP},
        "responseElements": {"_return": True},
        "eventID": ALICE.event_id,
        "readOnly": False,
    } | detail
    return envelope("aws.ec2", "AWS API Call via CloudTrail", told, **(around or {}))


def stored(
    key: object, *, kind: str = "Object Created", bucket: object = "setpoint-documents", **parts: Any
) -> dict[str, Any]:
    detail = {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "version-id": "v1"}}
    return envelope("aws.s3", kind, detail, **parts)


def settled(**parts: Any) -> dict[str, Any]:
    detail = {"SourceType": "DB_INSTANCE", "SourceIdentifier": "shop-db", "EventID": "RDS-EVENT-0005"}
    return envelope("aws.rds", "RDS DB Instance Event", detail, **parts)


def record(body: object, **attributes: str) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"messageId": "1", "body": text, "attributes": {"SentTimestamp": "1795338000500"} | attributes}


def reason(event: object) -> str:
    dropped = read(event, HERE)
    assert isinstance(dropped, Dropped)
    return dropped.reason


def unknown(event: object) -> str:
    with pytest.raises(UnknownEvent) as caught:
        read(event, HERE)
    return str(caught.value)


def test_the_schedule_is_known_by_its_constant() -> None:
    assert read(json.loads(json.dumps(SCHEDULE)), HERE) == Trigger(Source.SCHEDULE)


@pytest.mark.parametrize(
    "event", [SCHEDULE | {"version": 2}, SCHEDULE | {"more": 1}, {"source": "setpoint.schedule"}, {"version": 1}]
)
def test_what_is_almost_the_schedule_is_unknown(event: dict[str, Any]) -> None:
    assert "setpoint.schedule" in unknown(event)


@pytest.mark.parametrize("kind", ["Object Created", "Object Deleted"])
def test_an_object_under_the_prefix_is_the_document_of_its_name(kind: str) -> None:
    assert read(stored("documents/test-server.json", kind=kind), HERE) == Trigger(Source.DOCUMENT, "test-server")


@pytest.mark.parametrize(
    "key",
    [
        "documents/",
        "documents/.json",
        "documents/Shop.json",
        "documents/shop.JSON",
        "documents/shop",
        "documents/shop.json.bak",
        "documents/shop.json\n",
        "documents/deeper/shop.json",
        "documents/../shop.json",
        "documents//shop.json",
        "documents%2Fshop.json",
        "documents/sh%6Fp.json",
        "documents/shop+1.json",
        "documents/\u0455hop.json",
        "documents/shop\u200b.json",
        "documents/\uff53hop.json",
        "documents/-shop.json",
        f"documents/{'s' * 64}.json",
        "other/shop.json",
        "shop.json",
        "",
    ],
)
def test_an_object_that_is_no_document_is_dropped_and_said(key: str) -> None:
    assert "is not a document's key; use documents/<name>.json" in reason(stored(key))


def test_what_happens_in_another_bucket_account_or_region_is_dropped() -> None:
    key = "documents/shop.json"
    assert "bucket 'theirs'" in reason(stored(key, bucket="theirs"))
    assert "account '111122223333'" in reason(stored(key, account="111122223333"))
    assert "region 'us-east-1'" in reason(stored(key, region="us-east-1"))


@pytest.mark.parametrize(("key", "bucket"), [(None, "setpoint-documents"), (["k"], "b"), ("documents/shop.json", None)])
def test_an_event_of_s3_without_a_key_or_a_bucket_is_unknown(key: object, bucket: object) -> None:
    assert "without a bucket name and a key" in unknown(stored(key, bucket=bucket))


def test_a_call_that_changes_something_wakes_every_document_of_its_account() -> None:
    assert read(called(), HERE) == Trigger(Source.CHANGE, account="123456789012", actors=(ALICE,))
    theirs = read(called(around={"account": "111122223333"}), HERE)
    assert theirs == Trigger(Source.CHANGE, account="111122223333", actors=(ALICE,))


def test_a_call_whose_record_does_not_say_by_whom_still_wakes() -> None:
    assert read(called(userIdentity=None), HERE) == Trigger(Source.CHANGE, account="123456789012")


def test_calls_that_are_no_news_are_dropped_with_the_reason() -> None:
    assert reason(called(errorCode="Client.InvalidPermission.Duplicate")) == (
        "'AuthorizeSecurityGroupIngress': the call failed: Client.InvalidPermission.Duplicate"
    )
    assert reason(called(readOnly=True)) == "'AuthorizeSecurityGroupIngress': the call only reads"
    assert "changes nothing that a document can declare" in reason(called(eventName="DescribeVpcs"))
    assert "changes nothing that a document can declare" in reason(called(eventName="ModifyDBInstance"))
    assert "'x\\x1b[2J': the call changes nothing" in reason(called(eventName="x\x1b[2J"))
    assert "account '999999999999'" in reason(called(around={"account": "999999999999"}))
    assert "account ['123456789012']" not in reason(called(around={"account": ["123456789012"]}))
    assert "region 'us-east-1'" in reason(called(around={"region": "us-east-1"}))


def test_our_own_call_is_dropped_and_that_of_a_user_called_like_our_role_is_not() -> None:
    issuer = {"type": "Role", "arn": ROLE, "userName": "setpoint-worker"}
    own = {
        "type": "AssumedRole",
        "arn": "arn:aws:sts::123456789012:assumed-role/setpoint-worker/setpoint-worker",
        "sessionContext": {"sessionIssuer": issuer},
    }
    assert reason(called(userIdentity=own)) == "AuthorizeSecurityGroupIngress: the call is Setpoint's own"
    user = {"type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/setpoint-worker", "userName": "setpoint-worker"}
    woken = read(called(userIdentity=user), HERE)
    assert isinstance(woken, Trigger)
    assert [one.who for one in woken.actors] == ["arn:aws:iam::123456789012:user/setpoint-worker"]


@pytest.mark.parametrize("detail", [{"eventSource": "rds.amazonaws.com"}, {"eventName": None}, {"eventName": ["x"]}])
def test_a_record_that_is_not_of_the_service_that_sent_it_is_unknown(detail: dict[str, Any]) -> None:
    assert "a CloudTrail record without a call to ec2" in unknown(called(**detail))


def test_a_database_that_settled_wakes_its_account_without_saying_more() -> None:
    assert read(settled(), HERE) == Trigger(Source.CHANGE, account="123456789012")
    assert "account '999999999999'" in reason(settled(account="999999999999"))


@pytest.mark.parametrize(
    "event",
    [
        None,
        5,
        "text",
        [],
        {},
        {"Records": [{"s3": {"bucket": {"name": "setpoint-documents"}}}]},
        envelope("aws.events", "Scheduled Event", {}),
        envelope("aws.ec2", "EC2 Instance State-change Notification", {"state": "running"}),
        envelope("aws.s3", "Object Tags Added", {}),
        envelope("aws.ec2", "AWS API Call via CloudTrail", None),
        envelope("aws.iam", "AWS API Call via CloudTrail", {}),
        {"source": ["aws.s3"], "detail-type": {}, "detail": {}},
        {"setpoint": 2, "document": "shop", "trigger": {"source": "schedule"}},
        {"setpoint": 1},
        {"setpoint": 1, "document": "shop", "trigger": {"source": "revenge"}},
        {"setpoint": 1, "document": "Shop", "trigger": {"source": "schedule"}},
        {"setpoint": 1, "document": "sh\u043ep", "trigger": {"source": "schedule"}},
        {"setpoint": 1, "document": "shop", "trigger": {"source": "schedule"}, "approve": "0123456789abcdef"},
        {"setpoint": 1, "document": "shop", "trigger": {"source": "schedule", "only": ["vpc/main"]}},
        {"setpoint": 1, "document": "shop", "trigger": {"source": "schedule", "document": "other"}},
        {"setpoint": 1, "document": "shop", "trigger": {"source": "change", "account": "12345678901a"}},
        {"setpoint": 1, "document": "shop", "trigger": {"source": "change", "account": "123456789012\n"}},
        {"setpoint": 1, "document": "shop", "trigger": {"source": "schedule", "tries": -1}},
        {"setpoint": 1, "document": "shop", "trigger": {"source": "schedule", "sent": "2026-11-22T09:00:00"}},
    ],
)
def test_an_unknown_shape_says_what_it_is_and_what_would_be_understood(event: object) -> None:
    text = unknown(event)
    assert "accepted are" in text
    assert text.isprintable()
    assert len(text) < 1_200


def test_the_log_of_an_unknown_event_has_its_own_words_sanitize() -> None:
    text = unknown(envelope("evil\x1b[2J", "y" * 10_000, {}))
    assert "source 'evil\\x1b[2J'" in text
    assert len(text) < 1_200


@pytest.mark.parametrize("body", ["", "no json", "[" * 200_000, "9" * 10_000, '{"a": 1', "null", '"text"', "[]", "7"])
def test_a_body_that_is_no_event_is_unknown_and_nothing_worse(body: str) -> None:
    with pytest.raises(UnknownEvent, match="accepted are"):
        read_record(record(body), HERE)


def test_a_record_without_a_body_is_unknown() -> None:
    with pytest.raises(UnknownEvent, match="not an object: None"):
        read_record({"messageId": "1"}, HERE)


def test_the_time_of_a_message_is_when_the_queue_took_it() -> None:
    read_ = read_record(record(called()), HERE)
    assert isinstance(read_, Trigger)
    assert read_.sent == SENT


@pytest.mark.parametrize("stamp", ["", "soon", "9" * 30, "-" + "9" * 30])
def test_a_time_that_is_none_is_not_known(stamp: str) -> None:
    read_ = read_record(record(called(), SentTimestamp=stamp), HERE)
    assert read_ == Trigger(Source.CHANGE, account="123456789012", actors=(ALICE,))


def test_a_message_that_came_back_keeps_its_first_time_and_cannot_move_it_ahead() -> None:
    first = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    read_ = read_record(record(message("shop", Trigger(Source.RETRY, sent=first))), HERE)
    assert isinstance(read_, Trigger)
    assert read_.sent == first
    later = Trigger(Source.RETRY, sent=datetime(2999, 1, 1, tzinfo=UTC))
    read_ = read_record(record(message("shop", later)), HERE)
    assert isinstance(read_, Trigger)
    assert read_.sent == SENT


def test_a_dropped_event_is_dropped_from_the_queue_too() -> None:
    assert isinstance(read_record(record(called(readOnly=True)), HERE), Dropped)


def test_the_same_event_twice_is_the_same_trigger_and_one_actor_in_a_message() -> None:
    once = read(called(), HERE)
    assert once == read(called(), HERE)
    twice = read(json.loads(message("shop", Trigger(Source.CHANGE, actors=(ALICE, ALICE)))), HERE)
    assert twice == Trigger(Source.CHANGE, "shop", actors=(ALICE,))


texts = st.text(max_size=20)
actors = st.builds(
    Actor,
    who=texts,
    call=texts,
    at=st.datetimes(timezones=st.just(UTC)),
    source_ip=texts,
    user_agent=texts,
    event_id=texts,
    names=st.frozensets(st.sampled_from([GROUP, "shop-db", "vpc-0a1b2c3d"])),
)
triggers = st.builds(
    Trigger,
    source=st.sampled_from(Source),
    document=st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True),
    account=st.sampled_from(["", "123456789012", "111122223333"]),
    sent=st.none() | st.datetimes(timezones=st.just(UTC)),
    actors=st.lists(actors.map(bounded), max_size=3, unique=True).map(tuple),
    tries=st.integers(0, 100),
)


@given(triggers)
def test_a_trigger_comes_back_from_its_message(one: Trigger) -> None:
    back = read(json.loads(message(one.document, one)), HERE)
    assert isinstance(back, Trigger)
    assert set(back.actors) == set(one.actors)
    assert replace(back, actors=()) == replace(one, actors=())
    assert read(json.loads(message(back.document, back)), HERE) == back


def test_the_largest_message_is_below_256_kilobytes() -> None:
    names = frozenset(f"n{number:03}{'x' * 124}" for number in range(NAMES + 5))
    huge = "\U0001f600" * 5_000
    many = tuple(
        Actor(f"{huge}{n}", huge, datetime(2026, 1, 1, n % 24, tzinfo=UTC), huge, huge, huge, names) for n in range(200)
    )
    text = message("s" * 63, Trigger(Source.CHANGE, account="123456789012", sent=SENT, actors=many))
    assert len(text.encode()) < 200 * 1024
    back = read(json.loads(text), HERE)
    assert isinstance(back, Trigger)
    assert len(back.actors) == ACTORS
    assert {one.at.hour for one in back.actors} == {22, 23}  # the newest of the 200


def test_actors_of_a_forged_message_are_bounded_when_it_is_read() -> None:
    written = json.loads(message("shop", Trigger(Source.CHANGE, actors=(ALICE,))))
    written["trigger"]["actors"][0] |= {"who": "\x1b[2J" * 1_000, "names": ["ok", "\x00", "x" * 1_000]}
    back = read(written, HERE)
    assert isinstance(back, Trigger)
    assert back.actors[0].names == {"ok"}
    assert back.actors[0].who.isprintable()
    assert len(back.actors[0].who) == 400


def test_a_forged_message_cannot_carry_more_actors_than_ours_do() -> None:
    written = json.loads(message("shop", Trigger(Source.CHANGE, actors=(ALICE,))))
    written["trigger"]["actors"] *= ACTORS + 1
    assert "trigger.actors" in unknown(written)


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just("sg-0badbadbadbadbad1")
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10) | st.just("groupId"), inner, max_size=4)
    ),
    max_leaves=5,
)
forged_details = st.fixed_dictionaries(
    {},
    optional={
        "eventName": st.sampled_from(sorted(event_names()["ec2"])) | anything,
        "eventSource": st.sampled_from(["ec2.amazonaws.com", "rds.amazonaws.com"]) | anything,
        "eventTime": st.just("2026-11-22T08:59:12Z") | anything,
        "userIdentity": st.fixed_dictionaries({"arn": anything, "type": anything}) | anything,
        "requestParameters": anything,
        "responseElements": anything,
        "bucket": st.just({"name": "setpoint-documents"}) | anything,
        "object": st.fixed_dictionaries({"key": st.text(max_size=30).map("documents/{}.json".format)}) | anything,
        "errorCode": anything,
        "readOnly": anything,
    },
)
forged = st.fixed_dictionaries(
    {
        "source": st.sampled_from(["aws.ec2", "aws.rds", "aws.s3", "setpoint.schedule"]) | anything,
        "detail-type": st.sampled_from(
            ["AWS API Call via CloudTrail", "Object Created", "Object Deleted", "RDS DB Instance Event"]
        )
        | anything,
        "account": st.just("123456789012") | anything,
        "region": st.just("ap-northeast-2") | anything,
        "detail": forged_details | anything,
    }
)


def taint(event: object) -> None:
    """Whatever the event: it is refused, or what comes of it is a source, a document's name, an account of ours."""
    try:
        woken = read(event, HERE)
    except UnknownEvent as error:
        woken = Dropped(str(error))
    if isinstance(woken, Dropped):
        assert woken.reason.isprintable()
        return
    assert isinstance(woken.source, Source)
    assert all(char in "abcdefghijklmnopqrstuvwxyz0123456789-" for char in woken.document)
    assert woken.account in {"", *HERE.accounts}
    assert (woken.sent, woken.tries) == (None, 0)
    for one in woken.actors:
        assert bounded(one) == one


@given(forged)
def test_no_forged_event_brings_anything_in_but_names_of_ours_and_bounded_actors(event: dict[str, Any]) -> None:
    taint(event)


@given(anything)
def test_no_json_at_all_does_either(event: object) -> None:
    taint(event)


@given(forged_details)
def test_no_forged_record_does_in_an_envelope_that_is_in_order(detail: dict[str, Any]) -> None:
    taint(called(**detail))
    taint(envelope("aws.s3", "Object Created", detail))


def test_the_calls_that_wake_us_are_calls_of_their_service() -> None:
    assert set(event_names()) == {"ec2", "rds"}
    for service, names in event_names().items():
        known = botocore.session.get_session().get_service_model(service).operation_names
        assert names <= set(known)
        assert not [name for name in names if name.startswith(("Describe", "List", "Get"))]


def test_every_operation_of_every_kind_wakes_us_and_what_deletes_its_resources_too() -> None:
    every = frozenset().union(*event_names().values())
    assert every >= {row.name for kind in REGISTRY.values() for row in kind.operations}
    assert every >= {
        "DeleteVpc",
        "DeleteSubnet",
        "DetachInternetGateway",
        "DeleteInternetGateway",
        "DeleteRouteTable",
        "DeleteRoute",
        "DeleteSecurityGroup",
        "DeleteNetworkAcl",
        "DeleteNetworkAclEntry",
        "DeleteTags",
        "DeleteDBInstance",
        "DeleteDBSubnetGroup",
        "RemoveTagsFromResource",
        "StopDBInstance",
        "EnableVgwRoutePropagation",
    }
    assert {"CreateDBInstanceReadReplica", "DeleteDBCluster", "ModifyDBCluster"} <= every
    for kind in REGISTRY.values():
        assert {row.name for row in kind.operations} <= kind.changes.keys() == kind.changed_by


def test_a_kind_belongs_to_one_service_so_its_event_names_do() -> None:
    assert all(len({row.service for row in kind.operations}) == 1 for kind in REGISTRY.values())


def test_an_ask_names_a_document_and_only_plans() -> None:
    assert read_request({"document": "shop"}) == InvokeRequest(document="shop", mode="plan")


def test_an_ask_may_say_everything() -> None:
    payload = {
        "document": "shop",
        "mode": "apply",
        "only": ["security_group/web", "vpc/main"],
        "approve": "0123456789abcdef",
        "accept_revision": 3,
    }
    asked = read_request(payload)
    assert asked.only == (Address("security_group/web"), Address("vpc/main"))
    assert (asked.mode, asked.approve, asked.accept_revision) == ("apply", "0123456789abcdef", 3)


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({}, 'document: missing; write the document\'s name, such as "test-server"'),
        ({"document": "Shop"}, "document: 'Shop' is not valid; write the document's name"),
        ({"document": "\x1b[2J"}, "document: '\\x1b[2J' is not valid"),
        ({"document": 5}, "document: 5 is not valid"),
        ({"document": "shop", "mode": "destroy"}, "mode: 'destroy' is not valid; write plan or apply"),
        ({"document": "shop", "mode": None}, "mode: None is not valid; write plan or apply"),
        ({"document": "shop", "only": "vpc/main"}, "only: 'vpc/main' is not valid; write a list of addresses"),
        ({"document": "shop", "only": ["main"]}, "only: a list is not valid; write a list of addresses"),
        ({"document": "shop", "only": ["vpc/main\n"]}, "only: a list is not valid"),
        ({"document": "shop", "approve": "yes"}, "approve: 'yes' is not valid; write the fingerprint of the held plan"),
        ({"document": "shop", "approve": True}, "approve: true is not valid"),
        ({"document": "shop", "accept_revision": "3"}, "accept_revision: '3' is not valid; write the revision"),
        ({"document": "shop", "accept_revision": 0}, "accept_revision: 0 is not valid"),
        ({"document": "shop", "accept_revision": True}, "accept_revision: true is not valid"),
        ({"document": "shop", "onyl": []}, "'onyl': unknown field; did you mean 'only'?"),
        ({"document": "shop", "sg-1\x1b": 1}, "'sg-1\\x1b': unknown field; write one of"),
        ([], "the payload is a list; write an object with at least a document's name"),
        (None, "the payload is None"),
        ("shop", "the payload is 'shop'"),
    ],
)
def test_a_invalid_request_is_told_field_value_and_hint(payload: object, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_request(payload)
    assert told in str(caught.value)
    assert str(caught.value).isprintable()


def test_every_wrong_field_of_an_ask_has_its_line() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_request({"mode": "x", "colour": "red"})
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["document", "mode", "'colour'"]


# Who uploaded a version


def uploaded_by(detail: dict[str, Any], kind: str = "Object Created") -> Trigger:
    event = stored("documents/test-server.json", kind=kind)
    event["detail"]["object"]["version-id"] = "v.2"
    event["detail"] |= {"requester": "123456789012", "source-ip-address": "198.51.100.7"} | detail
    trigger = read(event, HERE)
    assert isinstance(trigger, Trigger)
    return trigger


def test_the_event_of_an_upload_says_who_uploaded_which_version() -> None:
    (upload,) = uploaded_by({}).uploads
    assert (upload.version_id, upload.who, upload.source_ip) == ("v.2", "123456789012", "198.51.100.7")
    assert uploaded_by({}, kind="Object Deleted").uploads == ()


@pytest.mark.parametrize(
    "detail", [{"requester": None}, {"requester": 7}, {"object": {"key": "documents/test-server.json"}}]
)
def test_an_event_that_does_not_say_who_or_which_version_says_nothing(detail: dict[str, Any]) -> None:
    assert uploaded_by(detail).uploads == ()


def test_what_the_event_says_is_somebodys_text() -> None:
    (upload,) = uploaded_by({"requester": "a\u202e\n" * 200, "source-ip-address": "\x1b[2J" * 100}).uploads
    assert upload.who.isprintable()
    assert upload.source_ip.isprintable()
    assert (len(upload.who) <= 256, len(upload.source_ip) <= 100) == (True, True)


def test_uploads_travel_with_a_message_the_newest_of_many() -> None:
    many = tuple(
        Upload(f"v.{number}", "123456789012", datetime(2026, 11, 22, 9, number, tzinfo=UTC)) for number in range(15)
    )
    text = message("shop", Trigger(Source.DOCUMENT, "shop", uploads=many))
    read_again = read(json.loads(text), HERE)
    assert isinstance(read_again, Trigger)
    assert [one.version_id for one in read_again.uploads] == [f"v.{number}" for number in range(14, 4, -1)]
    assert "uploads" not in message("shop", Trigger(Source.DOCUMENT, "shop"))
