"""A report for people at a terminal. Pure; the command line prints it and decides on colours.

Signs are Terraform's: `+` made, `~` changed, `-` taken away. A `!` before the sign marks what is not done: reported
only, held, waiting, blocked or failed, with the reason below. Names, tags, descriptions and AWS's messages are other
people's words: they stand on one line with everything that a terminal would act on escaped, and can forge nothing.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Any

from desired_state.fields import AclEntry, Address, RuleKey, traffic
from desired_state.members import References
from desired_state.resource import SECTIONS, Resource
from desired_state.rules import Routes
from desired_state.sanitize import sanitize
from reconciler.model import ABSENT, Finding, Outcome, Unmanaged
from reconciler.report.lines import Orphaned, expired, orphaned, outcomes, settled, sign

if TYPE_CHECKING:
    from desired_state.document import Document, DocumentException
    from reconciler.engine.result import Line, Report

Style = Callable[[str, str], str]
"""(text, "green" | "yellow" | "red" | "cyan" | "bold" | "dim") -> the text as it is to be printed."""

_SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}
_COLOURS = {
    Outcome.IN_SYNC: "green",
    Outcome.CORRECTED: "green",
    Outcome.HELD: "yellow",
    Outcome.WAITING: "cyan",
    Outcome.BLOCKED: "red",
    Outcome.FAILED: "red",
}
_LEFT = (Outcome.HELD, Outcome.WAITING, Outcome.BLOCKED, Outcome.FAILED)
_WORD = re.compile(r"[A-Za-z0-9_./:@+-]+")


def plain(text: str, _colour: str) -> str:
    """No style at all."""
    return text


def text(report: Report, style: Style = plain) -> str:
    """The whole report, without a line break at the end; the last line is one sentence."""
    blocks = [[style(heading(report.document), "bold")], *_together(_drifts(report, style)), *_notes(report, style)]
    return "\n\n".join("\n".join(block) for block in [*blocks, [sentence(report, style)]])


def heading(document: Document) -> str:
    """The first line of every output, so that nobody corrects the wrong account."""
    scope = document.scope
    return (
        f"Account {scope.account_id}, {scope.region}: document {document.name}, revision {document.revision} "
        f"({sanitize(document.origin)})"
    )


def sentence(report: Report, style: Style = plain) -> str:
    """The closing sentence."""
    ended = outcomes(report)
    rest = ", ".join(f"{ended[one.value]} {one.value}" for one in _LEFT if ended[one.value])
    calls = f"{_count(report.reads, 'read')}, {_count(report.writes, 'write')}"
    todo = len(report.lines) + len(orphaned(report))
    if settled(report) and not todo:
        owned = sum(resource.enforcement != "ignore" for resource in report.document.resources.values())
        excepted = f", {_count(len(report.tolerated), 'exception')} apart" if report.tolerated else ""
        resources = "1 resource is" if owned == 1 else f"{owned} resources are"
        return style(f"In sync: {resources} as declared{excepted}; {calls}.", "green")
    if not report.wrote:
        signs = [sign(line) for line in report.lines if line.outcome is None]
        signs += ["remove" for one in orphaned(report) if one.outcome is None]
        steps = ", ".join(f"{signs.count(one)} to {one}" for one in ("add", "change", "remove") if one in signs)
        return style(f"Plan: {steps or 'nothing to do'}{rest and '; '}{rest}. Nothing was changed.", "bold")
    done = ended[Outcome.CORRECTED.value]
    writes = _count(report.writes, "write")
    if settled(report):
        return style(f"Corrected {_count(done, 'difference')} with {writes}; the second look is in sync.", "green")
    if not report.writes:
        return style(f"Nothing was changed: {rest}.", "yellow")
    return style(f"Corrected {done} of {_count(todo, 'difference')} with {writes}; {rest}.", "yellow")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}" if number else f"no {thing}"


def _drifts(report: Report, style: Style) -> Iterator[list[str]]:
    """A block for every address that has anything to tell."""
    extra = orphaned(report)
    addresses = [line.address for line in report.lines] + [one.action.address for one in extra]
    for address in dict.fromkeys([*addresses, *(one.address for one in report.findings)]):
        lines = [line for line in report.lines if line.address == address]
        others = [one for one in extra if one.action.address == address]
        findings = [one for one in report.findings if one.address == address]
        if not lines and address not in report.document.resources:
            yield list(_undeclared(address, others, findings, report.gate.whole, style))
        else:
            yield list(_block(address, lines, others, findings, report.gate.whole, style))


def _together(blocks: Iterable[list[str]]) -> list[list[str]]:
    """Neighbouring blocks of one line each without an empty line between them."""
    joined: list[list[str]] = []
    short = False
    for block in blocks:
        if short and len(block) == 1:
            joined[-1] += block
        else:
            joined.append(block)
        short = len(block) == 1
    return joined


def _block(
    address: Address, lines: list[Line], extra: list[Orphaned], findings: list[Finding], whole: str, style: Style
) -> Iterator[str]:
    name = style(sanitize(address), "bold")
    new = next((line for line in lines if not line.field), None)
    if new:
        yield f"{_signs(new.outcome, sign(new), style)} {name}{_ending(new.outcome, style)}"
        yield from _why(new.outcome, new.message, whole, style)
        if new.outcome is not Outcome.CORRECTED and isinstance(new.want, Resource):
            yield from (f"    {_signs(None, 'add', style)} {one}" for one in _contents(address, new.want))
    else:
        yield f"    {name}" if not lines else f"  {_sign('change', style)} {name}"
    rest = [line for line in lines if line.field]
    reasons = Counter((line.outcome, line.message) for line in rest)
    for line in rest:
        yield f"    {_signs(line.outcome, sign(line), style)} {difference(line)}{_ending(line.outcome, style)}"
        if reasons[line.outcome, line.message] == 1:
            yield from _why(line.outcome, line.message, whole, style)
    for (outcome, message), times in reasons.items():
        if times > 1:  # one reason of several drifts stands once, below them
            yield from _why(outcome, message, whole, style)
    for one in extra:
        yield f"    {_signs(one.outcome, 'remove', style)} {sanitize(one.action.why)}{_ending(one.outcome, style)}"
        yield from _why(one.outcome, one.message, whole, style)
    yield from (_finding(one, style) for one in findings)


def _undeclared(
    address: Address, extra: list[Orphaned], findings: list[Finding], whole: str, style: Style
) -> Iterator[str]:
    """What goes because nobody declares it any more."""
    name = style(sanitize(address), "bold")
    for one in extra:
        told = f"{name}: {sanitize(one.action.why)}{_ending(one.outcome, style)}"
        yield f"{_signs(one.outcome, 'remove', style)} {told}"
        yield from _why(one.outcome, one.message, whole, style)
    if findings and not extra:
        yield f"    {name}"
    yield from (_finding(one, style) for one in findings)


def _finding(one: Finding, style: Style) -> str:
    where = f"{one.field}: " if one.field else ""
    return f"    {style('!', 'yellow')}   {where}{_outcome(one.outcome, style)}: {sanitize(one.message)}"


def _why(outcome: Outcome | None, message: str, whole: str, style: Style) -> Iterator[str]:
    """Why something is not done; what holds the whole plan is told once, below it."""
    if outcome and message and message != whole:
        yield f"          {_outcome(outcome, style)}: {sanitize(message)}"


def _sign(what: str, style: Style) -> str:
    return style(*_SIGNS[what])


def _signs(outcome: Outcome | None, what: str, style: Style) -> str:
    """Two columns: `!` for what is not done, and the sign."""
    return f"{style('!', 'yellow') if outcome in _LEFT else ' '} {_sign(what, style)}"


def _ending(outcome: Outcome | None, style: Style) -> str:
    return f" ({style('corrected', 'green')})" if outcome is Outcome.CORRECTED else ""


def _outcome(outcome: Outcome, style: Style) -> str:
    return style(outcome.value, _COLOURS[outcome])


def difference(line: Line) -> str:
    """One drift on one line, without its sign: `ingress: tcp 22 from 0.0.0.0/0`, `routes: 0.0.0.0/0 via a -> b`."""
    field, key, want, have = line.field, line.key, line.want, line.have
    if key is None:
        return f"{field}: {value(have)} -> {value(want)}"
    if sign(line) == "change":
        return f"{field}: {_changed(line.address, field, key, want, have)}"
    return f"{field}: {_member(line.address, field, key, have if want is ABSENT else want)}"


def _changed(address: Address, field: str, key: Any, want: Any, have: Any) -> str:
    if isinstance(key, RuleKey):
        notes = (_quoted(one) if one else "no description" for one in (have, want))
        return f"{_member(address, field, key, None)} {' -> '.join(notes)}"
    if isinstance(have, AclEntry):
        return f"{_member(address, field, key, have)} -> {_entry(want, _preposition(address, field))}"
    return f"{_member(address, field, key, have)} -> {value(want)}"


def _member(address: Address, field: str, key: Any, inner: Any) -> str:
    """A member of a set or mapping: its key and what stands under it."""
    if isinstance(key, RuleKey):
        rule = f"{traffic(key.protocol, key.first, key.last)} {_preposition(address, field)} {value(key.peer)}"
        return f"{rule} {_quoted(inner)}" if inner else rule
    if isinstance(inner, AclEntry):
        return f"{key} {_entry(inner, _preposition(address, field))}"
    collection = SECTIONS[address.kind].collection(field)
    if collection and issubclass(collection, References):
        return value(key)
    return f"{value(key)} {'via' if collection is Routes else '='} {value(inner)}"


def _entry(entry: AclEntry, preposition: str) -> str:
    return f"{entry.action} {traffic(entry.protocol, entry.first, entry.last)} {preposition} {value(entry.cidr)}"


def _preposition(address: Address, field: str) -> str:
    return "to" if getattr(SECTIONS[address.kind].collection(field), "end", "") == "destination" else "from"


def _contents(address: Address, resource: Resource) -> Iterator[str]:
    """What a new resource will hold, a line for each value; not the tags that this tool puts on by itself."""
    for name in sorted(resource.described(), key=lambda name: name == "tags"):
        held = getattr(resource, name)
        if isinstance(held, dict):
            shown = {key: inner for key, inner in held.items() if not str(key).startswith("setpoint:")}
            yield from (f"{name}: {_member(address, name, key, inner)}" for key, inner in sorted(shown.items()))
        elif isinstance(held, frozenset):
            yield from (f"{name}: {_member(address, name, key, key)}" for key in sorted(held))
        elif held is not None:
            yield f"{name}: {value(held)}"


def value(thing: Any) -> str:
    """A value as people read it; text that is no plain word stands in quotes."""
    match thing:
        case bool():
            return str(thing).lower()
        case None:
            return "unknown"
        case str():
            return thing if _WORD.fullmatch(thing) else _quoted(thing)
        case set() | frozenset():
            return f"[{', '.join(value(one) for one in sorted(thing, key=str))}]"
        case _:
            return sanitize(str(thing))


def _quoted(words: str) -> str:
    return sanitize(json.dumps(words, ensure_ascii=False))


def _notes(report: Report, style: Style) -> Iterator[list[str]]:
    """What stands below the drifts: a plan held as a whole, exceptions, neighbours."""
    if report.gate.whole:
        yield [f"{style('!', 'yellow')} {style('The whole plan is held', 'yellow')}: {sanitize(report.gate.whole)}"]
    if report.plan.breaks and not report.wrote:
        yield [f"The plan takes away {_count(report.plan.breaks, 'live member')}."]
    if report.tolerated:
        told = (_exception(tolerance) for _, tolerance in report.tolerated)
        yield ["Exceptions that hold:", *dict.fromkeys(told)]
    if ended := expired(report):
        yield ["Exceptions that have expired:", *(_exception(one) for one in ended)]
    going = {one.action.address for one in orphaned(report)}
    if staying := [one for one in report.unmanaged if one.address not in going]:
        yield ["Live and declared by nobody:", *map(_neighbour, staying)]


def _exception(one: DocumentException) -> str:
    until = f"{one.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"    {sanitize(one.address)} {one.field}: {_tolerated(one)}, until {until}: {_quoted(one.reason)}"


def _tolerated(one: DocumentException) -> str:
    held = one.value
    if isinstance(held, RuleKey):
        return _member(one.address, one.field, held, None)
    if isinstance(held, tuple) and not isinstance(held, AclEntry):
        return _member(one.address, one.field, *held)
    return value(held)


def _neighbour(one: Unmanaged) -> str:
    owned = "; it carries this document's tags: declare it, or let --prune delete it" if one.owned else ""
    shown = sanitize(one.address) if one.address.name == one.id else f"{sanitize(one.address)} ({sanitize(one.id)})"
    return f"    {shown}{owned}"
