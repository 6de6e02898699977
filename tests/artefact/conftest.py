"""The artefact, the runtime that starts it, and an account to start it against; no test in here reaches a network.

with Lambda(artefact, "handlers.worker.handler", runtime, log, aws.environment) as worker:
    answer = worker.invoke({"Records": [...]})
assert aws.client("sqs")...
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("awslambdaric") is None:
    collect_ignore_glob = ["test_*.py"]  # AWS's runtime client exists for Linux only
else:
    from artefact.assemble import Recipe, assemble, assembled
    from artefact.dependencies import copy_installed
    from tests.support.account import Account
    from tests.support.runtime_api import REGION

RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""AWS's client and what it imports; on AWS they lie beside the interpreter, behind the artefact on the path."""


@pytest.fixture(scope="session")
def artefact() -> Path:
    """The artefact for this machine, from what is installed here."""
    return assembled(Recipe())


@pytest.fixture(scope="session")
def stock_artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with botocore's data as they come; not compiled, which takes longest and is the same."""
    folder = tmp_path_factory.mktemp("stock") / "artefact"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("artefact.assemble.compile_all", lambda *_: None)
        assemble(folder, Recipe(stock=True))
    return folder


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with AWS's runtime client and nothing else."""
    folder = tmp_path_factory.mktemp("runtime")
    copy_installed(folder, RUNTIME)
    return folder


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """Moto behind HTTP, for all tests of a process; `aws` empties it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        from moto.cloudtrail.responses import CloudTrailResponse
        from moto.server import ThreadedMotoServer

        from lab.patched_moto import patched_moto

        # Moto has no LookupEvents, and would answer with a failure of AWS: a trail in which nobody did anything.
        patch.setattr(CloudTrailResponse, "lookup_events", lambda self: '{"Events": []}', raising=False)
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            with patched_moto():
                yield f"http://{host}:{port}"
        finally:
            server.stop()


@pytest.fixture
def aws(emulator: str) -> Account:
    """The account as the deployed stack leaves it: bucket, table, queues and topic, and nothing in them."""
    import urllib.request

    reset = urllib.request.Request(f"{emulator}/moto-api/reset", method="POST")  # noqa: S310 (the server above)
    urllib.request.urlopen(reset).close()  # noqa: S310
    account = Account(emulator, "setpoint-documents", "setpoint-ledger", "", "", "")
    s3, sqs, sns = account.client("s3"), account.client("sqs"), account.client("sns")
    for bucket in (account.bucket, account.receipts):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    account.client("dynamodb").create_table(
        TableName=account.table,
        KeySchema=[{"AttributeName": "document", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "document", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return Account(
        emulator,
        account.bucket,
        account.table,
        sqs.create_queue(QueueName="setpoint-work")["QueueUrl"],
        sqs.create_queue(QueueName="setpoint-dead-letters")["QueueUrl"],
        sns.create_topic(Name="setpoint-alerts")["TopicArn"],
    )
