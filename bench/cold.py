"""A function's work from a cold start to its first result; `artefact.py` starts it, with the artefact only.

`python -S -P bench/cold.py WHAT [WORLD URL [RUNS]]` is run by its path: the process may import only the artefact. WHAT
is `start` (imports and clients), `run` (and RUNS runs, by default one) or either with the suffix `-plain`: with the
garbage collector on, as by default. Prints the peak memory in MiB.
"""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path

REGION = "ap-northeast-2"


def start() -> None:
    """What the worker imports, and the clients of a run, as `handlers.stack` makes them."""
    import boto3

    import handlers.worker  # noqa: F401 (its cost is what is measured)
    from reconciler.aws.client import Aws

    session = boto3.Session("testing", "testing", region_name=REGION)
    if len(sys.argv) <= 2:
        for service in ("ec2", "rds"):
            session.client(service)
        return
    from datetime import UTC, datetime

    from desired_state.load import load
    from reconciler.aws.item_memo import ItemMemo
    from reconciler.engine.run import Environment, run
    from reconciler.model import Policy

    aws = Aws(session, REGION, endpoint_url=sys.argv[3], memo=ItemMemo())
    for number in range(int(sys.argv[4]) if sys.argv[4:] else 1):
        if number == 1:
            _settle()
        document = load(Path(sys.argv[2], "document.json").read_bytes(), "document.json")
        assert run(document, Environment(aws, lambda: datetime.now(UTC), time.sleep), Policy()).in_sync


def _settle() -> None:
    """As at the end of a function's start: what is there is never collected."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _high_water() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 / (1024 if sys.platform == "darwin" else 1)


if __name__ == "__main__":
    if not sys.argv[1].endswith("-plain"):
        gc.disable()
    start()
    _settle()
    print(_high_water())
