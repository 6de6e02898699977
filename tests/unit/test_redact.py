"""What looks like a secret goes, line by line; what a person needs to act stays, and says so here too."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.redact import LOOKED_AT, fit, is_secret_name, redacted, safe_text

KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKY1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("password: hunter2", "password: [redacted]"),
        ("PGPASSWORD=hunter2 psql", "PGPASSWORD=[redacted] psql"),
        ("pwd => 'two words' and", "pwd => [redacted] and"),
        ('{"Password":"a\\"b","User":"c"}', '{"Password":[redacted],"User":"c"}'),
        (r"{\"password\": \"a b\", \"user\": \"c\"}", r"{\"password\": [redacted], \"user\": \"c\"}"),
        ('tags: Password = "a b" -> "c d"', "tags: Password = [redacted] -> [redacted]"),
        ("client_secret=abc&x=1", "client_secret=[redacted]"),
        ("api-key: 123abc; next", "api-key: [redacted]; next"),
        ("?X-Amz-Signature=0af3&X-Amz-Date=20260301", "?X-Amz-Signature=[redacted]&X-Amz-Date=20260301"),
        ("?X-Amz-Security-Token=IQo%2F&y", "?X-Amz-Security-Token=[redacted]&y"),
        ("Authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=c", "Authorization: [redacted]"),
        ("authorization: Bearer abc.def-1", "authorization: [redacted]"),
        ("sent Bearer abc.def-1234", "sent Bearer [redacted]"),
        ("Cookie: session=abc1", "Cookie: [redacted]"),
        ("postgres://app:p@ss@db:5432/x?a=b", "postgres://[redacted]@db:5432/x?a=b"),
        ("AKIAIOSFODNN7EXAMPLE and ASIAIOSFODNN7EXAMPLE", "[redacted] and [redacted]"),
        (f"it is {KEY}.", "it is [redacted]."),
        (f"it is {'x' * 99} or {'x' * 100}", f"it is {'x' * 99} or [redacted]"),
        ("ghp_0123456789abcdefghij", "[redacted]"),
        ("github_pat_0123456789abcdefghij", "[redacted]"),
        ("xoxp-12345678-abc", "[redacted]"),
        ("sk_live_12345678abc", "[redacted]"),
        ("eyJhbGciOi.eyJzdWIi.c2ln", "[redacted]"),
        ("https://hooks.slack.com/services/T/B/x", "https://hooks.slack.com/[redacted]"),
        (
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf now",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:[redacted] now",
        ),
        (
            "a\n-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4\n\nMII=\n-----END EC PRIVATE KEY-----\nb",
            "a\n[redacted]\nb",
        ),
    ],
)
def test_a_secret_of_a_known_shape_or_behind_a_name_is_replaced(text: str, told: str) -> None:
    assert redacted(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "manage_master_user_password: false -> true",
        "ExpiredToken: The security token included in the request is expired",
        "SignatureDoesNotMatch: The request signature we calculated does not match",
        "not authorized to perform: secretsmanager:GetSecretValue on resource: x",
        "arn:aws:sts::123456789012:assumed-role/Setpoint-WorkerRole-1ABCDEFGHIJK2/setpoint-worker",
        "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef",
        "vpc-0123456789abcdef0, sg-0123456789abcdef0, eni-0123456789abcdef0",
        "0123456789abcdef0123456789abcdef01234567",
        "c0326b22deb58c1c3c175c3db3b9f361bb43516848a01f6988e4a7c5eabfcb3a",
        "routes: 0.0.0.0/0 via internet_gateway/Main -> vpc/Main",
        "ingress: tcp 5432 from security_group/App",
        "https://ec2.ap-northeast-2.amazonaws.com/",
        "s3://bucket/documents/a.json?versionId=3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrH",
        "token: expired, keys: rotated",
    ],
)
def test_what_a_person_needs_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


def test_what_it_cannot_know_is_known() -> None:
    """The limits that the module's docstring admits; whoever moves one should change the words there."""
    assert redacted("hunter2") == "hunter2"
    assert redacted("password: correct horse") == "password: [redacted] horse"
    assert redacted("token: canary") == "token: canary"
    assert redacted("Passwort: hunter2") == "Passwort: hunter2"


def test_a_secret_at_the_cut_of_a_long_text_is_not_told_in_part() -> None:
    text = f"{'word ' * (LOOKED_AT // 5 - 4)}{KEY}{KEY} tail"
    told = redacted(text)
    assert "wJalr" not in told
    assert told.endswith("word ...")


@given(st.text() | st.text(alphabet="\\\"'=: ->paswordtknAKI[]0/@.\n", max_size=200))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redacted(text)
    assert redacted(once) == once


@given(st.text())
def test_harmless_text_is_of_one_line_and_printable(text: str) -> None:
    told = safe_text(text)
    assert told.isprintable()
    assert len(told) <= 503
    assert safe_text(told) == told


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "://",
        "://a:",
        'password="',
        "-----BEGIN PRIVATE KEY-----",
        "eyJ",
        "aA0/",
        "token:",
        "\\",
        "[redacted]",
        " => ",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    """Linear, not quadratic: a hundred times as much is read in some milliseconds."""
    text = piece * (LOOKED_AT // len(piece))
    began = time.process_time()
    redacted(text)
    assert time.process_time() - began < 0.5


def test_the_names_of_secrets() -> None:
    assert [
        name
        for name in ("DbPassword", "api_key", "GITHUB_TOKEN", "Authorization", "MasterUserSecret")
        if is_secret_name(name)
    ] == [
        "DbPassword",
        "api_key",
        "GITHUB_TOKEN",
        "Authorization",
        "MasterUserSecret",
    ]
    assert not any(map(is_secret_name, ("Name", "key", "setpoint:document", "KmsKeyId", 7, None)))


def test_a_value_is_made_fit_to_be_told() -> None:
    deep: list[object] = []
    for _ in range(9):
        deep = [deep]
    assert fit(
        {
            "text": "a\x1b[0m\u202e",
            "many": [1, 2, 3],
            "password": "x",
            "Tags": [{"Key": "Secret", "Value": "x"}, {"Key": "Name", "Value": "x"}],
        },
        4,
    ) == {
        "text": "a\\x1b[0m\\u202e",
        "many": [1, 2, 3],
        "password": "[redacted]",
        "Tags": [{"Key": "Secret", "Value": "[redacted]"}, {"Key": "Name", "Value": "x"}],
    }
    assert fit([1, 2, 3], 2) == [1, 2, "1 more"]
    assert fit({"a": 1, "b": 2, "c": 3}, 2) == {"a": 1, "b": 2, "...": "1 more"}
    assert fit({"manage_master_user_password": True, "a": float("nan")}, 9) == {
        "manage_master_user_password": True,
        "a": "nan",
    }
    assert fit(deep, 9) == [[[[[["..."]]]]]]
