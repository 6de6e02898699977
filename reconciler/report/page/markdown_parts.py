"""The lists and tables of the page as Markdown: what differs, the lanes, the calls, the intents. Pure.

Each function returns one section; `markdown.py` puts them in the order of the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.report.page.calls import Call, Calls
from reconciler.report.page.cutting import Block, Goes, Piece, Section, fixed
from reconciler.report.page.differences import Difference, Differences, Entry
from reconciler.report.page.gfm import code, head, prose, row
from reconciler.report.page.intents import Intent, Intents
from reconciler.report.page.lanes import Lane, Lanes
from reconciler.report.page.resources import Past, Resource
from reconciler.report.page.words import Side

_GOES = {"critical": Goes.GRAVE, "high": Goes.HIGH, "medium": Goes.MEDIUM}
_IN_A_CELL = 6
"""The most resources that stand in a cell; the rest are among the details."""


def section(title: str, *blocks: Block, **left_out: int) -> Section:
    """A section of those blocks that have anything in them; `left_out` counts what the page itself leaves out."""
    return Section(f"### {title}", tuple(one for one in blocks if one.before or one.pieces), left_out)


def table(names: Sequence[str], rows: Iterable[Piece]) -> Block:
    """A table, or nothing without rows."""
    pieces = tuple(rows)
    return Block(tuple(head(names)), pieces) if pieces else Block()


def bullets(rows: Iterable[Piece]) -> Block:
    """A list, or nothing."""
    return Block((), tuple(rows))


def folded(title: str, rows: Iterable[Piece]) -> Block:
    """A list that the reader opens, or nothing. The title is Setpoint's own words."""
    pieces = tuple(rows)
    return Block((f"<details><summary>{title}</summary>\n",), pieces, ("\n</details>",)) if pieces else Block()


def named(resource: Resource) -> str:
    """A resource with its AWS id, if that is not its name."""
    known = resource.id and resource.id not in {resource.address, resource.name}
    return f"{code(resource.address)} ({code(resource.id)})" if known else code(resource.address)


def differences(given: Differences) -> Section:
    """A row for each difference; below, who made it, what it means, and why it ended as it did."""
    if not given.count:
        return section("What differs", fixed("Nothing."))
    pairs = [(entry, one) for entry in given.entries for one in entry.differences]
    pairs.sort(key=lambda pair: pair[1].number)
    columns = ("", "Resource", "What", "Severity", "Declared", "Live", "How it ended", "Calls")
    details = [
        Piece(f"- **{one.number}** {'; '.join(said)}", "detail", Goes.DETAIL)
        for entry, one in pairs
        if (said := _about(entry, one))
    ]
    unknown = [
        Piece(f"- {what}: {prose(why)}", "detail", Goes.REST)
        for what, why in (("Who made them", given.actors_unknown), ("Since when", given.since_unknown))
        if why
    ]
    return section(
        f"What differs ({given.count})",
        table(columns, (_difference(entry, one) for entry, one in pairs)),
        bullets(unknown),
        folded("Who, when and why", details),
        difference=given.left_out,
    )


def _difference(entry: Entry, one: Difference) -> Piece:
    places = [named(resource) for resource in entry.resources[:_IN_A_CELL]]
    if more := len(entry.resources) + entry.others - len(places):
        places.append(f"and {more} more")
    what = " ".join(word for word in (one.field or "the whole resource", one.key) if word)
    cells = (
        f"{one.number} {code(one.sign)}",
        ", ".join(places),
        code(what),
        (one.severity or "").upper(),
        _side(one.declared),
        _side(one.live),
        f"{prose(one.outcome or '')}{f' ({code(one.reason)})' if one.reason else ''}",
        ", ".join(map(str, one.calls)),
    )
    return Piece(row(cells), "difference", _GOES.get(one.severity or "", Goes.LOW), len(one.indexes))


def _side(side: Side) -> str:
    """One side of a difference in a cell: a whole resource has a line for each of its values."""
    if not side.there:
        return "*not there*"
    lines = ", ".join(map(code, side.lines))
    note = f" {code(side.note)}" if side.note is not None else ""
    return f"{lines}{note}{f' and {side.more} more' if side.more else ''}"


def _about(entry: Entry, one: Difference) -> list[str]:
    """What is known of a difference beside its sides. What is known of its resource stands with the first one."""
    told = [prose(text) for text in (one.sentence, one.reach, one.message) if text]
    if one is entry.differences[0]:
        for resource, past in zip(entry.resources, entry.pasts, strict=True):
            if said := ", ".join(_past(past)):
                told.append(f"{named(resource)}: {said}" if entry.merged else said)
        told += [named(resource) for resource in entry.resources[_IN_A_CELL:]]
        if entry.others:
            told.append(f"and at {entry.others} more resources")
    return [text.rstrip(".") for text in told]


def _past(past: Past) -> Iterator[str]:
    if who := past.actor:
        yield f"by {code(who.who)}"
        parts = (
            ("", who.call),
            ("", who.at),
            ("from ", who.source_ip),
            ("with ", who.user_agent),
            ("event ", who.event_id),
        )
        yield from (f"{word}{code(text)}" for word, text in parts if text)
    if past.since:
        yield f"seen first {code(past.since)}"
    if past.exposed:
        yield f"stood open at most {past.exposed}"
    if past.exposed_unknown:
        yield "how long it stood open is not known"


