"""What a whole process took: `python -I -S bench/process.py COMMAND...` runs it, and prints its figures as JSON.

A process of its own, small and by path: the peak memory of a child counts what its parent has at that moment.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple


class Taken(NamedTuple):
    """Seconds of wall and processor (user and system, with all children), and the MiB of the largest process."""

    wall: float
    cpu: float
    memory: float


def taken(command: list[str], environment: dict[str, str], folder: Path, codes: tuple[int, ...] = (0,)) -> Taken:
    """Run `command` in `folder` with this environment alone. Raises if its exit code is none of `codes`."""
    told = subprocess.run(
        [sys.executable, "-I", "-S", str(Path(__file__).resolve()), *command],
        env=environment,
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=900,
    )
    found = json.loads(told.stdout)
    if found["code"] not in codes:
        raise RuntimeError(f"{command[0]} ended with {found['code']}:\n{found['said'][-2000:]}")
    return Taken(found["wall"], found["cpu"], found["memory"])


def main() -> None:
    begun = time.perf_counter()
    with subprocess.Popen(
        sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    ) as one:
        assert one.stdout is not None
        said = one.stdout.read()
        _, status, used = os.wait4(one.pid, 0)
        wall = time.perf_counter() - begun
        one.returncode = os.waitstatus_to_exitcode(status)
    all_of_them = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    told = {
        "code": one.returncode,
        "wall": wall,
        "cpu": all_of_them.ru_utime + all_of_them.ru_stime,
        "memory": used.ru_maxrss / unit,
        "said": said.decode(errors="replace"),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
