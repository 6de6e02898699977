"""Bytes -> `Document`, or everything that is wrong with them at once, each with its place and its mend.

The command line, the worker and the manual invoke call `load`; nothing else makes a `Document`. First the text
(`strict_json.py`), then the parts (`reading.py`), then what the parts say of each other (`checks.py`). Places are
looked up only where something is wrong, so a good document does not pay for them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from desired_state.fields import shown
from desired_state.reading import ENOUGH, Reading
from desired_state.sanitize import sanitize
from desired_state.strict_json import (
    Fault,
    Path,
    Spot,
    decode,
    line_and_column,
    line_starts,
    parse,
    survey,
    syntax_fault,
)

if TYPE_CHECKING:
    from desired_state.document import Document
    from desired_state.explain import Violation


class Problem(NamedTuple):
    """One thing that is wrong with a document: where (line and column from 1), what, and what to write instead.

    Every text is of one line, without anything that a terminal or a log would act on.
    """

    file: str
    line: int
    column: int
    path: str
    problem: str
    hint: str

    def __str__(self) -> str:
        where = f" ({self.path})" if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {self.problem}{where}; {self.hint}"


class DocumentError(Exception):
    """The bytes are no document. `problems` holds all that is wrong, by place; the text has a line for each.

    Where there are more than ENOUGH, the first of them, and a last line that says so.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        ordered = sorted(problems)
        if len(ordered) > ENOUGH:
            last = ordered[ENOUGH - 1]
            more = last._replace(path="", problem="there are more problems than these", hint="mend these first")
            ordered = [*ordered[:ENOUGH], more]
        self.problems = tuple(ordered)
        super().__init__("\n".join(map(str, self.problems)))


def load(data: bytes, origin: str) -> Document:
    """The document in `data`; `origin` says where the bytes came from and stands before every problem.

    Raises DocumentError, and nothing else, whatever the bytes.
    """
    return _loaded(data, origin)


@lru_cache(maxsize=4)
def _loaded(data: bytes, origin: str) -> Document:
    """Memoised: a warm worker is handed the same bytes run after run, and a document never changes."""
    text = decode(data)
    if isinstance(text, Fault):
        raise DocumentError(_problems(origin, data.decode(errors="replace"), [text]))
    try:
        written, suspicious = parse(text)
    except json.JSONDecodeError as error:
        raise DocumentError(_problems(origin, text, [syntax_fault(error)])) from None
    found = survey(text) if suspicious else None
    if found and (found.too_deep or len(found.faults) > ENOUGH):
        raise DocumentError(_problems(origin, text, found.faults))
    reading = Reading(written)
    document = reading.document(hashlib.sha256(data).hexdigest(), origin)
    if document and not (found and found.faults):
        return document
    found = found or survey(text)
    faults = set(found.faults)
    if not found.too_deep:
        refused = {fault.path for fault in found.faults}
        faults |= {
            fault
            for fault in (_placed(finding, written, found.spots) for finding in reading.findings)
            if not any(fault.path[:length] in refused for length in range(1, len(fault.path) + 1))
        }
    raise DocumentError(_problems(origin, text, faults))


def _placed(finding: Violation, written: Any, spots: Mapping[Path, Spot]) -> Fault:
    """A finding with its offset; what is not there stands where its parent does."""
    path = _resolved(finding.path, written)
    there = path
    while there not in spots:
        there = there[:-1]
    offset = spots[there][0 if finding.on_key else 1]
    return Fault(offset, path, finding.problem, finding.hint)


def _resolved(path: Path, written: Any) -> Path:
    """The path with members of lists by their index: checks know a list of references by its members only."""
    resolved: Path = ()
    for step in path:
        by_value = isinstance(written, list) and isinstance(step, str) and step in written
        here = written.index(step) if by_value else step
        resolved = (*resolved, here)
        try:
            written = written[here]
        except (KeyError, IndexError, TypeError):
            written = None
    return resolved


def _problems(origin: str, text: str, faults: Iterable[Fault]) -> list[Problem]:
    """The first of the faults, as many as a DocumentError holds and one, so that it can tell that there are more."""
    starts = line_starts(text)
    first = sorted(faults, key=lambda fault: fault.offset)[: ENOUGH + 1]
    return [
        Problem(
            sanitize(origin),
            *line_and_column(starts, fault.offset),
            sanitize(_path(fault.path)),
            sanitize(fault.problem),
            sanitize(fault.hint),
        )
        for fault in first
    ]


def _path(path: Path) -> str:
    """`resources.security_group.web.ingress[0].source`; keys that are no plain words stand quoted in brackets."""
    text = ""
    for step in path:
        if isinstance(step, str) and re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$-]{0,62}", step):
            text += f".{step}" if text else step
        else:
            text += f"[{shown(step)}]"
    return text
