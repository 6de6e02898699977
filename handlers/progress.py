"""What a run is doing, told on stderr while it does it. The command line makes one for every run.

On a terminal reads are one line that is rewritten; elsewhere they are summed up. A write is always a line of its own,
printed before the call is made, so that whatever happens afterwards it is known what was in flight.
"""

from __future__ import annotations

import sys
from threading import Lock

from desired_state.sanitize import sanitize

_READING = "reading "


class Progress:
    """Counts and tells; `in_flight` is the last write that was begun. Reads report from several threads."""

    def __init__(self, *, live: bool) -> None:
        self.in_flight = ""
        self._live = live
        self._reads = 0
        self._looks = 0
        self._lock = Lock()

    def looking(self, text: str) -> None:
        """A read is about to be sent, or AWS asks for patience."""
        with self._lock:
            if not text.startswith(_READING):
                self._line(text)
                return
            self._looks += not self._reads
            self._reads += 1
            if self._live:
                self._rewrite(self._summary())

    def doing(self, text: str) -> None:
        """A write is about to be sent."""
        with self._lock:
            self._end_of_look(told=self._looks == 1)  # later ones are of a single id
            self.in_flight = sanitize(text)
            self._line(text)

    def close(self) -> None:
        """The run is over: nothing is in flight any more."""
        with self._lock:
            self._end_of_look(told=True)
            self.in_flight = ""

    def _summary(self) -> str:
        what = "looking" if self._looks == 1 else "looking again"
        return f"{what}: {self._reads} read{'' if self._reads == 1 else 's'}"

    def _end_of_look(self, *, told: bool) -> None:
        if self._reads and self._live:
            self._rewrite("")
        elif self._reads and told:
            self._line(self._summary())
        self._reads = 0

    def _line(self, text: str) -> None:
        if self._live:
            self._rewrite("")
        print(f"  {sanitize(text)}", file=sys.stderr, flush=True)  # noqa: T201 (the terminal is what this is for)

    def _rewrite(self, text: str) -> None:
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)  # noqa: T201
