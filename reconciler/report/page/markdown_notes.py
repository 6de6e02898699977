"""What stands beside the run, as Markdown: the resources, exceptions and holds, the last days, what all of it rests on.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.report.page.basis import Basis, Fact, Found, Unmanaged
from reconciler.report.page.cutting import Goes, Piece, Section, fixed
from reconciler.report.page.gfm import code, prose, row
from reconciler.report.page.markdown_parts import bullets, folded, named, section, table
from reconciler.report.page.notes import Finding, Notes, Tolerated
from reconciler.report.page.past import Episode, History

MOST = 300
_GOES = {"critical": Goes.GRAVE, "high": Goes.HIGH}


def network(given: Basis) -> Section:
    """Which AWS resource each declared one is, and what is live without being declared. There is no map in Markdown."""
    known = (Piece(f"- {_found(one)}", "resource", Goes.DETAIL) for one in given.inventory)
    live = (Piece(f"- {_unmanaged(one)}", "resource that nobody declared", Goes.REST) for one in given.unmanaged[:MOST])
    others = len(given.unmanaged)
    return section(
        "The network",
        fixed(f"{_are(given.resources)} declared or known; {_are(others)} live without being declared."),
        bullets(live),
        folded("The declared resources", known),
        **{"resource": given.inventory_left_out, "resource that nobody declared": max(0, others - MOST)},
    )


def _are(number: int) -> str:
    return "1 resource is" if number == 1 else f"{number:,} resources are"


def _found(one: Found) -> str:
    words = (f"by {code(one.by)}" if one.by else "", prose(one.how) if one.how else "")
    return ", ".join((named(one.resource), *filter(None, words)))


def _unmanaged(one: Unmanaged) -> str:
    told = code(one.address) + (f" ({code(one.id)})" if one.id and not one.address.endswith(one.id) else "")
    told += "; it has the tags of this document" if one.owned else ""
    return told + (f": {prose(one.remark)}" if one.remark else "")


def notes(given: Notes) -> Section:
    """Exceptions, holds, what could not be seen, findings, changes that are not in force yet."""
    opened = (
        Piece(
            f"- **the plan lets {code(one.source)} reach {code(one.target)}** with {code(one.traffic)}"
            f"{'' if one.certain else ', perhaps'}",
            "opening",
            Goes.GRAVE,
        )
        for one in given.openings
    )
    blocks = bullets(opened), bullets(_notes(given))
    nothing = () if any(block.pieces for block in blocks) else (fixed("None."),)
    return section("Exceptions, holds, and what could not be seen", *nothing, *blocks, remark=given.left_out)


def _notes(given: Notes) -> Iterator[Piece]:
    for one in given.unseen:
        yield Piece(f"- could not be seen: {code(one.what)}: {prose(one.why)}", "remark", Goes.GRAVE)
    yield from (Piece(f"- {_finding(one)}", "remark", Goes.HIGH) for one in given.findings)
    yield from (Piece(_exception(one), "exception", Goes.MEDIUM) for one in given.exceptions)
    for hold in given.holds:
        held = f"{named(hold.resource)}{_when(hold.who, hold.since, hold.until, hold.left)}"
        yield Piece(f"- held by its tag: {held}", "hold", Goes.MEDIUM)
    for pending in given.pending:
        what = f"{named(pending.resource)} {code(pending.field)}"
        values = f"{code(pending.now)} now, {code(pending.accepted)} accepted"
        yield Piece(f"- accepted by AWS, not in force yet: {what}: {values}", "remark", Goes.LOW)
    for untagged in given.untagged:
        yield Piece(f"- without the tags of Setpoint yet: {named(untagged)}", "remark", Goes.DETAIL)


def _finding(one: Finding) -> str:
    told = f"{named(one.resource)}{f' {code(one.field)}' if one.field else ''}: {prose(one.outcome or 'found')}"
    why = f"{f' ({code(one.reason)})' if one.reason else ''}{f': {prose(one.message)}' if one.message else ''}"
    return told + why


def _exception(one: Tolerated) -> str:
    value = ", ".join(map(code, one.value.lines))
    note = f" {code(one.value.note)}" if one.value.note is not None else ""
    ends = f"until {code(one.until)}, {one.left} left" if one.left else f"**ended** {code(one.until)}"
    reason = f": {code(one.reason)}" if one.reason else ""
    return f"- exception: {named(one.resource)} {code(one.field or 'all of it')} {value}{note}; {ends}{reason}"


def _when(who: str | None, since: str | None, until: str | None, left: str | None) -> str:
    parts = (("by", who), ("since", since), ("until", until), ("left", left))
    return "".join(f", {word} {code(told)}" for word, told in parts if told)


def days(given: History, document: str) -> Section:
    """The last 30 days, in one sentence."""
    if given.unknown:
        told = f"a run knows only what it saw; {code(f'setpoint history {document}')} tells it, and `--history` adds it"
        return section("The last 30 days", fixed(f"Not at hand: {told}."))
    return section(f"The last {given.days} days", fixed(prose(given.sentence)))


def history(given: History) -> Section | None:
    """The last episodes; None without a history."""
    if given.unknown or not given.episodes:
        return None
    columns = ("From", "Until", "Severity", "Revision", "What", "Who", "How it ended", "Receipt")
    return section("History", table(columns, map(_episode, given.episodes)), episode=given.left_out)


def _episode(one: Episode) -> Piece:
    until = code(one.until) if one.until else "**still so**"
    lasted = f" ({code(one.lasted)})" if one.lasted else ""
    stood = f"; stood open at most {code(one.open_for)}" if one.open_for else ""
    cells = (
        code(one.since or "not known"),
        f"{until}{lasted}",
        prose((one.severity or "").upper()),
        code(one.revision) if one.revision else "",
        " ".join(map(code, filter(None, (one.address, one.text)))),
        code(one.who) if one.who else "not known",
        f"{prose(one.outcome or '')}{stood}",
        code(one.receipt) if one.receipt else "",
    )
    return Piece(row(cells), "episode", Goes.REST)


def rests_on(given: Basis, *, redacted: bool) -> Section:
    """What the page rests on: which text, which version, which run, what was assumed; and what it cannot know."""
    lines = (
        *(Piece(_fact(one), "detail", Goes.DETAIL) for one in given.facts),
        *(Piece(f"- assumed: {prose(one)}", "detail", Goes.DETAIL) for one in given.rests_on),
        *(
            Piece(f"- left out of the receipt: {_values(one)} of {code(one.name)}", "remark", Goes.HIGH)
            for one in given.left_out
        ),
    )
    policy = "; ".join(f"{code(one.name)} {_values(one)}" for one in given.policy)
    names = (
        "Accounts, addresses and people have short names here in place of their own."
        if redacted
        else "This text has account ids, addresses and names in it; `--redact` replaces them."
    )
    return section(
        "What it rests on",
        fixed(f"Setpoint judged configuration; whether somebody listens it does not know. Times are UTC. {names}"),
        bullets((*lines, *((Piece(f"- Policy: {policy}", "detail", Goes.DETAIL),) if policy else ()))),
    )


def _fact(one: Fact) -> str:
    return f"- {one.name}: {_values(one)}"


def _values(one: Fact) -> str:
    return ", ".join(map(code, one.values))
