"""What every form of a report contains: counts by outcome, expired exceptions, and the closing sentence. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Literal

from desired_state.document import DocumentException
from reconciler.model import Finding, Outcome, Reason
from reconciler.report.takeover import Takeover, beyond, takeovers

if TYPE_CHECKING:
    from reconciler.engine.result import Drift, Orphaned, Report

NOT_DONE = (Outcome.HELD, Outcome.WAITING, Outcome.BLOCKED, Outcome.FAILED)


def counts(report: Report) -> dict[str, int]:
    """How many drifts, findings and orphaned actions there are by outcome; `planned`: nothing was tried yet."""
    return {"planned": report.count(None)} | {outcome.value: report.count(outcome) for outcome in Outcome}


def expired(report: Report) -> tuple[DocumentException, ...]:
    """The exceptions of the document that have expired."""
    return tuple(one for one in report.document.exceptions if one.until <= report.started)


def closing(report: Report) -> tuple[str, Literal["green", "yellow", "bold"]]:
    """The closing sentence and its style. What is taken over counts once, and not as two differing tags."""
    taken = takeovers(report)
    told: tuple[Drift | Takeover | Orphaned | Finding, ...]
    told = (*beyond(report, taken), *taken, *report.orphaned, *report.findings)
    broken = sum(one.cause.reason is Reason.INTENT_BROKEN for one in report.findings)
    ended = Counter(one.outcome for one in told)
    ended[Outcome.BLOCKED] -= broken  # told by its own name: nothing of the plan is blocked by it
    parts = [f"{ended[one]} {one.value}" for one in NOT_DONE if ended[one]]
    rest = ", ".join([*parts, *([f"{counted(broken, 'intent')} broken"] if broken else ())])
    if report.in_sync and not (report.drifts or report.orphaned):
        calls = f"{counted(report.reads, 'read')}, {counted(report.writes, 'write')}"
        owned = sum(resource.enforcement != "ignore" for resource in report.document.resources.values())
        excepted = f", with {counted(len(report.excepted), 'exception')}" if report.excepted else ""
        resources = "1 resource is" if owned == 1 else f"{owned} resources are"
        return f"In sync: {resources} as declared{excepted}; {calls}.", "green"
    if not report.wrote:
        return f"Plan: {_planned(report, taken, rest)}", "bold"
    if not (report.in_sync or report.writes):
        return f"Nothing was changed: {rest}.", "yellow"
    return _done(report, taken, rest), "green" if report.in_sync else "yellow"


def _planned(report: Report, taken: Iterable[Takeover], rest: str) -> str:
    going = [one for one in taken if one.outcome is None]
    signs = [drift.difference.sign for drift in beyond(report, taken) if drift.outcome is None]
    signs += ["remove" for one in report.orphaned if one.outcome is None]
    takes = f"takes over {counted(len(going), 'resource')}"
    if going and not (signs or rest):
        return f"{takes} with {counted(len(report.plan.actions), 'tag call')}, and changes nothing else."
    steps = [takes] if going else []
    steps += [f"{signs.count(one)} to {one}" for one in ("add", "change", "remove") if one in signs]
    return f"{'; '.join(filter(None, (', '.join(steps), rest))) or 'nothing to do'}. Nothing was changed."


def _done(report: Report, taken: Collection[Takeover], rest: str) -> str:
    took = sum(one.outcome is Outcome.CORRECTED for one in taken)
    tags = sum(drift.outcome is Outcome.CORRECTED for one in taken for drift in one.drifts)
    others = len(beyond(report, taken)) + len(report.orphaned)
    steps = [("took over", took, len(taken), "resource")] if taken else []
    if others or not taken:
        steps.append(("corrected", report.count(Outcome.CORRECTED) - tags, others, "difference"))
    done = " and ".join(
        f"{verb} {'' if report.in_sync else f'{number} of '}{counted(total, thing)}"
        for verb, number, total, thing in steps
    )
    calls = counted(report.writes, "tag call" if taken and not others else "write")
    return f"{done[:1].upper()}{done[1:]} with {calls}; {rest or 'the second look is in sync'}."


def counted(number: int, thing: str) -> str:
    """`no thing`, `1 thing`, `2 things`."""
    return f"{number} {thing}{'' if number == 1 else 's'}" if number else f"no {thing}"
