"""The calls to AWS: reads all pages, sends one write at a time, classifies errors, counts calls.

`observe.py` reads through it from several threads; `engine/writer.py` writes through it.
"""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    TokenRetrievalError,
)
from botocore.exceptions import (
    ConnectionError as NotConnectedError,
)
from botocore.parsers import ResponseParserError

from reconciler.aws.errors import LOST, NO_CREDENTIALS, UNSURE, Reaction, bare, reaction, refuses_role
from reconciler.model import Cause, Reason

if TYPE_CHECKING:
    import boto3

    from reconciler.aws.item_memo import ItemMemo
    from reconciler.model import Operation
    from reconciler.model.read import Read

_FAILURES = (ClientError, BotoCoreError, ResponseParserError, LookupError)
"""Everything botocore raises for a call. `ResponseParserError`, for an answer that is cut short or not XML, is not a
`BotoCoreError`, nor is the `KeyError` for XML that is not AWS's.
"""

READ_ATTEMPTS = 4
READ_TIMEOUT = 10
"""Seconds: with its attempts, a read that nobody answers ends within a run's time, and within half of a lease."""
FOR_THE_END = 15.0
"""Seconds of an invocation that no read may use: the messages and the lease need them."""
_HISTORY = {"attempts": 2, "connect": 2, "read": 5}
"""For CloudTrail, which is asked last, and whose answer a run can do without."""
WRITE_ATTEMPTS = 3
LONGEST_PAUSE = 8.0
THREADS = 10
"""One per read of a run in sync: with fewer, a run waits for AWS twice."""


