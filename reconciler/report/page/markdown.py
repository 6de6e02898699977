"""The page of a run as GitHub Flavored Markdown, for pull requests, job summaries and chat. Pure.

The same as the HTML page, in the same order, without the picture of the network: `view.py` says what, this says how.
It is cut to the characters that it may have: details go first, then what matters least, and a line counts them all.
No HTML but `<details>`, and other people's words only in code spans (`gfm.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from reconciler.report.page import markdown_notes as beside
from reconciler.report.page import markdown_parts as parts
from reconciler.report.page.cutting import Block, Goes, Piece, Section, fitted, fixed, listed
from reconciler.report.page.gfm import code, fenced, head, prose, row
from reconciler.report.page.limits import LEAST_CHARACTERS, MOST_CHARACTERS
from reconciler.report.page.reading import Json
from reconciler.report.page.view import Head, Page, view

if TYPE_CHECKING:
    from datetime import datetime

    from reconciler.report.page.verdict import Grave, Verdict


def markdown(
    receipt: Json,
    *,
    history: Json | None = None,
    now: datetime | None = None,
    redact: bool = False,
    max_chars: int = MOST_CHARACTERS,
) -> str:
    """The page of a receipt in at most `max_chars` characters; the other parameters as of `view`.

    Raises `UnreadableReceipt`, and ValueError for fewer characters than LEAST_CHARACTERS.
    """
    if max_chars < LEAST_CHARACTERS:
        raise ValueError(f"a page needs room for {LEAST_CHARACTERS} characters")
    page = view(receipt, history=history, now=now, redact=redact)
    sections = list(_sections(page))
    shortened = any("..." in line for section in sections for block in section.blocks for line in _lines(block))

    def notice(left_out: Mapping[str, int]) -> str:
        told = (
            [f"Left out, to keep this within {max_chars:,} characters: {listed(left_out)}."]
            if any(left_out.values())
            else []
        )
        told += ["Long texts are shortened: they end in three dots."] if shortened else []
        told += ["`-o json` has all of it."] if told else []
        return f"> {' '.join(told)}" if told else ""

    return fitted(sections, max_chars, notice)


def _lines(block: Block) -> Iterator[str]:
    yield from block.before
    yield from (piece.text for piece in block.pieces)


def _sections(page: Page) -> Iterator[Section]:
    yield _verdict(page)
    yield _to_do(page.verdict)
    if page.complete:
        yield beside.days(page.history, page.head.document)
        yield beside.network(page.basis)
        yield parts.reach(page.lanes)
        yield parts.intents(page.intents)
        yield parts.differences(page.differences)
        yield parts.calls(page.calls)
        yield beside.notes(page.notes)
        if episodes := beside.history(page.history):
            yield episodes
    yield beside.rests_on(page.basis, redacted=page.redacted)


def _verdict(page: Page) -> Section:
    """What stays whatever else goes: which run, the verdict, and the figures."""
    verdict = page.verdict
    figures = verdict.figures
    table = (*head([one.label for one in figures]), row([prose(one.value) for one in figures])) if figures else ()
    blocks = [fixed(_about(page.head)), fixed(f"### {prose(verdict.heading, 300)}"), fixed(prose(verdict.lead))]
    return Section(_title(page.head), tuple(one for one in (*blocks, fixed(*table)) if any(one.before)))


def _title(told: Head) -> str:
    revision = f", revision {code(told.revision, 20)}" if told.revision is not None else ""
    return f"## Setpoint: {prose(told.mode, 20)} of {code(told.document, 70)}{revision}"


def _about(told: Head) -> str:
    known = (("account", told.account), ("", told.region), ("at", told.at), ("took", told.seconds), ("run", told.run))
    words = (f"{word} {code(value, 70)}".strip() for word, value in known if value)
    return ", ".join(words)


def _to_do(verdict: Verdict) -> Section:
    """The gravest sentences, what could not be seen, why a plan is held, and the commands that release it."""
    grave = (Piece(_grave(one), "sentence", Goes.GRAVE) for one in verdict.graves)
    unseen = (Piece(f"- **could not be seen** {prose(one)}", "remark", Goes.GRAVE) for one in verdict.unseen)
    held = (("The whole plan is held", verdict.held), ("The run says", verdict.problem))
    told = (Piece(f"- **{words}**: {prose(text, 1_000)}", "remark", Goes.GRAVE) for words, text in held if text)
    lines = (*grave, *unseen, *told)
    steps = "\n".join(("To do exactly this plan:\n", *fenced(verdict.steps), "", prose(verdict.release or "")))
    blocks = (
        Block((), lines),
        Block((), (Piece(steps, "command", Goes.CALL),)) if verdict.steps else Block(),
    )
    return Section("", tuple(one for one in blocks if one.pieces))


def _grave(one: Grave) -> str:
    numbers = ", ".join(map(str, one.numbers))
    where = f" ({'difference' if len(one.numbers) == 1 else 'differences'} {numbers})" if numbers else ""
    return f"- **{prose(one.severity.upper())}** {prose(one.sentence)}{where}"
