"""Two lists of network ACL entries side by side, with packets as bits, for `search.py`.

A search tries thousands of lists of the same few entries. Each entry is a set of bits, one bit for all packets that
match exactly the same entries, so what a list allows takes a few operations on integers. It is exact; `search.py`
verifies its result with the packet algebra anyway.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from desired_state.fields import AclEntry, is_ipv6
from reconciler.packets.traffic import Box, of_entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

type Row = tuple[int, ...]
"""A list of entries: for each number of the board the index of its entry in `Board.entries`, 0 for none."""


@dataclass(frozen=True)
class Board:
    """`entries[0]` is no entry. `masks`, `allows` and `families` (0: none, 1: IPv4, 2: IPv6) belong to `entries`;
    `room` is the most entries of each family.
    """

    numbers: tuple[int, ...]
    start: Row
    goal: Row
    entries: tuple[AclEntry | None, ...]
    masks: tuple[int, ...]
    allows: tuple[bool, ...]
    families: tuple[int, ...]
    room: tuple[int, int, int]

    @cached_property
    def before(self) -> int:
        return self.passed(self.start)

    @cached_property
    def after(self) -> int:
        return self.passed(self.goal)

    def passed(self, row: Iterable[int]) -> int:
        """The packets that a list allows: the first match decides."""
        passed = met = 0
        for entry in row:
            hit = self.masks[entry] & ~met
            met |= hit
            if self.allows[entry]:
                passed |= hit
        return passed

    def left(self, row: Row) -> int:
        """How many numbers still differ from the goal."""
        return sum(entry != goal for entry, goal in zip(row, self.goal, strict=True))

    def fits(self, row: Iterable[int]) -> bool:
        families = [self.families[entry] for entry in row]
        return families.count(1) <= self.room[1] and families.count(2) <= self.room[2]


def laid_out(
    before: Mapping[int, AclEntry], after: Mapping[int, AclEntry], capacity: int, extra: Iterable[int] = ()
) -> Board:
    """The board of two lists, number -> entry, with the `extra` numbers too."""
    numbers = tuple(sorted({*before, *after, *extra}))
    entries = tuple(dict.fromkeys((*(before[n] for n in sorted(before)), *(after[n] for n in sorted(after)))))
    place = {entry: index for index, entry in enumerate(entries, 1)}
    versions = [1 + is_ipv6(entry.cidr) for entry in before.values()]
    return Board(
        numbers=numbers,
        start=tuple(place[before[n]] if n in before else 0 for n in numbers),
        goal=tuple(place[after[n]] if n in after else 0 for n in numbers),
        entries=(None, *entries),
        masks=(0, *_bits([of_entry(entry) for entry in entries])),
        allows=(False, *(entry.action == "allow" for entry in entries)),
        families=(0, *(1 + is_ipv6(entry.cidr) for entry in entries)),
        room=(0, max(capacity, versions.count(1)), max(capacity, versions.count(2))),
    )


def _bits(boxes: list[Box]) -> list[int]:
    """Each box as a set of bits: the edges of all boxes cut packets into cells; cells in the same boxes share a bit."""
    cells: dict[int, None] = {}
    for space in dict.fromkeys(each.space for each in boxes):
        inside = [(1 << index, each) for index, each in enumerate(boxes) if each.space == space]
        addresses = {edge for _, each in inside for edge in (each.first, each.end)}
        places = {cut for _, each in inside for cut in each.cuts}
        rows = {sum(bit for bit, each in inside if each.first <= at < each.end) for at in addresses}
        columns = {sum(bit for bit, each in inside if bisect_right(each.cuts, at) & 1) for at in places}
        cells |= dict.fromkeys(row & column for row, column in product(sorted(rows), sorted(columns)))
    masks = [0] * len(boxes)
    for bit, cell in enumerate(cells):
        for index in range(cell.bit_length()):
            if cell >> index & 1:
                masks[index] |= 1 << bit
    return masks


def writes(board: Board, row: Row, extra: int) -> Iterator[tuple[Row, int, int]]:
    """Each list one call away that keeps the packet rule: (list, extra calls that it costs, packets that it allows).

    Writing the goal's entry costs no extra call, another entry costs one if the number differs, two if it is right.
    """
    tails = [0]  # what the entries from each place on would allow by themselves
    for entry in reversed(row):
        mask = board.masks[entry]
        tails.append(tails[-1] | mask if board.allows[entry] else tails[-1] & ~mask)
    tails.reverse()
    free = [room - sum(board.families[entry] == family for entry in row) for family, room in enumerate(board.room)]
    must, may = board.before & board.after, board.before | board.after
    passed = met = 0
    for place, (entry, goal) in enumerate(zip(row, board.goal, strict=True)):
        cost = 1 if entry != goal else 2
        for new in range(len(board.entries)) if extra >= cost else (goal,):
            family = board.families[new]
            if new == entry or (family and family != board.families[entry] and not free[family]):
                continue
            hit = board.masks[new] & ~met
            now = passed | (hit if board.allows[new] else 0) | (tails[place + 1] & ~met & ~hit)
            if not must & ~now and not now & ~may:
                yield (*row[:place], new, *row[place + 1 :]), 0 if new == goal else cost, now
        hit = board.masks[entry] & ~met
        passed |= hit if board.allows[entry] else 0
        met |= hit
