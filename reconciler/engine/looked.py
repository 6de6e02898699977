"""What the last look at a document's VPC made of its answers, for a look that is answered the same. Pure.

Nearly every look sees what the one before saw: a warm function has the very same items then (`aws/item_memo.py`), and
whatever is made of them, for the same document and by the same kinds, is the same again. Answers are compared by value,
which for the same item is a comparison of two pointers. One changed byte makes another item, and so another look.

`observe.py` has only a look without any trouble kept: what could not be understood is met again, and logged again, each
time. Nor is one kept that had to be repeated because something was missing, so that nothing counts as missing before it
was read twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from desired_state.document import Document
from reconciler.model import Snapshot
from reconciler.model.kept import KeptItem
from reconciler.model.kind import Kind
from reconciler.model.read import Answers

type Given = Mapping[str, tuple[Kind, Answers]]
"""Each kind with the answers that it was given, by its name: none, if one of its reads failed."""


class _Look(NamedTuple):
    given: Given
    snapshot: Snapshot


def seen_before(document: Document, vpc_id: str, given: Given, at: datetime) -> Snapshot | None:
    """The snapshot of the look before, if this one was given the same; its time is `at`."""
    last = document.looked.get(vpc_id)
    return replace(last.snapshot, at=at) if isinstance(last, _Look) and last.given == given else None


def remember(document: Document, vpc_id: str, given: Given, snapshot: Snapshot) -> None:
    """Keep the look for the next one. Without kept items it would only cost memory, and time to compare."""
    document.looked.clear()
    if _kept(given):
        document.looked[vpc_id] = _Look(given, snapshot)


def _kept(given: Given) -> bool:
    answers = (items for _, reads in given.values() for read, items in reads.items() if read.service == "ec2")
    return all(isinstance(item, KeptItem) for items in answers for item in items if isinstance(item, dict))
