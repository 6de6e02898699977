"""The manual door: a person or a program asks for one document to be planned or put right now, and gets the report."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from handlers import telemetry
from handlers.retry import put_back
from handlers.stack import Invocation, Stack, ready, warm
from handlers.triggers import InvalidRequest, read_request
from reconciler.attempt.keep import AttemptResult, Ending, Request, keep
from reconciler.model.trigger import Source, Trigger
from reconciler.redact import fit, redacted
from reconciler.report.as_json import as_json

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

FORMAT_VERSION = 1
LARGEST = 6 * 1024 * 1024 - 64 * 1024
"""Bytes of an answer: Lambda's limit is 6 MB (Lambda quotas, Invocation payload), and a little is kept free."""
MANY, DEEP = 1_000_000, 12
"""More members and levels than a report has: what is too long for an answer is cut where it can be told."""
LONGEST_TEXT = 64 * 1024
"""Characters of a problem or a refusal; as JSON each may take six bytes."""


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Answers how it ended, and the report where there is one (`answer`)."""
    with telemetry.log_context(run_id=context.aws_request_id):
        invocation = Invocation(context.aws_request_id, lambda: context.get_remaining_time_in_millis() / 1000)
        return invoke(event, warm(), invocation)


def invoke(event: Any, stack: Stack, invocation: Invocation) -> dict[str, Any]:
    """The answer to one manual invoke; what cannot be done is answered, not raised."""
    try:
        asked = read_request(event)
        if "only" in asked.model_fields_set and not asked.only:
            return _refused(
                invocation, "only: it is empty, which would be nothing; write some addresses, or leave it out"
            )
    except InvalidRequest as error:
        return _refused(invocation, str(error))
    request = Request(
        write=asked.mode == "apply",
        only=frozenset(asked.only) or None,
        approve=asked.approve,
        accept_revision=asked.accept_revision,
    )
    trigger = Trigger(Source.MANUAL, asked.document)
    with telemetry.log_keys(document=asked.document):
        result = keep(asked.document, trigger, stack.dependencies(invocation), request)
    telemetry.emit(result)
    if not (request.write and result.report and result.retry_after):
        return answer(result)
    if put_back(result, stack):
        return answer(result, again=result.retry_after)
    return answer(replace(result, problem="what is left could not be put on the queue: the next sweep goes on with it"))


def answer(result: AttemptResult, *, again: int | None = None) -> dict[str, Any]:
    """`ending`, `problem` and `refusal` as `AttemptResult` has them, the report as `setpoint plan -o json` prints it, and in how
    many seconds the worker goes on (null: it was not asked to); all without what looks like a secret.

    What is longer than Lambda can answer is shortened list by list; `left_out` says of which how many.
    """
    told = {
        "format_version": FORMAT_VERSION,
        "run_id": result.run_id,
        "document": result.document,
        "ending": result.ending.value,
        "problem": _short(result.problem) or None,
        "refusal": _short(result.refusal) or None,
        "again_in_seconds": again,
        "report": fit(as_json(result.report), MANY, DEEP, redacted) if result.report else None,
    }
    return _fitted(told) if result.report else told


def _refused(invocation: Invocation, problem: str) -> dict[str, Any]:
    """The answer to what no run was begun for."""
    return answer(AttemptResult("", invocation.run_id, Ending.REFUSED, Trigger(Source.MANUAL), problem=problem)) | {
        "document": None
    }


def _short(text: str) -> str:
    """A document may be refused for thousands of reasons: the first of them are told."""
    text = redacted(text)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."


def _fitted(told: dict[str, Any]) -> dict[str, Any]:
    report = told["report"]
    left_out: dict[str, int] = {}
    while len(json.dumps(told)) > LARGEST:
        lists = {name: value for name, value in report.items() if isinstance(value, list) and value}
        longest = max(lists, key=lambda name: len(json.dumps(lists[name])))
        result = len(lists[longest]) // 2
        left_out[longest] = left_out.get(longest, 0) + len(lists[longest]) - result
        report[longest] = lists[longest][:result]
        told["left_out"] = left_out
    return told


ready()
