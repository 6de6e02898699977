"""Answers of AWS with one odd value in them: recorded once from the laboratory, damaged one place at a time.

A place is the way to a value in the answer of one read. What may be odd about a value: another type, nothing, an empty
or a very long text, a word or number that AWS does not use, or that the key is not there at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from desired_state.document import Document
from reconciler.engine.result import Report
from reconciler.engine.run import Environment, run
from reconciler.model import Policy
from reconciler.model.read import Read
from tests.support.runs import Clock

if TYPE_CHECKING:
    from reconciler.aws.client import Aws

type Path = tuple[str | int, ...]
GONE = object()
"""Instead of a value: the key is not there."""


@dataclass
class Recorded:
    """AWS as it answered once; what was not asked then has no items. `Aws` for a run that only plans."""

    answers: Mapping[Read, list[Any]] = field(default_factory=dict)
    reads = writes = 0
    patience: float | None = None

    def read(self, read: Read) -> list[Any]:
        return list(self.answers.get(read, ()))

    def plan(self, declared: Document, policy: Policy) -> Report:
        clock = Clock()
        return run(declared, Environment(cast("Aws", self), clock.now, clock.sleep), policy, write=False)


@dataclass
class Recorder:
    """Passes reads on, and keeps the answers."""

    aws: Aws
    answers: dict[Read, list[Any]] = field(default_factory=dict)
    patience: float | None = None

    @property
    def reads(self) -> int:
        return self.aws.reads

    @property
    def writes(self) -> int:
        return self.aws.writes

    def read(self, read: Read) -> list[Any]:
        self.answers[read] = self.aws.read(read)
        return self.answers[read]


class Damage(NamedTuple):
    """One odd value: in which read, where, and what it is now."""

    read: Read
    path: Path
    value: Any

    def __str__(self) -> str:
        odd = "gone" if self.value is GONE else repr(self.value)
        odd = odd if len(odd) < 30 else f"{odd[:10]}... of {len(odd)}"
        return f"{self.read.operation} {'.'.join(map(str, self.path))} is {odd}"


def damages(answers: Mapping[Read, list[Any]]) -> Iterator[Damage]:
    """Every way to damage one value of these answers."""
    for read, items in answers.items():
        for path, value in _places(items, ()):
            yield from (Damage(read, path, odd) for odd in _odd(value))
            if isinstance(path[-1], str):
                yield Damage(read, path, GONE)


def _places(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    inside: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for key, one in inside:
        yield (*path, key), one
        yield from _places(one, (*path, key))


def _odd(value: Any) -> list[Any]:
    match value:
        case bool():
            return [None, "alien", 7]
        case int():
            return [None, "alien", -77, 10**15]
        case str():
            return [None, "", "alien", "x" * 5_000, 7]
        case list():
            return [None, "alien", {}, [None], ["alien"]]
        case dict():
            return [None, "alien", [], {}]
        case _:
            return [None, "alien"]


def damaged(answers: Mapping[Read, list[Any]], damage: Damage) -> Recorded:
    """The answers with one odd value; everything that is not on the way to it is shared."""
    *way, last = damage.path
    items = list(answers[damage.read])
    inside: Any = items
    for key in way:
        inside[key] = dict(inside[key]) if isinstance(inside[key], dict) else list(inside[key])
        inside = inside[key]
    if damage.value is GONE:
        del inside[last]
    else:
        inside[last] = deepcopy(damage.value)
    return Recorded({**answers, damage.read: items})
