"""Loads a `Document` from bytes, or raises everything that is wrong with them at once, with locations and hints.

`load` is the only way to create a `Document`. It reads the text (`strict_json.py`), then the parts (`reading.py`), then
checks them against each other (`checks.py`). Locations are computed only for problems, so a valid document does not pay
for them.
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
    """One thing that is wrong with a document: where (line and column from 1; 0 if there is nothing to read), what, and
    what to write instead.

    Every text is sanitized and on one line.
    """

    file: str
    line: int
    column: int
    path: str
    problem: str
    hint: str

    def __str__(self) -> str:
        where = f" ({self.path})" if self.path else ""
        place = f":{self.line}:{self.column}" if self.line else ""
        return f"{self.file}{place}: {self.problem}{where}; {self.hint}"


class DocumentError(Exception):
    """The bytes are not a valid document. `problems` has all that is wrong, by location; the text has a line for each.

    If there are more than ENOUGH, it has the first of them, and a last line that says so.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        ordered = sorted(problems)
        if len(ordered) > ENOUGH:
            last = ordered[ENOUGH - 1]
            more = last._replace(path="", problem="there are more problems", hint="fix these first")
            ordered = [*ordered[:ENOUGH], more]
        self.problems = tuple(ordered)
        super().__init__("\n".join(map(str, self.problems)))


def load(data: bytes, origin: str) -> Document:
    """The document in `data`; `origin` says where the bytes came from, for every problem's location.

    Raises DocumentError, and nothing else, whatever the bytes.
    """
    return _loaded(data, origin)


def located(data: bytes, origin: str, findings: Iterable[Violation]) -> tuple[Problem, ...]:
    """Findings about a document that loads, with their places, in their order: what the judgement of it says."""
    text = data.decode()
    written, _ = parse(text)
    spots, starts = survey(text).spots, line_starts(text)
    return tuple(_problem(origin, starts, _placed(finding, written, spots)) for finding in findings)


@lru_cache(maxsize=4)
def _loaded(data: bytes, origin: str) -> Document:
    """Memoized: a warm worker loads the same bytes run after run, and a `Document` is immutable."""
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
    """A finding with its offset; what is missing has the location of its parent."""
    path = _resolved(finding.path, written)
    nearest = path
    while nearest not in spots:
        nearest = nearest[:-1]
    offset = spots[nearest][0 if finding.on_key else 1]
    return Fault(offset, path, finding.problem, finding.hint)


def _resolved(path: Path, written: Any) -> Path:
    """The path with indices for members of lists, which the checks name by value."""
    resolved: Path = ()
    for step in path:
        by_value = isinstance(written, list) and isinstance(step, str) and step in written
        key = written.index(step) if by_value else step
        resolved = (*resolved, key)
        try:
            written = written[key]
        except (KeyError, IndexError, TypeError):
            written = None
    return resolved


def _problems(origin: str, text: str, faults: Iterable[Fault]) -> list[Problem]:
    """The first of the faults: one more than a DocumentError has, so that it can say that there are more."""
    starts = line_starts(text)
    first = sorted(faults, key=lambda fault: fault.offset)[: ENOUGH + 1]
    return [_problem(origin, starts, fault) for fault in first]


def _problem(origin: str, starts: list[int], fault: Fault) -> Problem:
    return Problem(
        sanitize(origin),
        *line_and_column(starts, fault.offset),
        sanitize(_path(fault.path)),
        sanitize(fault.problem),
        sanitize(fault.hint),
    )


def _path(path: Path) -> str:
    """`resources.security_group.web.ingress[0].source`; keys that are not plain words are quoted, in brackets."""
    text = ""
    for step in path:
        if isinstance(step, str) and re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$-]{0,62}", step):
            text += f".{step}" if text else step
        else:
            text += f"[{shown(step)}]"
    return text
