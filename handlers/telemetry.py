"""The voice of the Lambda functions: every line on stdout is one JSON object, and nothing in it is alive or secret.

The doors wrap an invocation in `log_context`, the work on one document in `log_keys`, and hand each `AttemptResult` to `emit`. All else
logs through the standard `logging` and comes out in the same form: whatever handler the Lambda runtime put on the root
logger (awslambdaric puts one, by AWS_LAMBDA_LOG_FORMAT) is replaced, so no line comes twice or in another shape. Lambda
passes a line that is JSON on as it is under both formats, and reads its level and time from `level` and `timestamp`
(Lambda developer guide, Configuring advanced logging controls).

Powertools is used here and nowhere else: its Logger for the form and the keys, its Metrics for the embedded metrics.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import PurePath
from types import TracebackType
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from reconciler.attempt.keep import AttemptResult
from reconciler.redact import safe_text
from reconciler.report.records import UNITS, LogRecord, bounded, metrics, records

NAMESPACE = "Setpoint"
WIDTH = 61_440
"""Bytes of one line, below the 64 KB that a log viewer still shows whole."""
FRAMES, CAUSES = 8, 3
"""How much is told of where an exception came from, and of what caused it."""
FOREIGN = ("boto3", "botocore", "urllib3")
"""Libraries that write requests, headers and answers into their log below WARNING."""

log = logging.getLogger(__name__)


class BrokenOffError(Exception):
    """What Lambda is told when a function ends in an exception: its type and a harmless text. All that is to be known
    of it stands in the log already.
    """


@contextmanager
def log_context(**keys: object) -> Iterator[None]:
    """For the length of one invocation, all that is logged comes out as lines of JSON that carry `keys`.

    What escapes is logged here and raised as BrokenOffError, since the runtime prints an exception's text as it is.
    """
    _claim()
    with log_keys(**keys):
        try:
            yield
        except Exception as error:
            log.exception("the function broke off")
            raise BrokenOffError(_said(error)) from None


@contextmanager
def log_keys(**keys: object) -> Iterator[None]:
    """For the length of one piece of work, every line carries `keys` too, in whatever thread it is logged."""
    logger = _logger(_service())
    before = {name: value for name, value in logger.get_current_keys().items() if name in keys}
    logger.append_keys(**keys)
    try:
        yield
    finally:
        logger.remove_keys(keys)
        logger.append_keys(**before)


def emit(result: AttemptResult) -> None:
    """A line for each record of what happened (records.py), and one object of metrics if anything ran."""
    for record in records(result):
        message = record.pop("message")
        log.log(_level(record), message, extra=record)
    if figures := metrics(result):
        _write(_embedded(result, figures))


_LEVELS = {
    "failed": logging.ERROR,
    "unobservable": logging.ERROR,
    "refused": logging.ERROR,
    "unknown": logging.WARNING,
    "held": logging.WARNING,
    "blocked": logging.WARNING,
    "deleted": logging.WARNING,
}


def _level(record: LogRecord) -> int:
    """How loud: for the record of a run, as loud as the loudest that it counts."""
    words = {record.get(name) for name in ("outcome", "ended", "ending")} | set(record.get("counts", ()))
    return max([_LEVELS.get(str(word), logging.INFO) for word in words])


def _embedded(result: AttemptResult, figures: dict[str, float]) -> str:
    """The figures in CloudWatch's embedded metric format. `service` is the only dimension: a name of a
    document or a run would make a metric of its own each time; they are properties, by which the log can be searched.
    """
    embedded = EphemeralMetrics(namespace=NAMESPACE, service=_service())
    for name, value in figures.items():
        embedded.add_metric(name, UNITS[name], value)
    properties = {
        "document": result.document,
        "run_id": result.run_id,
        "revision": result.report.document.revision if result.report else None,
    }
    for name, value in bounded(properties, WIDTH).items():
        if value is not None:
            embedded.add_metadata(name, value)
    return json.dumps(embedded.serialize_metric_set(), separators=(",", ":"))


def _service() -> str:
    return os.environ.get("POWERTOOLS_SERVICE_NAME", "").strip() or "setpoint"


@cache
def _logger(service: str) -> Logger:
    """Powertools' Logger for this service. Its formatter is the one that all lines go through."""
    root, own = logging.getLogger(), logging.getLogger(service)
    others, root.handlers[:] = root.handlers[:], []  # Powertools would put a filter on every handler that it finds here
    logger = Logger(
        service=service,
        level=_loudness(),
        logger_handler=_handler(),
        json_serializer=_line,
        json_deserializer=str,  # a message that looks like JSON is a message
        utc=True,
        use_rfc3339=True,
        name="%(name)s",
    )
    own.handlers.clear()  # the handler hangs on the root logger alone (`_claim`), so that no line comes twice
    own.setLevel(logging.NOTSET)
    root.handlers[:] = others
    return logger


