"""A report as text for a terminal. Pure; the command line prints it and decides on colours.

Signs are Terraform's: `+` add, `~` change, `-` remove; `>` is what the document takes over. A `!` before the sign marks
what is not done: held, waiting, blocked or failed, with the reason below. Names, tags, descriptions and AWS's messages
are untrusted text: each is put on one line, with everything escaped that a terminal would act on.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from desired_state.fields import AclEntry, Address, RuleKey, traffic
from desired_state.members import OWN_TAGS, References
from desired_state.resource import SECTIONS, Resource
from desired_state.rules import Routes
from desired_state.sanitize import sanitize
from reconciler.model import ABSENT, Cause, Difference, Finding, Outcome, Reason, Unmanaged
from reconciler.model.guard import Stage, contained
from reconciler.model.times import minute_time
from reconciler.report import calls
from reconciler.report.by_aws import made_with_vpc
from reconciler.report.consequence import sentence as consequence
from reconciler.report.style import Style, plain
from reconciler.report.summary import NOT_DONE, closing, counted, expired
from reconciler.report.takeover import Takeover, adoption_done, beyond, takeovers

if TYPE_CHECKING:
    from desired_state.document import Document, DocumentException
    from reconciler.engine.result import Drift, Orphaned, PendingChange, Report

_SIGNS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}
_COLOURS = {
    Outcome.IN_SYNC: "green",
    Outcome.CORRECTED: "green",
    Outcome.HELD: "yellow",
    Outcome.WAITING: "cyan",
    Outcome.BLOCKED: "red",
    Outcome.FAILED: "red",
}
_WORD = re.compile(r"[A-Za-z0-9_./:@+-]+")


def text(report: Report, style: Style = plain) -> str:
    """The whole report, without a line break at the end; the last line is one sentence."""
    blocks = [[style(heading(report.document), "bold")], *_joined(_drifts(report, style))]
    if called := shown(lambda: calls.lines(report, style), "the calls", style):
        blocks.append(called)
    for part in (_notes, _intents, _openings):
        blocks += contained(
            lambda part=part: list(part(report, style)),  # type: ignore[misc] # the part of this round
            lambda cause: [[f"{style('!', 'red')}   a part of the report cannot be shown: {cause}"]],
            who="a part of the report",
            stage=Stage.TELLING,
        )
    return "\n\n".join("\n".join(block) for block in [*blocks, [sentence(report, style)]])


def _intents(report: Report, style: Style) -> Iterable[list[str]]:
    if report.intents is None:
        return ()
    from reconciler.report.run_intents import lines

    return lines(report, style)


def _openings(report: Report, style: Style) -> Iterator[list[str]]:
    """What the plan newly lets the internet reach."""
    if report.openings:
        from reconciler.report.flows import told

        first = "With this plan:" if not report.wrote or report.gate.plan_held else "With what was planned:"
        yield [style(first, "red"), *(f"  {style('CRITICAL', 'red')} {one}" for one in told(report.openings))]


def heading(document: Document) -> str:
    """The first line of every output: which account and region this is about."""
    scope = document.scope
    return (
        f"Account {scope.account_id}, {scope.region}: document {document.name}, revision {document.revision} "
        f"({sanitize(document.origin)})"
    )


def sentence(report: Report, style: Style = plain) -> str:
    """The closing sentence."""
    return style(*closing(report))


class _About(NamedTuple):
    """All that is told of one address; `id` is empty where the name says it, or nothing has it. `drifts` are without
    the tags of what is taken over, `losses` are what the calls take away besides what they resolve. `pending` has the
    live values with a change that is not in force yet, in words.
    """

    address: Address
    id: str
    taken: Takeover | None
    drifts: list[Drift]
    orphaned: list[Orphaned]
    findings: list[Finding]
    losses: list[str]
    pending: dict[str, str]


def _drifts(report: Report, style: Style) -> Iterator[list[str]]:
    """A block for every address with drift, an orphaned action or a finding."""
    orphaned, taken = report.orphaned, {one.address: one for one in takeovers(report)}
    rest = beyond(report, taken.values())
    addresses = [*(drift.address for drift in report.drifts), *taken, *(one.action.address for one in orphaned)]
    found = [one for one in report.findings if one.cause.reason is not Reason.INTENT_BROKEN]  # `_intents` tells those
    for address in dict.fromkeys([*addresses, *(one.address for one in found)]):
        about = _About(
            address,
            calls.named(report, address).removeprefix(sanitize(address)),
            taken.get(address),
            [drift for drift in rest if drift.address == address],
            [one for one in orphaned if one.action.address == address],
            [one for one in found if one.address == address],
            [one.loses for one in report.plan.actions if one.address == address and one.loses],
            {one.field: _in_words(one) for one in report.pending if one.address == address},
        )
        declared = about.drifts or about.taken or address in report.document.resources
        lines = partial(_block if declared else _undeclared, about, report.gate.plan_held, style)
        yield shown(lines, sanitize(address), style)


def shown(lines: Callable[[], Iterable[str]], about: str, style: Style = plain) -> list[str]:
    """The lines, or what is shown if they cannot be made: one line that cannot be said must not cost the report."""

    def instead(cause: Cause) -> list[str]:
        return [f"{style('!', 'red')}   {style(about, 'bold')}: it cannot be shown: {cause}"]

    return contained(lambda: list(lines()), instead, who=about, stage=Stage.TELLING)


def _takeover(one: Takeover, plan_held: Cause | None, style: Style) -> Iterator[str]:
    sign = f"{style('!', 'yellow') if one.outcome in NOT_DONE else ' '} {style('>', 'cyan')}"
    verb = "took over" if one.outcome is Outcome.CORRECTED else "takes over"
    yield f"{sign} {style(sanitize(one.address), 'bold')}  {verb} {sanitize(f'{one.id}{one.proof}{one.origin}')}"
    yield from _why(one.outcome, one.cause, plan_held, style)


def _joined(blocks: Iterable[list[str]]) -> list[list[str]]:
    """Consecutive blocks of one line become one block, without empty lines between them."""
    joined: list[list[str]] = []
    short = False
    for block in blocks:
        if short and len(block) == 1:
            joined[-1] += block
        else:
            joined.append(block)
        short = len(block) == 1
    return joined


def _block(about: _About, plan_held: Cause | None, style: Style) -> Iterator[str]:
    address, taken, drifts = about.address, about.taken, about.drifts
    name = style(sanitize(address), "bold")
    missing = next((drift for drift in drifts if not drift.field), None)
    if missing:
        yield f"{_signs(missing.outcome, missing.difference.sign, style)} {name}{_ending(missing.outcome, style)}"
        yield from _meaning(missing, style)
        yield from _why(missing.outcome, missing.cause, plan_held, style)
        want = missing.difference.want
        if missing.outcome is not Outcome.CORRECTED and isinstance(want, Resource):
            yield from (f"    {_signs(None, 'add', style)} {one}" for one in _contents(address, want))
    elif taken:
        yield from _takeover(taken, plan_held, style)
    else:
        known = style(about.id, "dim") if about.id else ""
        yield f"    {name}{known}" if not drifts else f"  {_sign('change', style)} {name}{known}"
    rest = [drift for drift in drifts if drift.field]
    causes = Counter((drift.outcome, drift.cause) for drift in rest)
    for drift in rest:
        line = f"{_told(drift, about.pending)}{_ending(drift.outcome, style)}"
        yield f"    {_signs(drift.outcome, drift.difference.sign, style)} {line}"
        yield from _meaning(drift, style)
        if causes[drift.outcome, drift.cause] == 1:
            yield from _why(drift.outcome, drift.cause, plan_held, style)
    for (outcome, cause), times in causes.items():
        if times > 1:  # a cause of several drifts is printed once, below them
            yield from _why(outcome, cause, plan_held, style)
    yield from (f"          {sanitize(loss)}" for loss in about.losses)
    for one in about.orphaned:
        yield f"    {_signs(one.outcome, 'remove', style)} {sanitize(one.action.why)}{_ending(one.outcome, style)}"
        yield from _why(one.outcome, one.cause, plan_held, style)
    told = {*causes, (taken.outcome, taken.cause)} if taken else set(causes)
    yield from (_finding(one, style) for one in about.findings if (one.outcome, one.cause) not in told)


def _in_words(one: PendingChange) -> str:
    """The words `db.t3.micro, pending db.t3.large`."""
    return f"{value(one.now)}, pending {value(one.accepted)}"


def _told(drift: Drift, pending: Mapping[str, str]) -> str:
    """The difference; of a field with a pending change also what is in force."""
    if drift.difference.key is None and drift.field in pending and drift.outcome is not Outcome.CORRECTED:
        return f"{drift.field}: {pending[drift.field]} -> {value(drift.difference.want)}"
    return difference(drift.difference)


def _meaning(drift: Drift, style: Style) -> Iterator[str]:
    """What a drift means from end to end."""
    if drift.consequence:
        yield f"          {style(consequence(drift.consequence, past=drift.outcome is Outcome.CORRECTED), 'dim')}"


def _undeclared(about: _About, plan_held: Cause | None, style: Style) -> Iterator[str]:
    """What is deleted because it is no longer declared."""
    name = style(sanitize(about.address), "bold") + (style(about.id, "dim") if about.id else "")
    for one in about.orphaned:
        line = f"{name}: {sanitize(one.action.why)}{_ending(one.outcome, style)}"
        yield f"{_signs(one.outcome, 'remove', style)} {line}"
        yield from _why(one.outcome, one.cause, plan_held, style)
    if about.findings and not about.orphaned:
        yield f"    {name}"
    yield from (_finding(one, style) for one in about.findings)


def _finding(one: Finding, style: Style) -> str:
    where = f"{one.field}: " if one.field else ""
    return f"    {style('!', 'yellow')}   {where}{_outcome(one.outcome, style)}: {sanitize(one.cause.message)}"


def _why(outcome: Outcome | None, cause: Cause | None, plan_held: Cause | None, style: Style) -> Iterator[str]:
    """Why something is not done, unless the whole plan is held, which is printed once at the end."""
    if outcome and cause and cause != plan_held:
        yield f"          {_outcome(outcome, style)}: {sanitize(cause.message)}"


def _sign(what: str, style: Style) -> str:
    return style(*_SIGNS[what])


def _signs(outcome: Outcome | None, what: str, style: Style) -> str:
    """Two columns: `!` if it is not done, and the sign."""
    return f"{style('!', 'yellow') if outcome in NOT_DONE else ' '} {_sign(what, style)}"


def _ending(outcome: Outcome | None, style: Style) -> str:
    return f" ({style('corrected', 'green')})" if outcome is Outcome.CORRECTED else ""


def _outcome(outcome: Outcome, style: Style) -> str:
    return style(outcome.value, _COLOURS[outcome])


def difference(one: Difference) -> str:
    """A difference on one line, without its sign: `ingress: tcp 22 from 0.0.0.0/0`, `routes: 0.0.0.0/0 via a -> b`."""
    field, key, want, have = one.field, one.key, one.want, one.have
    if not field:
        return "the whole resource is missing"
    if key is None:
        return f"{field}: {value(have)} -> {value(want)}"
    if one.sign == "change":
        return f"{field}: {_changed(one.address, field, key, want, have)}"
    return f"{field}: {_member(one.address, field, key, have if want is ABSENT else want)}"


def _changed(address: Address, field: str, key: Any, want: Any, have: Any) -> str:
    if isinstance(key, RuleKey):
        notes = (_quoted(one) if one else "no description" for one in (have, want))
        return f"{_member(address, field, key, None)} {' -> '.join(notes)}"
    if isinstance(have, AclEntry):
        return f"{_member(address, field, key, have)} -> {_entry(want, _preposition(address, field))}"
    return f"{_member(address, field, key, have)} -> {value(want)}"


def _member(address: Address, field: str, key: Any, inner: Any) -> str:
    """A member of a set or mapping: its key and its value."""
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
    """The values of a new resource, one a line, without the tags that this tool adds itself."""
    for name in sorted(resource.described(), key=lambda name: name == "tags"):
        held = getattr(resource, name)
        if isinstance(held, dict):
            shown = {key: inner for key, inner in held.items() if not str(key).startswith(OWN_TAGS)}
            yield from (f"{name}: {_member(address, name, key, inner)}" for key, inner in sorted(shown.items()))
        elif isinstance(held, frozenset):
            yield from (f"{name}: {_member(address, name, key, key)}" for key in sorted(held))
        elif held is not None:
            yield f"{name}: {value(held)}"


def value(thing: Any) -> str:
    """A value as text; anything but a plain word is quoted."""
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
    """What follows the drifts: a held plan, exceptions, unmanaged resources."""
    if report.gate.plan_held:
        held = style("The whole plan is held", "yellow")
        yield [f"{style('!', 'yellow')} {held}: {sanitize(report.gate.plan_held.message)}"]
    if report.plan.breaks and not report.wrote:
        yield [f"The plan removes or replaces {counted(report.plan.breaks, 'live member')}."]
    if report.excepted:
        active = (_exception(exception) for _, exception in report.excepted)
        yield ["Active exceptions:", *dict.fromkeys(active)]
    told = {(drift.address, drift.field) for drift in report.drifts if drift.outcome is not Outcome.CORRECTED}
    if pending := [one for one in report.pending if (one.address, one.field) not in told]:
        lines = (f"    {calls.named(report, one.address)} {one.field}: {_in_words(one)}" for one in pending)
        yield ["Accepted by AWS, and not in force yet:", *lines]
    if ended := expired(report):
        yield ["Expired exceptions:", *(_exception(one) for one in ended)]
    deleted = {one.action.address for one in report.orphaned}
    if unmanaged := [one for one in report.unmanaged if one.address not in deleted]:
        yield ["Live but not declared:", *_summed(report, unmanaged)]
    if number := len(report.untagged):
        verb = "does" if number == 1 else "do"
        yield [f"{counted(number, 'resource')} {verb} not carry Setpoint's tags yet; correct mode sets them."]
    if done := adoption_done(report):
        entries = "1 entry is" if done == 1 else f"{done} entries are"
        yield [f"adopt: {entries} done and may be taken out."]


def _exception(one: DocumentException) -> str:
    what = f"{sanitize(one.address)} {one.field}: {_excepted(one)}"
    return f"    {what}, until {minute_time(one.until)}: {_quoted(one.reason)}"


def _excepted(one: DocumentException) -> str:
    held = one.value
    if isinstance(held, RuleKey):
        return _member(one.address, one.field, held, None)
    if isinstance(held, tuple) and not isinstance(held, AclEntry):
        return _member(one.address, one.field, *held)
    return value(held)


def _summed(report: Report, unmanaged: Iterable[Unmanaged]) -> Iterator[str]:
    """A line for each, but one for all with the same remark if they are many: what another document owns."""
    alike: dict[str, list[Unmanaged]] = {}
    for one in unmanaged:
        alike.setdefault(one.remark, []).append(one)
    for remark, some in alike.items():
        if remark and len(some) > _MOST_ALIKE:
            yield f"    {len(some)} resources, each of which: {sanitize(remark)}"
        else:
            yield from (_unmanaged(report, one) for one in some)


_MOST_ALIKE = 3


def _unmanaged(report: Report, one: Unmanaged) -> str:
    owned = "; it has this document's tags: declare it, or let --prune delete it" if one.owned else ""
    remark = f"; {sanitize(one.remark)}" if one.remark else ""
    shown = sanitize(one.address) if one.address.name == one.id else f"{sanitize(one.address)} ({sanitize(one.id)})"
    made = "; made with the VPC" if made_with_vpc(report.last or report.first, one) else ""
    return f"    {shown}{made}{owned}{remark}"
