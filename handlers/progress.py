"""The progress of a run on stderr, for the command line.

On a terminal, reads are one line that is rewritten; elsewhere they are summed up. A write is always a line of its own,
printed before the call is sent, so that it is known what was in flight if the run stops.
"""

from __future__ import annotations

import sys
from threading import Lock

from desired_state.sanitize import sanitize


class Progress:
    """Counts reads and prints lines, for several threads. `in_flight` is the last write that was started."""

    def __init__(self, *, live: bool) -> None:
        self.in_flight = ""
        self._live = live
        self._reads = 0
        self._rounds = 0
        self._lock = Lock()

    def read(self, operation: str) -> None:  # noqa: ARG002 (reads are counted, not listed)
        """A read is about to be sent."""
        with self._lock:
            self._rounds += not self._reads
            self._reads += 1
            if self._live:
                self._rewrite(self._summary())

    def throttled(self, operation: str, seconds: float) -> None:
        """AWS throttled a write, which is sent again after `seconds`."""
        with self._lock:
            self._line(f"{operation} is throttled: waiting {seconds:.1f} s")

    def write(self, action: str) -> None:
        """A write is about to be sent."""
        with self._lock:
            self._end_of_reads(summarize=self._rounds == 1)  # later reads before a write look up a single id
            self.in_flight = sanitize(action)
            self._line(action)

    def close(self) -> None:
        """The run has ended."""
        with self._lock:
            self._end_of_reads(summarize=True)
            self.in_flight = ""

    def _summary(self) -> str:
        verb = "reading" if self._rounds == 1 else "reading again"
        return f"{verb}: {self._reads} call{'' if self._reads == 1 else 's'}"

    def _end_of_reads(self, *, summarize: bool) -> None:
        if self._reads and self._live:
            self._rewrite("")
        elif self._reads and summarize:
            self._line(self._summary())
        self._reads = 0

    def _line(self, text: str) -> None:
        if self._live:
            self._rewrite("")
        print(f"  {sanitize(text)}", file=sys.stderr, flush=True)  # noqa: T201 (the terminal is what this is for)

    def _rewrite(self, text: str) -> None:
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)  # noqa: T201
