"""Thirty secrets to plant where a secret could come in, each in the text it would come in by; all of them made up.

`assert_silent` is asked of everything that the doors' tests print, log, send or answer (conftest.py).
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple
from urllib.parse import quote


class Canary(NamedTuple):
    """`text` as somebody else wrote it, and the part of it that must never be seen again."""

    name: str
    text: str
    secret: str


_TOKEN = "IQoJb3JpZ2luX2VjCanaryTOKEN0123456789" + "aZ9+/bY8" * 20
_SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYCANARYKEY1"
_KEY_ID = "AKIA" + "CANARY7EXAMPLE01"
_BOOKS = "https://books.s3.ap-northeast-2.amazonaws.com/documents/a.json"
_ARN = "arn:aws:secretsmanager:ap-northeast-2:123456789012:secret:rds!db-canary-4711-abcDEF"

CANARIES = (
    Canary("a password in prose", "connect as admin, password: Canary-hunter2!", "Canary-hunter2!"),
    Canary("a password of one plain word", "Password = canarybird", "canarybird"),
    Canary("a quoted passphrase", 'passphrase="canary battery staple"', "canary battery staple"),
    Canary("a password in JSON", '{"user": "app", "password": "canary\\"quoted\\"7"}', "quoted"),
    Canary("a password in JSON in a string", r'{"body": "{\"password\":\"canary-nested-8\"}"}', "canary-nested-8"),
    Canary("a password that is replaced", "tags: DbPassword = canary-old-9 -> canary-new-9", "canary-new-9"),
    Canary("a session token alone", f"the token was {_TOKEN}", "CanaryTOKEN0123456789"),
    Canary("a session token by name", "AWS_SESSION_TOKEN=FwoGZXIvCanary/short1", "FwoGZXIvCanary/short1"),
    Canary("a secret access key alone", f"keys {_KEY_ID} and {_SECRET_KEY}.", _SECRET_KEY),
    Canary("a secret access key by name", "aws_secret_access_key: canary/short/2", "canary/short/2"),
    Canary("an access key id", f"InvalidClientTokenId for {_KEY_ID}", _KEY_ID),
    Canary("the ARN of a secret", f"not authorized to read {_ARN} today", "db-canary-4711"),
    Canary("the secret of a database", f"{{'MasterUserSecret': {{'SecretArn': '{_ARN}'}}}}", "rds!db-canary-4711"),
    Canary("a presigned signature", f"GET {_BOOKS}?X-Amz-Signature=ca9a7e5c0ffee11&x=1", "ca9a7e5c0ffee11"),
    Canary("a presigned token", f"GET {_BOOKS}?X-Amz-Security-Token=IQoJCanary%2F12&x=1", "IQoJCanary%2F12"),
    Canary("a presigned credential", f"{_BOOKS}?X-Amz-Credential=canary%2F20260301%2Fs3", "canary%2F20260301"),
    Canary("an old presigned URL", f"{_BOOKS}?Expires=1&Signature=canaryVjbyPxybd%3D", "canaryVjbyPxybd"),
    Canary("a connection URL", "postgresql://app:canary-p4ss@db.internal:5432/app", "canary-p4ss"),
    Canary("a connection string", "host=db port=5432 user=app password=canary-p5ss sslmode=require", "canary-p5ss"),
    Canary("a connection string of another kind", "Server=db;Uid=app;Pwd=canary-p6ss;", "canary-p6ss"),
    Canary("a GitHub token", "cloned with ghp_canaryCANARY0123456789abcdefABCDEF01", "ghp_canaryCANARY"),
    Canary("a Slack token", "post with xoxb-0123456789-canarybot", "0123456789-canarybot"),
    Canary("a Slack webhook", "https://hooks.slack.com/services/T0/B0/canaryHOOK", "canaryHOOK"),
    Canary(
        "a private key",
        "-----BEGIN RSA PRIVATE KEY-----\nMIICanaryKEY0\nabc/+=\n-----END RSA PRIVATE KEY-----",
        "MIICanaryKEY0",
    ),
    Canary("a private key cut short", r"-----BEGIN PRIVATE KEY-----\nMIICanaryKEY1 abc", "MIICanaryKEY1"),
    Canary("an environment variable", "environ({'HOME': '/', 'PGPASSWORD': 'canary-env-1'})", "canary-env-1"),
    Canary("a request that CloudTrail shows", '{"masterUserPassword":"canary-trail-2"}', "canary-trail-2"),
    Canary("a user agent that CloudTrail shows", "curl/8 (api_key=canary-agent-3)", "canary-agent-3"),
    Canary(
        "the headers in an exception",
        "HTTPClientError: {'Authorization': b'AWS4-HMAC-SHA256 Credential=x, Signature=canary0fade'}",
        "canary0fade",
    ),
    Canary("a web token", "Authorization: Bearer eyJjYW5hcnki.eyJjYW5hcnki.canarySIG", "canarySIG"),
)

ENVIRONMENT = {
    "DATABASE_URL": "postgresql://app:canary-of-the-environment-1@db.internal/app",
    "DB_PASSWORD": "canary-of-the-environment-2",
    "GITHUB_TOKEN": "ghp_canaryOfTheEnvironment0123456789abcd",
}
"""What every test of the doors has in its environment, and nobody may tell."""

_CREDENTIALS = re.compile(
    r"(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Z0-9])|(?:FQoGZXIvYXdz|FwoGZXIvYXdz|IQoJb3JpZ2lu)\w{20}"
)
"""The keys and session tokens that the laboratory hands out are new ones each time; these are their shapes."""


def assert_silent(text: str) -> None:
    """Fail when any of it is told: as it is, as JSON or a URL writes it, or as Python shows it."""
    secrets = {one.name: one.secret for one in CANARIES} | ENVIRONMENT
    for name, secret in secrets.items():
        for form in {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), repr(secret)[1:-1]}:
            assert form not in text, f"a secret was told: {name}"
    for told in _CREDENTIALS.finditer(text):
        raise AssertionError(f"a credential was told: ...{text[max(0, told.start() - 80) : told.start()]}")
