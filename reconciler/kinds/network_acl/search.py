"""Finds the single-entry calls that change one direction of a network ACL from one list of entries to another.

EC2 changes an ACL one entry per call, and packets pass between any two calls, so each intermediate list must keep the
packet rule: it allows nothing that neither the old nor the new list allows, and everything that both allow.

Two searches, in this order, each with a fixed amount of work, so that the result is deterministic:

1. write each differing number once. An order is preferred that first only closes (allows nothing that `before` denies)
   and then only opens (allows nothing that `after` denies);
2. the same with extra calls: a number has another entry in between, or a free number has one for a while.

If neither finds an order, `detour.py` uses a temporary ACL. The packet algebra verifies every intermediate list before
an order is returned.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from desired_state.fields import AclEntry
from desired_state.quotas import DEFAULT, HIGHEST_RULE_NUMBER
from reconciler.kinds.network_acl.board import Board, Row, laid_out, writes
from reconciler.packets.traffic import of_acl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NUMBERS = range(1, HIGHEST_RULE_NUMBER + 1)
"""Rule numbers that entries may have (EC2 API reference, CreateNetworkAclEntry)."""
TRIES = 8_000
"""The most lists of one search: far more than a few changed numbers need, and a fraction of a second at worst."""


class Step(NamedTuple):
    """One call: `create` for a free number, `replace` or `delete` (without entry) for a used one."""

    verb: str
    number: int
    entry: AclEntry | None


class Steps(NamedTuple):
    """`closing`: the longest beginning that allows nothing that the first list denies; then the `rest`."""

    closing: tuple[Step, ...]
    rest: tuple[Step, ...]


type Call = tuple[int, AclEntry | None]
"""A call before its verb is known: from then on this number has this entry, or none."""
type State = tuple[Row, int]
"""An intermediate list, and the phase: CLOSING (so far nothing is allowed that `before` denies), then OPENING (nothing
is allowed that `after` denies), otherwise MIXED."""
CLOSING, OPENING, MIXED = range(3)


def steps(
    before: Mapping[int, AclEntry], after: Mapping[int, AclEntry], capacity: int = DEFAULT.usable_entries
) -> Steps | None:
    """The calls from `before` to `after`, both number -> entry of one direction; None if no sequence was found.

    `capacity` is the most entries per IP version at any time. A list that already has more proves a higher quota, so
    its length counts instead. AWS's own `*` entries (32767 and up) are in neither list.
    """
    if before == after:
        return Steps((), ())
    board = laid_out(before, after, capacity)
    if any(number not in NUMBERS for number in board.numbers) or not board.fits(board.goal):
        return None
    wide = laid_out(before, after, capacity, _free(board.numbers))
    found = _shortest(board, (0,)) or _shortest(wide, (1, 2, 2 * board.left(board.start)))
    return None if found is None else _checked(before, after, found)


def _free(numbers: tuple[int, ...]) -> Iterator[int]:
    """One free number before each used one, if there is one, and one after the last."""
    for floor, number in zip((0, *numbers), numbers, strict=False):
        if number - floor > 1:
            yield number - 1
    if numbers and numbers[-1] + 1 in NUMBERS:
        yield numbers[-1] + 1


def _shortest(board: Board, extras: tuple[int, ...]) -> list[Call] | None:
    """The fewest extra calls; among those, an order that first closes and then opens is tried first."""
    for extra, strict in product(extras, (True, False)):
        if found := _search(board, extra, strict=strict):
            return found
    return None


def _search(board: Board, extra: int, *, strict: bool) -> list[Call] | None:
    """Best-first: fewest numbers left to write, then fewest extra calls, then fewest packets allowed."""
    start: State = (board.start, CLOSING)
    previous: dict[State, State | None] = {start: None}
    spent = {start: 0}
    tries = 0
    queue = [(board.left(board.start), 0, CLOSING, 0, tries, start)]
    while queue:
        left, so_far, phase, _, _, state = heappop(queue)
        if not left:
            return _calls(board, previous, state)
        if so_far > spent[state]:
            continue
        for row, cost, passed in writes(board, state[0], extra - so_far):
            tries += 1
            if tries > TRIES:
                return None
            if phase == CLOSING and not passed & ~board.before:
                then = CLOSING
            else:
                then = MIXED if phase == MIXED or passed & ~board.after else OPENING
            reached = (row, then)
            total = so_far + cost
            if (strict and then == MIXED) or (reached in spent and spent[reached] <= total):
                continue
            previous[reached], spent[reached] = state, total
            heappush(queue, (left + cost - 1, total, then, passed.bit_count(), tries, reached))
    return None


def _calls(board: Board, previous: Mapping[State, State | None], state: State) -> list[Call]:
    calls: list[Call] = []
    while (before := previous[state]) is not None:
        place = next(place for place, (old, new) in enumerate(zip(before[0], state[0], strict=True)) if old != new)
        calls.append((board.numbers[place], board.entries[state[0][place]]))
        state = before
    return calls[::-1]


def _checked(before: Mapping[int, AclEntry], after: Mapping[int, AclEntry], calls: list[Call]) -> Steps | None:
    """The calls with their verbs, if the packet algebra verifies every list on the way and the last one; else None."""
    old, new = of_acl(before), of_acl(after)
    may, must = old | new, old & new
    now = dict(before)
    done: list[Step] = []
    closing = 0
    for number, entry in calls:
        if entry is None:
            del now[number]
            done.append(Step("delete", number, None))
        else:
            done.append(Step("replace" if number in now else "create", number, entry))
            now[number] = entry
        passed = of_acl(now)
        if not (passed <= may and must <= passed):
            return None
        if closing == len(done) - 1 and passed <= old:
            closing += 1
    return Steps(tuple(done[:closing]), tuple(done[closing:])) if now == dict(after) else None