_BROKEN = (
    "**The rule was broken: something arrived that neither the state before nor the document allows, or something "
    "wanted was cut.**"
)
_MEANS = {
    "broken": "**RULE BROKEN**",
    "undeclared": "**not declared**",
    "missing": "declared",
    "declared_now": "declared",
    "throughout": "declared",
}
_LANE_GOES = {"broken": Goes.GRAVE, "undeclared": Goes.GRAVE, "throughout": Goes.REST}


def reach(given: Lanes) -> Section:
    """Who reaches what: a row for each lane, what is open and what changes first."""
    title = "Who reaches what, and what passes between the calls"
    if given.unknown:
        return section(title, fixed(f"Not known: {prose(given.unknown)}"))
    seen = "looked at" if given.basis == "seen" else "predicted"
    lead = f"Worked out from the configuration for {given.states} states of the network ({seen}); nothing was sent."
    if not given.all:
        lead = f"{lead} Nothing arrives anywhere."
    if given.broken:
        lead = f"{_BROKEN} {lead}"
    disagree = (
        Piece(
            f"- What was predicted and what was looked at differ; the look is right: {prose(one)}", "remark", Goes.HIGH
        )
        for one in given.disagree
    )
    rests = (Piece(f"- {prose(one)}", "detail", Goes.DETAIL) for one in given.rests_on)
    return section(
        title,
        fixed(lead),
        bullets(disagree),
        table(("From", "To", "Traffic", "Declared?", "What the calls do to it"), map(_lane, given.all)),
        folded("What that rests on", rests),
        lane=given.left_out,
    )


def _lane(lane: Lane) -> Piece:
    traffic = code(lane.traffic) + (f" {code(lane.addresses)}" if lane.addresses else "")
    means = _MEANS[lane.flow] + ("" if lane.certain else ", perhaps")
    cells = (code(lane.source), code(lane.target), traffic, means, prose(lane.verdict))
    return Piece(row(cells), "lane", _LANE_GOES.get(lane.flow, Goes.HIGH))


def calls(given: Calls) -> Section:
    """The calls in their order: of a plan what would be made, of an apply how each ended."""
    if not given.count:
        return section("The calls in order", fixed("None."))
    lines = (Piece(_call(one), "call", Goes.CALL) for one in given.calls)
    return section(f"The calls in order ({given.count})", bullets(lines), call=given.left_out)


def _call(one: Call) -> str:
    told = [
        f"- **{one.number}** {named(one.resource)}: {prose(one.why)}; {code(one.operation)}",
        f"risk {code(one.risk)}" if one.risk else "",
        prose(one.loses) if one.loses else "",
        f"resolves {', '.join(map(str, one.resolves))}" if one.resolves else "",
    ]
    ended = f"**{prose(one.ended)}**" if one.ended else ""
    why = [code(one.reason)] if one.reason else []
    why += [prose(one.message)] if one.message else []
    if ended:
        told.append(f"{ended}{f': {" ".join(why)}' if why else ''}")
    return "; ".join(part for part in told if part)


def intents(given: Intents) -> Section:
    """What the document wants of its traffic, the broken ones first."""
    if not given.count:
        return section("Intents", fixed("The document has none."))
    columns = ("Verdict", "What the document asks", "Why")
    details = (
        Piece(f"- {code(one.name)}: {'; '.join(said)}", "detail", Goes.DETAIL)
        for one in given.intents
        if (said := list(_more(one)))
    )
    return section(
        f"Intents ({given.kept} of {given.count} kept)",
        table(columns, map(_intent, given.intents)),
        folded("The paths, and what mends them", details),
        intent=given.left_out,
    )


def _intent(one: Intent) -> Piece:
    verdict = "KEPT" if one.status == "kept" else f"**{prose(one.status.upper())}**"
    notes = [prose(one.severity.upper())] if one.severity else []
    notes += ["partly"] if one.partly else []
    asked = f"{code(one.name)}, {code(one.expect)}{f', {code(one.enforcement)}' if one.enforcement else ''}"
    why = prose(one.whys[0]) if one.whys else ""
    goes = Goes.REST if one.status == "kept" else Goes.GRAVE
    return Piece(row((", ".join((verdict, *notes)), asked, why)), "intent", goes)


def _more(one: Intent) -> Iterator[str]:
    yield from map(prose, one.whys[1:])
    if one.pairs:
        more = f", and {one.pairs_left_out} more" if one.pairs_left_out else ""
        yield f"between {', '.join(map(code, one.pairs))}{more}"
    if one.path:
        yield f"path: {', then '.join(map(code, one.path))}"
    yield from (f"to mend it: {code(mend, 400)}" for mend in one.mends)
    if one.status != "kept" and one.after_plan:
        yield f"after this plan: {code(one.after_plan)}"
    if one.since:
        yield f"since {code(one.since)}"
    if one.tolerated_until:
        yield f"tolerated until {code(one.tolerated_until)}"
