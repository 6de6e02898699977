"""Parses an item of an answer of EC2 once: what has the same bytes as before is not parsed again.

Nearly all time of a run in sync is botocore's, which parses what it has parsed a minute ago. botocore hands over each
answer before it parses it (the public event `before-parse`). `ItemMemo` cuts the list of the answer into the bytes of
its items, and leaves botocore an empty list. Items whose bytes are known are the objects that were made of them before;
all others are parsed by botocore's own parser.

Nothing in the memo can be stale: an item depends on its bytes and on its shape alone, so that order, pages, documents
and time do not matter. Whatever is not written as EC2 writes it is left to botocore as it is, and so is everything that
is wrong in any way. The items are shared between runs: nobody may change one.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import batched
from typing import Any, NamedTuple

from botocore.parsers import ResponseParserError, create_parser

from reconciler.model.kept import KeptItem

log = logging.getLogger(__name__)

BUDGET = 8 * 1024 * 1024
"""Bytes of XML that are kept, those of about 700 groups of 20 rules; the objects made of them take twice as much."""
BATCH = 25
"""How many new items are parsed at a time: there is never a tree of a whole answer in memory."""
_START = 160
"""Known items are looked up by this many bytes, which contain the id. A shorter one is parsed each time."""
_HEAD = re.compile(rb'<\?xml version="1\.0" encoding="UTF-8"\?>\s*<(\w+)( xmlns="[^"<>&]*")>')
_PLAIN = re.compile(rb"(?:\s*<(\w+)>[\w+/=.: -]*</\1>|\s*<\w+/>)*\s*")
"""What stands beside the list: elements that hold an id or a token alone, such as that of the next page."""
_SPACE = re.compile(rb"\s*")
_ITEM = re.compile(rb"<(/?)item>")
_OPEN, _CLOSE = b"<item>", b"</item>"


class _Known:
    """The bytes of an item, what was made of them, and the last answer that had it."""

    __slots__ = ("body", "item", "used")

    def __init__(self, body: bytes, item: Any, used: int) -> None:
        self.body, self.item, self.used = body, item, used


class _List(NamedTuple):
    """The only list in a shape of answers: its member and its element."""

    member: str
    element: bytes


class _NotPlain(Exception):
    """The answer is not written as EC2 writes it."""


class ItemMemo:
    """The items that were parsed before, of all clients that it is given to with `register`."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget, self._size, self._answers = budget, 0, 0
        self._known: defaultdict[tuple[str, bytes], list[_Known]] = defaultdict(list)
        self._lists: dict[str, _List | None] = {}
        self._parser = create_parser("ec2")
        self._lock = threading.Lock()
        self.reused = self.parsed = 0

    def register(self, client: Any) -> None:
        """Have the answers to a client of EC2 parsed in this way."""
        client.meta.events.register("before-parse.ec2", self.before_parse)

    def before_parse(
        self, operation_model: Any, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
    ) -> None:
        """Called by botocore, which parses `response_dict["body"]` and then adds `customized_response_dict`."""
        shape, body = operation_model.output_shape, response_dict.get("body")
        if response_dict.get("status_code") != 200 or not isinstance(body, bytes) or shape is None:
            return
        try:
            with self._lock:
                found = self._list_of(operation_model.name, shape)
                if found is None:
                    return
                rest, items = self._taken_apart(operation_model.name, shape, found, body)
        except (_NotPlain, ResponseParserError):  # botocore meets the same error, and tells it
            return
        except Exception:
            log.warning("%s is left to botocore's parser", operation_model.name, exc_info=True)
            return
        response_dict["body"] = rest
        customized_response_dict[found.member] = items

    def _list_of(self, operation: str, shape: Any) -> _List | None:
        if operation not in self._lists:
            lists = [(name, one) for name, one in shape.members.items() if one.type_name == "list"]
            self._lists[operation] = None
            if len(lists) == 1 and shape.members.keys() - {lists[0][0]} <= {"NextToken"}:
                ((name, one),) = lists
                plain = not one.serialization.get("flattened") and one.member.type_name == "structure"
                if plain and one.member.serialization.get("name") == "item":
                    self._lists[operation] = _List(name, str(one.serialization.get("name", name)).encode())
        return self._lists[operation]

    def _taken_apart(self, operation: str, shape: Any, of: _List, body: bytes) -> tuple[bytes, list[Any]]:
        """The answer with an empty list, and the items of the list."""
        head = _HEAD.match(body)
        opened, closed = b"<%b>" % of.element, b"</%b>" % of.element
        begin = body.find(opened, head.end()) if head else -1
        if head is None or begin < 0:
            raise _NotPlain
        self._answers += 1
        items: list[Any] = []
        fresh: list[tuple[int, bytes]] = []
        at = begin + len(opened)
        for start, known, cut in self._cut(operation, body, at, closed):
            at = start + len(cut)
            if known is None:
                fresh.append((len(items), cut))
            items.append(known)
        end = _SPACE.match(body, at).end() + len(closed)  # type: ignore[union-attr]  # it matches everywhere
        before, after = body[head.end() : begin], body[end:]
        root_closed = b"</%b>" % head[1]
        if not after.rstrip().endswith(root_closed) or b"<%b" % of.element in before + after:
            raise _NotPlain
        if not _PLAIN.fullmatch(before) or not _PLAIN.fullmatch(after.rstrip().removesuffix(root_closed)):
            raise _NotPlain
        for some in batched(fresh, BATCH, strict=False):
            cuts = [cut for _, cut in some]
            made = self._parsed(head[0] + opened + b"".join(cuts) + closed + root_closed, shape, of.member)
            if len(made) != len(some):
                raise _NotPlain
            for (place, cut), item in zip(some, made, strict=True):
                items[place] = KeptItem(item)
                self._keep(operation, cut, items[place])
        self.reused += len(items) - len(fresh)
        self.parsed += len(fresh)
        return body[:begin] + opened + closed + after, items

    def _cut(self, operation: str, body: bytes, at: int, closed: bytes) -> Iterator[tuple[int, Any, bytes]]:
        """(where it starts, what is known of it, its bytes) for each item of the list."""
        space, known = _SPACE.match, self._known
        while True:
            at = space(body, at).end()  # type: ignore[union-attr]  # it matches everywhere
            if body.startswith(closed, at):
                return
            for one in known.get((operation, body[at : at + _START]), ()):
                if body.startswith(one.body, at):
                    one.used = self._answers
                    yield at, one.item, one.body
                    at += len(one.body)
                    break
            else:
                cut = body[at : _end_of_item(body, at)]
                yield at, None, cut
                at += len(cut)

    def _parsed(self, body: bytes, shape: Any, member: str) -> Sequence[Any]:
        answer = self._parser.parse({"status_code": 200, "headers": {}, "body": body}, shape)
        found = answer.get(member)
        if not isinstance(found, list):
            raise _NotPlain
        return found

    def _keep(self, operation: str, cut: bytes, item: Any) -> None:
        if len(cut) < _START:
            return
        if self._size + len(cut) > self._budget:
            self._forget(self._size + len(cut) - self._budget)
        if self._size + len(cut) <= self._budget:
            self._known[operation, cut[:_START]].append(_Known(cut, item, self._answers))
            self._size += len(cut)

    def _forget(self, least: int) -> None:
        """Forget what was not used for longest, at least so many bytes, and a quarter of the budget so as not to come
        back at once. What this answer has stays: of an answer that is too large at least a part is known next time.
        """
        old = sorted(
            ((one.used, key, one) for key, some in self._known.items() for one in some if one.used < self._answers),
            key=lambda entry: entry[0],
        )
        wanted, freed = max(least, self._budget // 4), 0
        for _, key, one in old:
            if freed >= wanted:
                break
            self._known[key].remove(one)
            if not self._known[key]:
                del self._known[key]
            freed += len(one.body)
        self._size -= freed


def _end_of_item(body: bytes, at: int) -> int:
    """Where the item that starts here ends."""
    if not body.startswith(_OPEN, at):
        raise _NotPlain
    depth = 0
    for found in _ITEM.finditer(body, at):
        depth += -1 if found[1] else 1
        if not depth:
            cut = body[at : found.end()]
            tags = cut.count(b"<item"), cut.count(b"</item")
            if b"<!" in cut or b"<?" in cut or tags != (cut.count(_OPEN), cut.count(_CLOSE)):
                raise _NotPlain
            return found.end()
    raise _NotPlain
