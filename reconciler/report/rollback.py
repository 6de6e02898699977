"""What a rollback would do, in words and as JSON values: which text it takes, what to know before, what differs. Pure.

The plan and what the text changes in meaning are told as those of any other document (`text.py`, `revision.py`).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from desired_state.rollback import Choice
from desired_state.sanitize import sanitize
from reconciler.model.times import iso_time
from reconciler.report.style import Style, plain
from reconciler.revision.rollback import Topic, Warned

FORMAT_VERSION = 1
MOST_LINES = 400
"""The most lines of a diff that a person is shown; JSON has MOST_LINES_OF_JSON."""
MOST_LINES_OF_JSON = 20_000
_TITLES = {
    Topic.NEVER_TAKEN_BACK: "AWS never takes back",
    Topic.DATABASE_LEFT: "a database",
    Topic.DATABASE_MISSING: "a database",
    Topic.INTENT_BROKEN: "an intent is broken",
    Topic.EXCEPTION_ENDED: "an exception has ended",
    Topic.DECLARED_SINCE: "declared since",
}
"""What goes before the words of a warning, the gravest first."""
_ORDER = tuple(_TITLES)


@dataclass(frozen=True)
class Rollback:
    """One rollback: `data` is the text that is to become the newest version of `document`. `deleted`: its object is
    deleted now. `reason` is the person's, empty if none was given.
    """

    document: str
    choice: Choice
    data: bytes
    warnings: tuple[Warned, ...]
    deleted: bool = False
    reason: str = ""

    def told(self) -> tuple[Warned, ...]:
        """The warnings, the gravest first."""
        return tuple(sorted(self.warnings, key=lambda one: _ORDER.index(one.topic)))

    def diff(self, most: int) -> tuple[list[str], int]:
        """The lines in which the newest text and the new one differ, safe to show, and how many were left out."""
        newest = self.choice.newest
        before, after = (
            data.decode(errors="replace").expandtabs().splitlines() for data in (newest.data or b"", self.data)
        )
        names = f"revision {newest.revision or 'unknown'}", f"revision {self.choice.number}"
        lines = [sanitize(line.rstrip("\n")) for line in difflib.unified_diff(before, after, *names, n=2, lineterm="")]
        return lines[:most], max(0, len(lines) - most)


def text(rollback: Rollback, style: Style = plain) -> str:
    """Which text is taken, what to know before, and the diff."""
    return "\n".join(_lines(rollback, style))


def _lines(rollback: Rollback, style: Style) -> Iterator[str]:
    choice = rollback.choice
    yield style(f"{rollback.document}: back to revision {choice.to}, as revision {choice.number}", "bold")
    yield f"  its text     {choice.target}"
    yield f"  in place of  {_newest(rollback)}"
    if choice.newest.note and not rollback.deleted:
        reason = f": {choice.newest.note.reason}" if choice.newest.note.reason else ""
        yield f"               which is a rollback to revision {choice.newest.note.to} itself{reason}"
    if rollback.reason:
        yield f"  reason       {sanitize(rollback.reason)}"
    if warnings := rollback.told():
        yield ""
        yield style("Before you do it:", "bold")
        for one in warnings:
            yield f"  {style(_TITLES[one.topic], 'yellow')}: {one.words}"
    lines, left_out = rollback.diff(MOST_LINES)
    yield ""
    if not lines:
        yield "The two texts are the same."
        return
    yield style("What differs in the text:", "bold")
    yield from (f"  {style(line, _COLOURS.get(line[0], 'dim'))}" for line in lines)
    if left_out:
        yield f"  {left_out} further lines; -o json has them"


_COLOURS = {"+": "green", "-": "red"}


def _newest(rollback: Rollback) -> str:
    newest = rollback.choice.newest
    revision = f"revision {newest.revision}" if newest.revision else "a text that says no revision"
    deleted = "; the object is deleted now, so nothing is enforced, and this puts it in force again"
    return f"{revision}, {newest}{deleted if rollback.deleted else ''}"


def as_json(rollback: Rollback) -> dict[str, Any]:
    """The same as values. `newest.revision` is null if the newest text says none."""
    choice = rollback.choice
    lines, left_out = rollback.diff(MOST_LINES_OF_JSON)
    return {
        "format_version": FORMAT_VERSION,
        "document": rollback.document,
        "rollback": {
            "to": choice.to,
            "version_id": choice.target.version.version_id,
            "uploaded": iso_time(choice.target.version.uploaded),
            "revision": choice.number,
            "reason": rollback.reason or None,
        },
        "newest": {
            "revision": choice.newest.revision,
            "version_id": choice.newest.version.version_id,
            "uploaded": iso_time(choice.newest.version.uploaded),
            "deleted": rollback.deleted,
            "rollback_to": choice.newest.note.to if choice.newest.note else None,
        },
        "warnings": [
            {"topic": one.topic.value, "address": one.address, "message": one.words} for one in rollback.told()
        ],
        "diff": lines,
        "diff_left_out": left_out,
    }
