"""The single-entry calls that lead one direction of a network ACL from one list of entries to another.

Asked when a network ACL is planned. EC2 changes an ACL one entry per call, and packets pass between any two calls, so
each list on the way must keep the rule: it lets through nothing that neither side allows, and all that both allow.

Two ways, in this order, each within a fixed amount of work, so the answer for two lists is always the same:

1. each differing number is written once, in an order that keeps the rule. Preferred is an order that first only closes
   (nothing passes that `before` denies) and then only opens (nothing passes that `after` denies);
2. the same with extra calls: a number takes another value in between, or a spare number has one for a while.

Where neither finds an order, the subnets go through a temporary ACL (`acl_detour`). An order that was found is handed
out only after the packet algebra has checked every list on the way.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from desired_state.fields import AclEntry
from desired_state.quotas import ACL_ENTRIES, HIGHEST_RULE_NUMBER
from reconciler.kinds.network_acl.board import Board, Row, laid_out, writes
from reconciler.packets.traffic import of_acl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NUMBERS = range(1, HIGHEST_RULE_NUMBER + 1)
"""Rule numbers that entries may have (EC2 API reference, CreateNetworkAclEntry)."""
TRIES = 8_000
"""Lists one search may look at: far more than a few changed numbers need, and a fraction of a second at worst."""


class Step(NamedTuple):
    """One call: `create` at a free number, `replace` or `delete` (without entry) at a taken one."""

    verb: str
    number: int
    entry: AclEntry | None


class Steps(NamedTuple):
    """`closing`: the longest beginning during which nothing passes that the first list denies; then the `rest`."""

    closing: tuple[Step, ...]
    rest: tuple[Step, ...]


type Call = tuple[int, AclEntry | None]
"""A call before it has a verb: from now on this number has this entry, or none."""
type State = tuple[Row, int]
"""A list on the way, and what happened so far: CLOSING (nothing passed that `before` denies), then OPENING (nothing
passes any more that `after` denies), else MIXED."""
CLOSING, OPENING, MIXED = range(3)


def steps(before: Mapping[int, AclEntry], after: Mapping[int, AclEntry], capacity: int = ACL_ENTRIES) -> Steps | None:
    """The calls from `before` to `after`, both number -> entry of one direction; None if no sequence was found.

    `capacity` is the number of entries per IP version that the ACL may hold at any time. A list that holds more already
    proves a higher quota, so its own length counts then. AWS's own `*` entry (32767 and up) is in neither list.
    """
    if before == after:
        return Steps((), ())
    board = laid_out(before, after, capacity)
    if any(number not in NUMBERS for number in board.numbers) or not board.fits(board.goal):
        return None
    wide = laid_out(before, after, capacity, _spare(board.numbers))
    found = _shortest(board, (0,)) or _shortest(wide, (1, 2, 2 * board.left(board.start)))
    return None if found is None else _checked(before, after, found)


def _spare(numbers: tuple[int, ...]) -> Iterator[int]:
    """One free number in front of each taken one, where there is one, and one behind the last."""
    for floor, number in zip((0, *numbers), numbers, strict=False):
        if number - floor > 1:
            yield number - 1
    if numbers and numbers[-1] + 1 in NUMBERS:
        yield numbers[-1] + 1


def _shortest(board: Board, extras: tuple[int, ...]) -> list[Call] | None:
    """With the fewest extra calls; among those, an order that first closes and then opens is looked for first."""
    for extra, strict in product(extras, (True, False)):
        if found := _search(board, extra, strict=strict):
            return found
    return None


def _search(board: Board, extra: int, *, strict: bool) -> list[Call] | None:
    """Best-first over lists: fewest numbers left to write, then fewest extra calls, then the least let through."""
    home: State = (board.start, CLOSING)
    came: dict[State, State | None] = {home: None}  # from which state each was reached
    spent = {home: 0}
    tries = 0
    queue = [(board.left(board.start), 0, CLOSING, 0, tries, home)]
    while queue:
        left, so_far, phase, _, _, state = heappop(queue)
        if not left:
            return _calls(board, came, state)
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
            came[reached], spent[reached] = state, total
            heappush(queue, (left + cost - 1, total, then, passed.bit_count(), tries, reached))
    return None


def _calls(board: Board, came: Mapping[State, State | None], state: State) -> list[Call]:
    calls: list[Call] = []
    while (previous := came[state]) is not None:
        place = next(place for place, (old, new) in enumerate(zip(previous[0], state[0], strict=True)) if old != new)
        calls.append((board.numbers[place], board.entries[state[0][place]]))
        state = previous
    return calls[::-1]


def _checked(before: Mapping[int, AclEntry], after: Mapping[int, AclEntry], calls: list[Call]) -> Steps | None:
    """The calls with their verbs, once the algebra has agreed to every list on the way and to the last; else None."""
    was, wanted = of_acl(before), of_acl(after)
    may, must = was | wanted, was & wanted
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
        if closing == len(done) - 1 and passed <= was:
            closing += 1
    return Steps(tuple(done[:closing]), tuple(done[closing:])) if now == dict(after) else None
