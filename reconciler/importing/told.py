"""What a person is told of an import beside the document: `Note`, and how notes of one sort are summed up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple


class Sort(Enum):
    """What a note is about. Notes of one sort are summed up after the third."""

    RESOURCE = "resource"
    FIELD = "field"
    DESCRIPTION = "description"
    TAG = "tag"
    WORKLOAD = "workload"
    INTENT = "intent"
    UNSAID = "unsaid"
    DECLINED = "declined"
    REFERRED = "referred to"
    REMARK = "remark"
    KEPT = "kept by others"
    TOOL = "another tool"


class Note(NamedTuple):
    """Something about one resource: its address, or its id if it has none in the document."""

    sort: Sort
    where: str
    text: str
    about: str = ""
    """What within the sort it is about, such as a field: only notes about the same are summed up."""


SHOWN = 3


def summed(notes: Iterable[Note]) -> Iterator[str]:
    """A line for each note; of one sort about the same, the first three, and how many more there are."""
    groups: dict[tuple[Sort, str], list[Note]] = defaultdict(list)
    for note in notes:
        groups[note.sort, note.about].append(note)
    for some in groups.values():
        yield from (f"{note.where}: {note.text}" for note in some[:SHOWN])
        if len(some) > SHOWN:
            yield f"and {len(some) - SHOWN} more like these"
