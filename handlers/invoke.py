"""The manual door: a person or a program asks for one document to be planned or put right now, and gets the report."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from handlers import telemetry
from handlers.again import put_back
from handlers.stack import Call, Stack, ready, warm
from handlers.triggers import BadAsk, ask
from reconciler.attempt.keep import Request, keep
from reconciler.model.trigger import Source, Trigger
from reconciler.redact import fit, redacted
from reconciler.report.as_json import as_json
from reconciler.report.attempt import AttemptResult, Ending

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
    with telemetry.voice(run_id=context.aws_request_id):
        call = Call(context.aws_request_id, lambda: context.get_remaining_time_in_millis() / 1000)
        return invoke(event, warm(), call)


def invoke(event: Any, stack: Stack, call: Call) -> dict[str, Any]:
    """The answer to one manual invoke; what cannot be done is answered, not raised."""
    try:
        asked = ask(event)
        if "only" in asked.model_fields_set and not asked.only:
            return _refused(call, "only: it is empty, which would be nothing; write some addresses, or leave it out")
    except BadAsk as error:
        return _refused(call, str(error))
    wish = Request(
        write=asked.mode == "apply",
        only=frozenset(asked.only) or None,
        approve=asked.approve,
        accept_revision=asked.accept_revision,
    )
    trigger = Trigger(Source.MANUAL, asked.document)
    with telemetry.about(document=asked.document):
        kept = keep(asked.document, trigger, stack.dependencies(call), wish)
    telemetry.tell(kept)
    if not (wish.write and kept.report and kept.again):
        return answer(kept)
    if put_back(kept, stack):
        return answer(kept, again=kept.again)
    return answer(replace(kept, problem="what is left could not be put on the queue: the next sweep goes on with it"))


def answer(kept: AttemptResult, *, again: int | None = None) -> dict[str, Any]:
    """`ending`, `problem` and `refusal` as `AttemptResult` has them, the report as `setpoint plan -o json` prints it, and in how
    many seconds the worker goes on (null: it was not asked to); all without what looks like a secret.

    What is longer than Lambda can answer is shortened list by list; `left_out` says of which how many.
    """
    told = {
        "format_version": FORMAT_VERSION,
        "run_id": kept.run_id,
        "document": kept.document,
        "ending": kept.ending.value,
        "problem": _short(kept.problem) or None,
        "refusal": _short(kept.refusal) or None,
        "again_in_seconds": again,
        "report": fit(as_json(kept.report), MANY, DEEP, redacted) if kept.report else None,
    }
    return _fitted(told) if kept.report else told


def _refused(call: Call, problem: str) -> dict[str, Any]:
    """The answer to what no run was begun for."""
    return answer(AttemptResult("", call.run_id, Ending.REFUSED, Trigger(Source.MANUAL), problem=problem)) | {
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
        kept = len(lists[longest]) // 2
        left_out[longest] = left_out.get(longest, 0) + len(lists[longest]) - kept
        report[longest] = lists[longest][:kept]
        told["left_out"] = left_out
    return told


ready()
