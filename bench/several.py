"""Several documents of one account in one warm worker: one after the other, and in as many threads.

`python -m bench.several WORLD URL HOW REPETITIONS` is a process of its own; it prints what each round took as JSON. The
worker's own code runs: the message, the lease, the document, the run, the log, the memory. Lease and document are asked
of an emulator in another process (`emulator`), and all reads of EC2 and RDS of the replaying server. In threads the log
mixes up the documents, and each run may not stop the others: the product does not do it (decision 17).
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from bench.calls import ACCOUNT, REGION, calls
from bench.server import serving

DOCUMENTS = 5
_NAMES = ("test-server", "mypostgresqldb", "mydbsubnetgroup")
"""What is told apart by its name alone, in the document and in the answers."""


def several(like: Path, folder: Path) -> None:
    """The world `like` once for each document, in a VPC of its own; they are in one account."""
    folder.mkdir()
    vpc_id = (like / "vpc_id").read_text()
    databases = []
    for number in range(DOCUMENTS):
        own = f"{vpc_id[:-1]}{number}"

        def renamed(text: str, number: int = number, own: str = own) -> str:
            for name in _NAMES:
                text = text.replace(name, f"{name}-{number}")
            return text.replace(vpc_id, own)

        (folder / f"document-{number}.json").write_text(renamed((like / "document.json").read_text()))
        for one in calls(vpc_id):
            answer = renamed((like / f"{one.name}.xml").read_text())
            if one.service == "rds":
                databases.append(answer)
            else:
                (folder / f"{one.name}.{own}.xml").write_text(answer)
    before, _, rest = databases[0].partition("<DBInstances>")
    inner = "".join(one.partition("<DBInstances>")[2].partition("</DBInstances>")[0] for one in databases)
    after = rest.partition("</DBInstances>")[2]
    (folder / "DescribeDBInstances.xml").write_text(f"{before}<DBInstances>{inner}</DBInstances>{after}")


@contextmanager
def emulator() -> Iterator[str]:
    """The URL of an emulator of S3, DynamoDB and the rest, in a process of its own."""
    with serving("-c", _EMULATOR) as port:
        yield f"http://127.0.0.1:{port}"


_EMULATOR = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").disabled = True
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


def _deployed(url: str, emulated: str) -> Any:
    """The stack of a worker whose reads go to `url` and everything else to the emulator, with an empty ledger."""
    import boto3

    from handlers.settings import Deployment
    from handlers.stack import Stack
    from reconciler.model import Policy

    urllib.request.urlopen(  # noqa: S310 (the emulator)
        urllib.request.Request(f"{emulated}/moto-api/reset", method="POST")  # noqa: S310 (the same)
    ).close()
    os.environ |= {"AWS_ENDPOINT_URL": emulated, "AWS_ENDPOINT_URL_EC2": url, "AWS_ENDPOINT_URL_RDS": url}
    session = boto3.Session("testing", "testing", region_name=REGION)
    s3: Any = session.client("s3")
    table: Any = session.client("dynamodb")
    s3.create_bucket(Bucket="documents", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="documents", VersioningConfiguration={"Status": "Enabled"})
    table.create_table(
        TableName="ledger",
        KeySchema=[{"AttributeName": "document", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "document", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    queue: Any = session.client("sqs")
    deployment = Deployment(
        bucket="documents",
        table="ledger",
        queue_url=queue.create_queue(QueueName="queue")["QueueUrl"],
        own_roles=(f"arn:aws:iam::{ACCOUNT}:role/setpoint-worker",),
        reserve_seconds=5,
    )
    stack = Stack(session, deployment, Policy(), account=ACCOUNT, region=REGION, function="setpoint-worker")
    stack.open()
    return s3, stack


def measured(world: Path, url: str, emulated: str, how: str, repetitions: int) -> dict[str, Any]:
    """Of each round after the first two: wall and processor seconds; and the peak memory of the process (MiB).

    `how`: `turn`, `threads`, or `both`, in turns.
    """
    import reconciler.aws.client
    from bench.memory import high_water
    from handlers import telemetry
    from handlers.stack import Invocation
    from handlers.triggers import message
    from handlers.worker import work
    from reconciler.model.trigger import Source, Trigger

    if how != "turn":  # or urllib3 would open connections and drop them
        reconciler.aws.client.THREADS *= DOCUMENTS
    s3, stack = _deployed(url, emulated)
    reconciler.aws.client.THREADS = 10
    names = []
    for written in sorted(world.glob("document-*.json")):
        names.append(json.loads(written.read_text())["name"])
        s3.put_object(Bucket="documents", Key=f"documents/{names[-1]}.json", Body=written.read_bytes())
    rounds: dict[str, list[tuple[float, float]]] = {}

    def one(name: str, number: int) -> None:
        body = message(name, Trigger(Source.SCHEDULE, document=name, account=ACCOUNT))
        record = {"messageId": name, "body": body, "attributes": {}}
        assert not work([record], stack, Invocation(f"{name}-{number}", lambda: 800.0))

    with ThreadPoolExecutor(DOCUMENTS) as pool, redirect_stdout(StringIO()) as said:
        for number in range(repetitions + 2):
            for way in ("turn", "threads") if number % 2 else ("threads", "turn"):
                if how not in ("both", way):
                    continue
                gc.collect()
                said.truncate(0)
                begun, used = time.perf_counter(), time.process_time()
                with telemetry.log_context(run_id=str(number)):
                    if way == "turn":
                        for name in names:
                            one(name, number)
                    else:
                        list(pool.map(lambda name, number=number: one(name, number), names))
                taken = time.perf_counter() - begun, time.process_time() - used
                if number >= 2:
                    assert said.getvalue().count('"ending":"completed"') == DOCUMENTS, said.getvalue()
                    rounds.setdefault(way, []).append(taken)
    return rounds | {"peak": high_water()}


if __name__ == "__main__":
    _, folder, at, emulated_at, how_many, times = sys.argv
    print(json.dumps(measured(Path(folder), at, emulated_at, how_many, int(times))))
