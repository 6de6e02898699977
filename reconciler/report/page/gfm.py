"""Other people's words in GitHub Flavored Markdown, where nothing of them may act. Pure.

A name may hold what mentions a team, closes an issue, links, loads an image, or ends a table. Backslashes do not help:
GitHub and chat programs look for mentions and addresses in the text that was rendered. Only a code span is left alone,
so whatever is not a plain word stands in one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from reconciler.report.fitting import cut
from reconciler.report.page.inert import clean

LONGEST = 160
"""Characters of one text in its place."""
_PLAIN = re.compile(r"\(?(?:[A-Za-z]{1,40}|[0-9]{1,5}(?:\.[0-9]{1,3})?)[),.;:]{0,3}|[/%]")
_AROUND = re.compile(r"(\(?)(.*?)([),.;:]{0,3})")
_DIGEST = re.compile(r"\(?[a-fA-F0-9]{7,}[),.;:]{0,3}")
_FENCE = re.compile(r"`+")


def shortened(text: object, longest: int = LONGEST) -> str:
    """A text on one line that nothing acts on, of at most `longest` characters: the last three are dots if some
    are missing.
    """
    return cut(clean(str(text)), longest)


def code(text: object, longest: int = LONGEST) -> str:
    """A code span that holds the text and nothing else: its fence is longer than any run of backticks within."""
    words = shortened(text, longest)
    if not words.strip():
        return "(blank)" if words else "(empty)"
    fence = "`" * (max((len(run) for run in _FENCE.findall(words)), default=0) + 1)
    apart = " " if words[0] in "` " or words[-1] in "` " else ""  # one space at both ends is not part of the text
    return f"{fence}{apart}{words}{apart}{fence}"


def prose(text: object, longest: int = 400) -> str:
    """A sentence of Setpoint's that has names in it: words and small numbers as they are, all else in code spans."""
    words = shortened(text, longest)
    if not words.strip():
        return code(words) if words else ""
    runs = groupby(words.split(), _is_plain)
    return " ".join(" ".join(some) if plain else _in_code(" ".join(some), longest) for plain, some in runs)


def _in_code(words: str, longest: int) -> str:
    """Words in a code span, with the punctuation of the sentence around it."""
    around = _AROUND.fullmatch(words)
    before, inside, after = around.groups() if around else ("", words, "")
    return f"{before}{code(inside, longest)}{after}" if inside.strip() else code(words, longest)


def _is_plain(word: str) -> bool:
    """Whether a word can neither name anybody nor stand for anything. A digest would link to a commit."""
    return bool(_PLAIN.fullmatch(word)) and not _DIGEST.fullmatch(word)


def row(cells: Iterable[str]) -> str:
    """A row of a table. A `|` ends a cell, in a code span too, unless it is escaped."""
    return f"| {' | '.join(cell.replace('|', r'\|') or ' ' for cell in cells)} |"


def head(names: Sequence[str]) -> list[str]:
    """The two lines that begin a table."""
    return [row(names), f"|{'---|' * len(names)}"]


def fenced(lines: Iterable[str]) -> list[str]:
    """Lines to copy, as a code block."""
    inside = [shortened(line, 2_000) for line in lines]
    longest = max((len(run) for line in inside for run in _FENCE.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence, *inside, fence]
