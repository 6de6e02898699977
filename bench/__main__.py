"""`make bench`: one table, every figure with its baseline from the same run. It only prints, and always exits with 0.

Nothing here reaches a network: answers are replayed on 127.0.0.1 (`server.py`), corrections run in the laboratory.
"""

from __future__ import annotations

import os
import platform
import time
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.artefact import artefact
from bench.figures import SIZES, Row, figures
from bench.pages import pages
from bench.server import LATENCY, replaying
from bench.several import several
from bench.worlds import reference, with_tables, write

_FOOTNOTES = """
Ratios are medians of n alternating pairs, ours / baseline; absolute times are of this machine.
Every answer is replayed after {latency:.0f} ms (an assumption); nothing here ran against AWS.
A group has 20 rules, each with its own ports. EC2 shows rules with the same protocol and ports as one permission, which
is less for botocore to parse: that is the second figure of own CPU.
A warm run has the items of the run before: only what changed is parsed. Own CPU is without them: processor time in a
warm process, for answers that botocore has parsed. The first run of a process parses every
CIDR and rule for the first time.
A document without scope.vpc_id costs a second round trip to find the VPC, unless it is remembered.
Peak memory is that of a process that imports everything, creates its clients, loads the document and runs once.
Several documents: leases and documents are asked of an emulator, at once. A look in turn waits while it is paid for; in
threads it takes what its processor time takes at Lambda's share of a core (computed). Deployed is: one at a time.
A cold start is a whole process of the artefact: all imports of the worker, clients, nine TLS connections, one run; ours
with pruned botocore data and the garbage collector off until then, stock with neither. Not measured here: handler entry
to the correcting call.
A page is opened from a file in an installed Chromium, until it has been painted twice.
"""


def main() -> None:
    begun = time.perf_counter()
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}\n")
    with TemporaryDirectory(prefix="setpoint-bench-") as folder:
        worlds = Path(folder)
        like = reference()
        for size in SIZES:
            write(worlds / str(size), like, size)
            write(worlds / f"{size}-changing", like, size, changing=True)
        write(worlds / "500-indented", like, 500, indented=True)
        write(worlds / "500-merged", like, 500, merged=True)
        several(worlds / "10", worlds / "several")
        write(worlds / "500-200-tables", with_tables(like, 200), 500)
        _print(Row("figure", "ours", "baseline", "target", None))
        with replaying(worlds) as url:
            for row in chain.from_iterable(figure() for figure in figures(worlds, url)):
                _print(row)
        (worlds / "scratch").mkdir()
        for row in artefact(worlds, worlds / "scratch"):
            _print(row)
        (worlds / "pages").mkdir()
        for row in pages(worlds / "pages"):
            _print(row)
    print(_FOOTNOTES.format(latency=LATENCY * 1000).rstrip())
    print(f"Taken in {time.perf_counter() - begun:.0f} s.")


def _print(row: Row) -> None:
    verdict = {None: "", True: "ok", False: "over"}[row.good]
    cells = f"{row.figure:<62} {row.ours:>19}  {row.baseline:<26} {row.target:<11} {verdict}"
    print(cells.rstrip() if row.ours or row.target else row.figure, flush=True)


if __name__ == "__main__":
    main()
