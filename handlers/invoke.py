"""The function `invoke`: plans or applies one document now, and answers with the report."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from handlers import telemetry
from handlers.retry import put_back
from handlers.stack import Invocation, Stack, ready, warm
from handlers.triggers import InvalidRequest, read_request
from reconciler.attempt.keep import AttemptResult, Ending, Request, keep
from reconciler.model import Cause
from reconciler.model.guard import Stage, contained
from reconciler.model.trigger import Source, Trigger
from reconciler.redact import fit, redacted
from reconciler.report.as_json import as_json
from reconciler.report.fitting import cut_lists

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

FORMAT_VERSION = 1
LARGEST = 6 * 1024 * 1024 - 64 * 1024
"""Bytes of an answer: Lambda's limit of 6 MB (Lambda quotas, Invocation payload), less a reserve."""
LARGEST_PAGE = LARGEST // 2
"""Bytes of a page in it; the report is cut to the rest."""
MANY, DEEP = 1_000_000, 12
"""More members and levels than a report has, so that only `_fitted` shortens it, and `left_out` says so."""
MOST_CHANGES = 2_000
"""Of each list of what a revision changes."""
LONGEST_TEXT = 64 * 1024
"""Characters of a problem or a refusal; in JSON each may take six bytes."""


def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Returns how the attempt ended, and its report if there is one (`answer`)."""
    with telemetry.log_context(run_id=context.aws_request_id):
        invocation = Invocation(context.aws_request_id, lambda: context.get_remaining_time_in_millis() / 1000)
        return invoke(event, warm(), invocation)


def invoke(event: Any, stack: Stack, invocation: Invocation) -> dict[str, Any]:
    """The answer to one manual invocation; a refusal is an answer too, never an exception."""
    if isinstance(event, dict) and "fleet" in event:
        from handlers.fleet import answer as fleet

        return fleet(event, stack, invocation.run_id)
    try:
        given = read_request(event)
        if "only" in given.model_fields_set and not given.only:
            return _refused(invocation, "only: the list is empty; write some addresses, or leave it out")
    except InvalidRequest as error:
        return _refused(invocation, str(error))
    if given.mode == "apply" and stack.deployment.questions_only:
        return _refused(invocation, f"mode: this function only answers questions; invoke {stack.invoke_name} to apply")
    request = Request(
        write=given.mode == "apply",
        only=frozenset(given.only) or None,
        approve=given.approve,
        accept_revision=given.accept_revision,
        approve_revision=given.approve_revision,
    )
    trigger = Trigger(Source.MANUAL, given.document)
    with telemetry.log_keys(document=given.document):
        result = keep(given.document, trigger, stack.dependencies(invocation), request)
    telemetry.emit(result)
    if not (request.write and result.report and result.retry_after):
        return answer(result, page=given.page)
    if put_back(result, stack):
        return answer(result, again=result.retry_after, page=given.page)
    problem = "what is left could not be put on the queue; the next sweep continues it"
    return answer(replace(result, problem=problem), page=given.page)


def answer(
    result: AttemptResult, *, again: int | None = None, page: Literal["html", "markdown"] | None = None
) -> dict[str, Any]:
    """`ending`, `problem` and `refusal` as in `AttemptResult`, the report as `setpoint plan -o json` prints it, and in
    how many seconds the worker continues (null: it does not). Whatever looks like a secret is redacted. If a page was
    asked for, `page` has it as text; null, with the reason in `page_problem`, if it could not be made.

    A report that is too long for Lambda is shortened list by list; `left_out` counts what was left out of each.
    """
    content = {
        "format_version": FORMAT_VERSION,
        "run_id": result.run_id,
        "document": result.document,
        "ending": result.ending.value,
        "problem": _short(result.problem) or None,
        "refusal": _short(result.refusal) or None,
        "revision_change": _revision(result),
        "again_in_seconds": again,
        "report": fit(as_json(result.report), MANY, DEEP, redacted) if result.report else None,
    }
    if page:
        content |= _page(result, page)
    return _fitted(content) if result.report else content


def _page(result: AttemptResult, form: Literal["html", "markdown"]) -> dict[str, Any]:
    """The page of a run. The run is over: what goes wrong here must not hide how it ended."""

    def made() -> dict[str, Any]:
        from reconciler.report.page.forms import written
        from reconciler.report.receipt import receipt_of_attempt

        text = written(receipt_of_attempt(result), form)
        if (size := len(json.dumps(text))) > LARGEST_PAGE:
            return {"page": None, "page_problem": f"it takes {size:,} bytes of the {LARGEST_PAGE:,} that it may"}
        return {"page": text, "page_problem": None}

    def instead(cause: Cause) -> dict[str, Any]:
        return {"page": None, "page_problem": _short(cause.message)}

    return contained(made, instead, who="the page", stage=Stage.TELLING)


def _revision(result: AttemptResult) -> dict[str, Any] | None:
    """What a new version changes: one that is held, or that this attempt has accepted, or would."""
    if result.change is None:
        return None
    from reconciler.report.revision import as_json as written

    answered: dict[str, Any] = fit(written(result.change, held=bool(result.held)), MOST_CHANGES, DEEP, redacted)
    return answered


def _refused(invocation: Invocation, problem: str) -> dict[str, Any]:
    """The answer to a request that no run was started for."""
    return answer(AttemptResult("", invocation.run_id, Ending.REFUSED, Trigger(Source.MANUAL), problem=problem)) | {
        "document": None
    }


def _short(text: str) -> str:
    """A document may be refused for thousands of reasons: the first of them."""
    text = redacted(text)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."


def _fitted(content: dict[str, Any]) -> dict[str, Any]:
    """The answer with the report cut to what room there is, by the bytes that Lambda sends."""
    room = LARGEST - _sent(content | {"report": None, "left_out": None})
    report, left_out = cut_lists(content["report"], room, bytes_of=_sent)
    return content | {"report": report} | ({"left_out": left_out} if left_out else {})


def _sent(value: Any) -> int:
    return len(json.dumps(value))


ready()
