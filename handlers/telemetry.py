"""Logs and metrics of the Lambda functions: every line on stdout is one JSON object, sanitized and without secrets.

The functions wrap an invocation in `log_context`, the work on one document in `log_keys`, and pass each `AttemptResult`
to `emit`. Everything else uses the standard `logging` and comes out in the same format: the handler that the Lambda
runtime puts on the root logger (awslambdaric, by AWS_LAMBDA_LOG_FORMAT) is replaced, so no line comes twice or in
another format. Lambda passes on a line of JSON unchanged under both formats, and reads its level and time from `level`
and `timestamp` (Lambda developer guide, Configuring advanced logging controls).

Powertools is used only here: its Logger for the format and the keys, its Metrics for the embedded metrics.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
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
"""Bytes of one line, below the 64 KB that a log viewer shows whole."""
FRAMES, CAUSES = 8, 3
"""How many frames and causes of an exception are logged."""
FOREIGN = ("boto3", "botocore", "urllib3")
"""Libraries that log requests, headers and answers below WARNING."""

log = logging.getLogger(__name__)


class BrokenOffError(Exception):
    """Raised to Lambda in place of any other exception: its type and a safe text. The details are in the log."""


@contextmanager
def log_context(**keys: object) -> Iterator[None]:
    """During one invocation, everything is logged as lines of JSON with `keys`.

    An exception is logged here and raised as BrokenOffError, because the runtime prints its text as it is.
    """
    _claim()
    with log_keys(**keys):
        try:
            yield
        except Exception as error:
            log.exception("the function broke off")
            raise BrokenOffError(_summary(error)) from None


@contextmanager
def log_keys(**keys: object) -> Iterator[None]:
    """Adds `keys` to every line inside the block, in any thread."""
    logger = _logger(_service())
    before = {name: value for name, value in logger.get_current_keys().items() if name in keys}
    logger.append_keys(**keys)
    try:
        yield
    finally:
        logger.remove_keys(keys)
        logger.append_keys(**before)


def emit(result: AttemptResult) -> None:
    """Writes one line per record (records.py), and one object of metrics if there was a run."""
    for record in records(result):
        message = record.pop("message")
        log.log(_level(record), message, extra=record)
    if figures := metrics(result):
        properties = {
            "document": result.document,
            "run_id": result.run_id,
            "revision": result.report.document.revision if result.report else None,
        }
        _write(_embedded(figures, properties))


def emit_figures(figures: Mapping[str, float], run_id: str) -> None:
    """Writes one object of metrics that are about the whole deployment, by the names of UNITS."""
    _write(_embedded(figures, {"run_id": run_id}))


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
    """The level of a record; for that of a run, the highest level of anything that it counts."""
    values = {record.get(name) for name in ("outcome", "ended", "ending")} | set(record.get("counts", ()))
    return max([_LEVELS.get(str(value), logging.INFO) for value in values])


def _embedded(figures: Mapping[str, float], properties: Mapping[str, Any]) -> str:
    """The figures in CloudWatch's embedded metric format. `service` is the only dimension, because every value of a
    dimension is a metric of its own; document and run are properties, by which the log can be searched.
    """
    embedded = EphemeralMetrics(namespace=NAMESPACE, service=_service())
    for name, value in figures.items():
        embedded.add_metric(name, UNITS[name], value)
    for name, value in bounded(properties, WIDTH).items():
        if value is not None:
            embedded.add_metadata(name, value)
    return json.dumps(embedded.serialize_metric_set(), separators=(",", ":"))


def _service() -> str:
    return os.environ.get("POWERTOOLS_SERVICE_NAME", "").strip() or "setpoint"


@cache
def _logger(service: str) -> Logger:
    """Powertools' Logger for this service. Its formatter formats all lines."""
    root, own = logging.getLogger(), logging.getLogger(service)
    others, root.handlers[:] = root.handlers[:], []  # Powertools would put a filter on every handler that it finds
    logger = Logger(
        service=service,
        level=_threshold(),
        logger_handler=_handler(),
        json_serializer=_line,
        json_deserializer=str,  # a message that looks like JSON stays a string
        utc=True,
        use_rfc3339=True,
        name="%(name)s",
    )
    own.handlers.clear()  # only the root logger has the handler (`_claim`), or lines would come twice
    own.setLevel(logging.NOTSET)
    root.handlers[:] = others
    return logger


def _claim() -> None:
    """Take over the root logger and quiet the libraries; again in every invocation, which costs nothing."""
    logger = _logger(_service())
    root = logging.getLogger()
    root.handlers[:] = [logger.registered_handler]
    root.setLevel(_threshold())
    for name in FOREIGN:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _threshold() -> int:
    """The environment's log level, but not below Lambda's own. An unknown level counts as INFO: it is no reason to stop
    correcting drift.
    """
    levels = logging.getLevelNamesMapping()
    level = os.environ.get("SETPOINT_LOG_LEVEL") or os.environ.get("POWERTOOLS_LOG_LEVEL") or "INFO"
    of_lambda = levels.get(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper(), logging.NOTSET)
    return max(levels.get(level.strip().upper(), logging.INFO), of_lambda)


def _handler() -> logging.Handler:
    handler = _Lines()
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.split(".")[0] not in FOREIGN)
    return handler


class _Lines(logging.Handler):
    """Writes to the current stdout, which the Lambda runtime replaces after the import."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 (handleError would print the record's raw text to stderr)
            where = f"{record.filename}:{record.lineno}"
            fields = {"level": "ERROR", "message": "a line of the log could not be written", "location": where}
            line = json.dumps(bounded(fields | {"name": record.name, "error": type(error).__name__}, WIDTH))
        _write(line)


def _write(line: str) -> None:
    """One write per line: `print` makes two, and another thread may write in between."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _line(fields: dict[str, Any]) -> str:
    """The fields that Powertools gathered for a line, as one JSON object."""
    exception = fields.pop("stack_trace", None)
    for name in ("exception", "exception_name", "exception_notes", "sampling_rate"):
        fields.pop(name, None)
    fields["logger"] = fields.pop("name")
    if "record" in fields:
        del fields["location"], fields["logger"]  # always `emit`
    if exception:
        fields["error"] = _error(exception["value"])
    return json.dumps(bounded(fields, WIDTH), ensure_ascii=False, separators=(",", ":"))


def _error(error: BaseException) -> dict[str, Any]:
    """An exception's type, text, frames and causes: no source lines, no values of variables."""
    fields: dict[str, Any] = {"type": type(error).__name__, "message": safe_text(str(error))}
    fields["frames"] = _frames(error.__traceback__)
    causes: list[str] = []
    while len(causes) < CAUSES and (
        cause := error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    ):
        causes.append(_summary(cause))
        error = cause
    return fields | ({"causes": causes} if causes else {})


def _frames(where: TracebackType | None) -> list[str]:
    """The innermost frames, the last is where it was raised: `reconciler/engine/apply.py:120 perform`."""
    frames = traceback.extract_tb(where)[-FRAMES:]
    return [f"{'/'.join(PurePath(one.filename).parts[-2:])}:{one.lineno} {one.name}" for one in frames]


def _summary(error: BaseException) -> str:
    return f"{type(error).__name__}: {safe_text(str(error))}"