class AwsError(Exception):
    """A call that failed. `code` is AWS's, or Setpoint's if AWS never answered. `unsure`: AWS may have carried it out
    anyway (unless it was throttled).
    """

    def __init__(self, operation: str, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{operation}: {code}: {message}")
        self.operation, self.code, self.message = operation, code, message
        self.unsure = bare(code) in UNSURE or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        self.reaction: Reaction = reaction(code, status, message)
        self._of_role = refuses_role(code, message)

    @property
    def cause(self) -> Cause:
        """For a report. All throttling codes become one, so that the same cause always reads the same."""
        code = "Throttling" if self.reaction is Reaction.RETRY else self.code
        if self._of_role:
            return Cause(Reason.ROLE_NOT_ACCEPTED, str(self), code)
        lost = self.unsure and self.reaction is Reaction.LOOK_AGAIN
        return Cause(Reason.ANSWER_LOST if lost else _REASONS[self.reaction], str(self), code)


_REASONS = {
    Reaction.RETRY: Reason.THROTTLED,
    Reaction.LOOK_AGAIN: Reason.STALE,
    Reaction.WAIT: Reason.BUSY,
    Reaction.SKIP: Reason.REFUSED,
    Reaction.STOP: Reason.CREDENTIALS,
}


class Aws:
    """One account and region. `reads` and `writes` count the calls that were sent.

    `on_read` is called with the operation before a read, `on_throttle` with the operation and the seconds to wait after
    a throttled write. `seconds_left` are those of the invocation: reads end before they do. With `memo`, items
    that EC2 has shown before are not parsed again.
    """

    def __init__(  # noqa: PLR0913 (what a connection consists of)
        self,
        session: boto3.Session,
        region: str,
        *,
        endpoint_url: str | None = None,
        version: str = "0",
        memo: ItemMemo | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_read: Callable[[str], None] = lambda operation: None,
        on_throttle: Callable[[str, float], None] = lambda operation, seconds: None,
    ) -> None:
        self.region = region
        self.reads = 0
        self.writes = 0
        self.seconds_left: Callable[[], float] = lambda: math.inf
        self._session, self._endpoint, self._version, self._memo = session, endpoint_url, version, memo
        self._sleep, self._on_read, self._on_throttle = sleep, on_read, on_throttle
        self._lock = threading.RLock()
        self._clients: dict[tuple[str, int], Any] = {}

    def open(self, *services: str) -> None:
        """Create the clients that read from these services now, instead of with the first read."""
        for service in services:
            self._client(service, READ_ATTEMPTS)

    @property
    def patience(self) -> float | None:
        """For how many seconds reads may still be waited for; None: for as long as they take."""
        left = self.seconds_left() - FOR_THE_END
        return None if math.isinf(left) else max(0.0, left)

    def read(self, read: Read) -> list[Any]:
        """Every item of `read`, from all pages. Raises `AwsError`; never returns a part."""
        if self.patience == 0:
            raise unanswered(read)
        self._on_read(read.operation)
        params = json.loads(read.params)
        items: list[Any] = []
        try:
            client = self._client(read.service, READ_ATTEMPTS)
            if read.page:
                pages = client.get_paginator(xform_name(read.operation)).paginate(
                    **params, PaginationConfig={"PageSize": read.page}
                )
                for page in pages:
                    self._count_read()
                    items.extend(_part(page, read.result, read.operation))
            else:
                self._count_read()
                answer = getattr(client, xform_name(read.operation))(**params)
                value: Any = answer
                for step in read.result.split("."):
                    value = _part(value, step, read.operation)
                items = value if isinstance(value, list) else [value]
        except _FAILURES as error:
            failure = _failure(read.operation, error)
            if failure.code in read.absent:
                return []
            raise failure from error
        return items

    def write(
        self, operation: Operation, params: Mapping[str, Any], before_resending: Callable[[], None] = lambda: None
    ) -> Mapping[str, Any]:
        """One mutating call, sent again only after throttling, and after `before_resending`. Raises `AwsError`, and
        whatever `before_resending` raises.

        boto3 must not retry it: most EC2 calls take no client token, so a retry after a lost answer would create a
        second VPC, or turn a success into `Duplicate` (EC2 API reference, Ensuring idempotency).
        """
        client = self._client(operation.service, 1)
        for attempt in range(1, WRITE_ATTEMPTS + 1):
            with self._lock:
                self.writes += 1
            try:
                answer: Mapping[str, Any] = getattr(client, xform_name(operation.name))(**params)
            except _FAILURES as error:
                failure = _failure(operation.name, error)
                if failure.reaction is not Reaction.RETRY or attempt == WRITE_ATTEMPTS:
                    raise failure from error
                pause = random.uniform(0.5, 1) * min(LONGEST_PAUSE, 2**attempt)  # noqa: S311 (jitter, no secret)
                self._on_throttle(operation.name, pause)
                self._sleep(pause)
                before_resending()
            else:
                return answer
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _count_read(self) -> None:
        with self._lock:
            self.reads += 1

    def _client(self, service: str, attempts: int) -> Any:
        with self._lock:
            if (service, attempts) not in self._clients:
                quick = service == "cloudtrail"
                client = self._session.client(
                    service,  # type: ignore[call-overload]
                    region_name=self.region,
                    endpoint_url=self._endpoint,
                    config=Config(
                        retries={
                            "mode": "standard",
                            "total_max_attempts": _HISTORY["attempts"] if quick else attempts,
                        },
                        connect_timeout=_HISTORY["connect"] if quick else 5,
                        read_timeout=_HISTORY["read"] if quick else READ_TIMEOUT if attempts > 1 else 30,
                        max_pool_connections=THREADS,
                        user_agent_appid=f"setpoint/{self._version}",  # type: ignore[call-arg]  # the stubs are behind
                    ),
                )
                if self._memo and service == "ec2" and attempts > 1:
                    self._memo.register(client)
                self._clients[service, attempts] = client
            return self._clients[service, attempts]


def unanswered(read: Read) -> AwsError:
    """A read that was not answered within the time of the run."""
    return AwsError(read.operation, LOST, "AWS did not answer within the time of this run", 503)


def _part(answer: Any, name: str, operation: str) -> Any:
    """A part of an answer. AWS sends an empty list as such, so an answer without the part is not one of AWS: a proxy
    or a login page that says 200, and never "there is none".
    """
    if not isinstance(answer, dict) or name not in answer:
        raise AwsError(operation, LOST, f"the answer has no {name}, so it is not one of AWS", 503)
    return answer[name]


def _failure(operation: str, error: Exception) -> AwsError:
    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        return AwsError(operation, answer.get("Code", "Unknown"), answer.get("Message", ""), status)
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, TokenRetrievalError)):
        return AwsError(operation, NO_CREDENTIALS, str(error))
    if isinstance(error, (HTTPClientError, NotConnectedError, ResponseParserError, LookupError)):
        return AwsError(operation, LOST, str(error), 503)
    return AwsError(operation, type(error).__name__, str(error))
