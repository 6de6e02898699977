"""A text of parts that is cut to the characters it may have: what matters least goes first, and is counted. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import chain

from reconciler.report.summary import counted


class Goes(IntEnum):
    """When a piece is left out, the last of these first."""

    GRAVE = 1
    HIGH = 2
    MEDIUM = 3
    CALL = 4
    LOW = 5
    REST = 6
    DETAIL = 7


@dataclass(frozen=True)
class Piece:
    """A line or some that stay or go together; `of` is what is counted when they go (`difference`), `count` how many of
    that they tell of.
    """

    text: str
    of: str
    goes: Goes
    count: int = 1


@dataclass(frozen=True)
class Block:
    """Pieces below each other, such as the rows of a table, with what stands before and after them. Without pieces it
    is what stands before; when all of its pieces go, it goes too.
    """

    before: tuple[str, ...] = ()
    pieces: tuple[Piece, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A part with its heading. `left_out` counts what was never made into pieces."""

    heading: str
    blocks: tuple[Block, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


def fixed(*lines: str) -> Block:
    """Lines that stay as long as their section has anything else, or nothing else ever was in it."""
    return Block(before=lines)


def fitted(sections: Sequence[Section], most: int, notice: Callable[[Mapping[str, int]], str]) -> str:
    """The text of all sections in at most `most` characters, the first section whole. `notice` says what is left out;
    it stands after the first section.
    """
    everything = _Text(sections, notice)
    whole = everything.without(0)
    if len(whole) <= most:
        return whole
    least, enough = 0, len(everything.order)
    while enough - least > 1:
        middle = (least + enough) // 2
        if len(everything.without(middle)) <= most:
            enough = middle
        else:
            least = middle
    return everything.without(enough)


class _Text:
    def __init__(self, sections: Sequence[Section], notice: Callable[[Mapping[str, int]], str]) -> None:
        self._sections, self._notice = sections, notice
        pieces = chain.from_iterable(block.pieces for section in sections for block in section.blocks)
        numbered = [(piece.goes, number) for number, piece in enumerate(pieces)]
        self.order = [number for _, number in sorted(numbered, reverse=True)]

    def without(self, number: int) -> str:
        """The text without the first `number` pieces of those that go."""
        gone = frozenset(self.order[:number])
        parts: list[str] = []
        missing: Counter[str] = Counter()
        at = 0
        for section in self._sections:
            lost: Counter[str] = Counter(section.left_out)
            told: list[str] = []
            left = False
            for block in section.blocks:
                numbered = list(enumerate(block.pieces, at))
                at += len(numbered)
                kept = [piece.text for index, piece in numbered if index not in gone]
                for index, piece in numbered:
                    lost[piece.of] += piece.count * (index in gone)
                left = left or bool(kept)
                if kept or not numbered:
                    told.append("\n".join((*block.before, *kept, *block.after)))
            if left or not any(block.pieces for block in section.blocks):
                parts.append(_part(section.heading, told, lost))
            missing.update(lost)
        if said := self._notice(missing):
            parts.insert(1, said)
        return "\n\n".join(filter(None, parts)) + "\n"


def _part(heading: str, told: Iterable[str], lost: Mapping[str, int]) -> str:
    more = f"Left out here: {listed(lost)}." if any(lost.values()) else ""
    return "\n\n".join(filter(None, (heading, *told, more)))


def listed(lost: Mapping[str, int]) -> str:
    """The words `12 differences, 1 call`."""
    return ", ".join(counted(number, thing) for thing, number in lost.items() if number)