def _claim() -> None:
    """Make the root logger ours, and libraries quiet; anew in every invocation, which costs nothing."""
    logger = _logger(_service())
    root = logging.getLogger()
    root.handlers[:] = [logger.registered_handler]
    root.setLevel(_loudness())
    for name in FOREIGN:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _loudness() -> int:
    """The level that the environment asks for, and never below what Lambda itself lets through. A word that is no level
    is no reason to stop correcting: it counts as INFO.
    """
    levels = logging.getLevelNamesMapping()
    asked = os.environ.get("SETPOINT_LOG_LEVEL") or os.environ.get("POWERTOOLS_LOG_LEVEL") or "INFO"
    let_through = levels.get(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper(), logging.NOTSET)
    return max(levels.get(asked.strip().upper(), logging.INFO), let_through)


def _handler() -> logging.Handler:
    handler = _Lines()
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.split(".")[0] not in FOREIGN)
    return handler


class _Lines(logging.Handler):
    """Writes to the stdout of now, which the Lambda runtime replaces after the import, each line in one piece."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 (the standard way out prints the raw text of the record to stderr)
            where = f"{record.filename}:{record.lineno}"
            told = {"level": "ERROR", "message": "a line of the log could not be written", "location": where}
            line = json.dumps(bounded(told | {"name": record.name, "error": type(error).__name__}, WIDTH))
        _write(line)


def _write(line: str) -> None:
    """One write for a line and its end: `print` makes two, between which another thread may write."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _line(told: dict[str, Any]) -> str:
    """What Powertools gathered for a line, as one JSON object."""
    exception = told.pop("stack_trace", None)
    for name in ("exception", "exception_name", "exception_notes", "sampling_rate"):
        told.pop(name, None)
    told["logger"] = told.pop("name")
    if "record" in told:
        del told["location"], told["logger"]  # always `emit`
    if exception:
        told["error"] = _error(exception["value"])
    return json.dumps(bounded(told, WIDTH), ensure_ascii=False, separators=(",", ":"))


def _error(error: BaseException) -> dict[str, Any]:
    """An exception without anything but its words and where it came from: no source lines, no values of variables."""
    told: dict[str, Any] = {"type": type(error).__name__, "message": safe_text(str(error))}
    told["frames"] = _frames(error.__traceback__)
    causes: list[str] = []
    while len(causes) < CAUSES and (
        cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    ):
        causes.append(_said(cause))
        error = cause
    return told | ({"causes": causes} if causes else {})


def _frames(where: TracebackType | None) -> list[str]:
    """The innermost frames, the last one where it was raised: `reconciler/engine/apply.py:120 perform`."""
    frames = traceback.extract_tb(where)[-FRAMES:]
    return [f"{'/'.join(PurePath(one.filename).parts[-2:])}:{one.lineno} {one.name}" for one in frames]


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {safe_text(str(error))}"
