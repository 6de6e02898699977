"""Makes any text inert: no secret, no control character, no stacked marks, not too long. Pure.

What is too long is cut in place; the whole is kept for the end of the page, where it stands once.
"""

from __future__ import annotations

import re
import unicodedata
from contextvars import ContextVar
from functools import lru_cache

from desired_state.sanitize import sanitize
from reconciler.redact import redacted
from reconciler.report.page.words import Brief, Foreign, Whole

LONGEST_FOREIGN = 160
"""Characters of what other people wrote, in place."""
LONGEST_BRIEF = 240
"""Characters of one of very many texts, in place."""
LONGEST = 600
"""Characters of any other text, in place."""
LONGEST_WHOLE = 2_000
"""Characters of a long text at the end of the page."""
_SHORT = re.compile(r"[\w /.,()%+-]{0,10}", re.ASCII)
"""No secret that `redacted` knows is so short."""

_long: ContextVar[dict[str, int] | None] = ContextVar("long", default=None)


def remember() -> dict[str, int]:
    """From now on long texts are remembered in what this returns: {text: its number on the page}."""
    found: dict[str, int] = {}
    _long.set(found)
    return found


def inert(text: str) -> str:
    """The text on one line, shortened in place."""
    whole = clean(str(text))
    if len(whole) <= LONGEST_FOREIGN:  # almost always
        return whole
    most = LONGEST_FOREIGN if isinstance(text, Foreign) else LONGEST_BRIEF if isinstance(text, Brief) else LONGEST
    if len(whole) <= most or isinstance(text, Whole):
        return whole
    known = _long.get()
    if known is None:
        return f"{whole[:most]}..."
    number = known.setdefault(whole, len(known) + 1)
    return f"{whole[:most]}... [text {number}]"


@lru_cache(4096)
def clean(text: str) -> str:
    """The text on one line, without secrets, at most LONGEST_WHOLE characters."""
    if _SHORT.fullmatch(text):
        return text
    shown = sanitize(redacted(text), LONGEST_WHOLE)
    return shown if shown.isascii() else _few_marks(shown)


def _few_marks(text: str) -> str:
    """At most two combining marks after a character: more of them would paint over the line above."""
    kept, marks = [], 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        if marks <= 2:
            kept.append(char)
    return "".join(kept)
