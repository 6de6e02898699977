"""The manual door: a person or a program asks for one document to be planned or put right now, and gets the report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from handlers import telemetry
from handlers.stack import Stack, warm
from handlers.triggers import BadAsk, ask
from handlers.worker import Call, put_back
from reconciler.keep import Wish, keep
from reconciler.report.as_json import as_json
from reconciler.trigger import Source, Trigger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from reconciler.report.kept import Kept

FORMAT_VERSION = 1
LARGEST = 6 * 1024 * 1024 - 64 * 1024
"""Bytes of an answer: Lambda's limit is 6 MB (Lambda quotas, Invocation payload), and a little is kept free."""


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Answers how it ended, and the report where there is one (`answer`)."""
    with telemetry.voice(run_id=context.aws_request_id):
        call = Call(context.aws_request_id, lambda: context.get_remaining_time_in_millis() / 1000)
        return invoke(event, warm(context.invoked_function_arn), call)


def invoke(event: Any, stack: Stack, call: Call) -> dict[str, Any]:
    """The answer to one manual invoke; what cannot be done is answered, not raised."""
    try:
        asked = ask(event)
    except BadAsk as error:
        return {"format_version": FORMAT_VERSION, "run_id": call.run_id, "ending": "refused", "problem": str(error)}
    wish = Wish(
        write=asked.mode == "apply",
        only=frozenset(asked.only) or None,
        approve=asked.approve,
        accept_revision=asked.accept_revision,
    )
    trigger = Trigger(Source.MANUAL, asked.document)
    with telemetry.about(document=asked.document):
        kept = keep(asked.document, trigger, stack.means(call.run_id, call.seconds_left), wish)
    telemetry.tell(kept)
    returns = wish.write and kept.again > 0 and kept.report is not None and put_back(kept, stack)
    return answer(kept, returns=returns)


def answer(kept: Kept, *, returns: bool) -> dict[str, Any]:
    """`ending`, `problem` and `refusal` as `Kept` has them, the report as `setpoint plan -o json` prints it, and in how
    many seconds the worker goes on (null: nothing is left for it).

    What is longer than Lambda can answer is shortened list by list; `left_out` says of which how many.
    """
    told = {
        "format_version": FORMAT_VERSION,
        "run_id": kept.run_id,
        "document": kept.document,
        "ending": kept.ending.value,
        "problem": kept.problem or None,
        "refusal": kept.refusal or None,
        "again_in_seconds": kept.again if returns else None,
        "report": as_json(kept.report) if kept.report else None,
    }
    return _fitted(told) if kept.report else told


def _fitted(told: dict[str, Any]) -> dict[str, Any]:
    report = told["report"]
    left_out: dict[str, int] = {}
    while len(json.dumps(told).encode()) > LARGEST:
        lists = {name: value for name, value in report.items() if isinstance(value, list) and value}
        longest = max(lists, key=lambda name: len(json.dumps(lists[name])))
        kept = len(lists[longest]) // 2
        left_out[longest] = left_out.get(longest, 0) + len(lists[longest]) - kept
        report[longest] = lists[longest][:kept]
        told["left_out"] = left_out
    return told
