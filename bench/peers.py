"""`make bench-peers`: a calm `setpoint plan` beside other programs that look at the same network, as whole processes.

All ask the replaying server (`server.py`), in turns. Like `make bench` it only prints. Nothing reaches a network.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import custodian, terraform
from bench.calls import ACCOUNT, REGION
from bench.figures import ROOT, SIZES
from bench.process import Taken, taken
from bench.server import LATENCY, counted, replaying
from bench.worlds import reference, write

TIMES = {10: 9, 100: 7, 500: 5}
"""How often each is measured at each size; once more is thrown away."""
SLOW = 3
"""How often Terraform is, which takes minutes for 500 groups."""
LATEST = {10: 0.55, 100: 0.60, 500: 0.70}
"""The most of c7n's wall time that ours may take."""
_FOOTNOTES = """
Whole processes, in turns; medians of n. x: ours as a part of the other's, pair by pair. CPU: user and system, with all
children. Memory: the largest process. Every answer after {latency:.0f} ms (an assumption); nothing ran against AWS.
c7n: Cloud Custodian, seven policies in one process, its cache off. It checks seven conditions (bench/custodian.py), not
a desired state: it does not know which groups there should be, nor what is in them.
Terraform: `plan` of the generated groups alone, rules inline, each refreshed by a call of its own; without the network
around them. The other two read all of it.
"""

type Program = Callable[[int], Taken]


def main() -> None:
    begun = time.perf_counter()
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n")
    with TemporaryDirectory(prefix="setpoint-peers-") as folder:
        worlds, scratch = Path(folder, "worlds"), Path(folder, "scratch")
        worlds.mkdir()
        scratch.mkdir()
        like = reference()
        for size in SIZES:
            write(worlds / str(size), like, size)
            (worlds / str(size) / "GetCallerIdentity.xml").write_text(_IDENTITY)
            terraform.one_by_one(worlds / str(size))
        print(f"{'groups of 20 rules':<32}{'calls':>6}{'wall':>9}{'CPU':>9}{'memory':>10}   ours: wall, CPU, memory")
        with replaying(worlds) as url:
            for size in SIZES:
                for line in _lines(size, worlds, url, scratch):
                    print(line, flush=True)
    print(_FOOTNOTES.format(latency=LATENCY * 1000).rstrip())
    print(f"Taken in {time.perf_counter() - begun:.0f} s.")


_IDENTITY = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::{ACCOUNT}:user/bench</Arn><UserId>AIDA0000000000000BENCH</UserId><Account>{ACCOUNT}</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""


def environment(url: str, home: Path) -> dict[str, str]:
    """Of a program that may know nothing but the replaying server, with credentials that are made up."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _lines(size: int, worlds: Path, url: str, scratch: Path) -> Iterator[str]:
    home = scratch / str(size)
    home.mkdir()
    world, where = worlds / str(size), environment(f"{url}/{size}", home)
    ours = [sys.executable, "-c", "from handlers.cli import main; main()", "plan", str(world / "document.json")]
    programs: dict[str, Callable[[], Taken]] = {
        "Setpoint": lambda: taken(ours, where | {"PYTHONPATH": str(ROOT)}, home)
    }
    missing = {}
    for name, found in (
        ("c7n", custodian.program(where, home)),
        ("Terraform", terraform.program(world, where, home)),
    ):
        if isinstance(found, str):
            missing[name] = found
        else:
            programs[name] = found
    calls = {}
    for name, once in programs.items():
        counted(f"{url}/{size}")
        once()
        calls[name] = sum(counted(f"{url}/{size}").values())
    every = [_round(programs, number) for number in range(TIMES[size])]
    for name in programs:
        rounds = [one for one in every if name in one]
        middle = Taken(*(median(one[name][at] for one in rounds) for at in range(3)))
        cells = f"{calls[name]:>6}{middle.wall:>7.2f} s{middle.cpu:>7.2f} s{middle.memory:>6.0f} MiB"
        yield f"{f'{size} (n={len(rounds)})':<21}{name:<11}{cells}{_beside(name, size, rounds)}"
    for name, why in missing.items():
        yield f"{size:<21}{name:<11} not found ({why})"


def _round(programs: dict[str, Callable[[], Taken]], number: int) -> dict[str, Taken]:
    """Each once, every other time in the opposite order."""
    names = [name for name in programs if name != "Terraform" or number < SLOW]
    return {name: programs[name]() for name in (names if number % 2 else reversed(names))}


def _beside(name: str, size: int, rounds: list[dict[str, Taken]]) -> str:
    if name == "Setpoint":
        return ""
    wall, cpu, memory = (median(one["Setpoint"][at] / one[name][at] for one in rounds) for at in range(3))
    told = f"   {wall:.2f}x {cpu:.2f}x {memory:.2f}x"
    if name != "c7n":
        return told
    most = LATEST[size]
    return f"{told}   wall <= {most:.2f}x {'ok' if round(wall, 2) <= most else 'over'}"


if __name__ == "__main__":
    main()
