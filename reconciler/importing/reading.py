"""Reads that are made once, so that a new document is written from and proven on the same answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock
from typing import Any, cast

from reconciler.aws.client import THREADS, Aws, AwsError
from reconciler.aws.errors import Reaction
from reconciler.engine.observe import ObserveError
from reconciler.model import Cause
from reconciler.model.read import Read


class RememberedReads:
    """Reads of one account and region, each of which is made once: a second one has the same answer, or fails again.

    `aws` is what `observe` takes. A person waits for an import as long as its reads take (`patience`).
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._lock = Lock()
        self._counted = aws.reads
        self._answers: dict[Read, list[Any]] = {}
        self._problems: dict[Read, AwsError] = {}

    @property
    def aws(self) -> Aws:
        """Itself, for those that only read."""
        return cast("Aws", self)

    @property
    def patience(self) -> float | None:
        """How long reads may take together, in seconds, as `Aws` says."""
        return self._aws.patience

    def counted(self) -> int:
        """How many calls were sent since this was asked the last time."""
        made, self._counted = self._aws.reads - self._counted, self._aws.reads
        return made

    def read(self, read: Read) -> list[Any]:
        """Every item of `read`. Raises `AwsError`."""
        with self._lock:
            if read in self._answers:
                return self._answers[read]
            if read in self._problems:
                raise self._problems[read]
        try:
            answer = self._aws.read(read)
        except AwsError as error:
            with self._lock:
                self._problems[read] = error
            raise
        with self._lock:
            self._answers[read] = answer
        return answer

    def ahead(self, reads: Iterable[Read]) -> None:
        """Make these reads in parallel. Raises `ObserveError` if no call can work, because of the credentials."""
        with ThreadPoolExecutor(THREADS, thread_name_prefix="import") as pool:
            list(pool.map(self._tried, dict.fromkeys(reads)))
        for error in self._problems.values():
            if error.reaction is Reaction.STOP:
                problem = f"{error}: check the credentials, the profile and the region"
                raise ObserveError(replace(error.cause, message=problem)) from error

    def _tried(self, read: Read) -> None:
        try:
            self.read(read)
        except AwsError:
            return

    @property
    def answers(self) -> Mapping[Read, list[Any]]:
        return self._answers

    def problem(self, read: Read) -> Cause | None:
        """Why a read that was made has no answer; None if it has one."""
        error = self._problems.get(read)
        return error.cause if error else None
