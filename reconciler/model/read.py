"""What a kind reads from AWS: the reads of a look, and what their answers are made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.model.operation import Parameters

Item = Mapping[str, Any]
"""One resource as boto3 returns it."""


def id_in(name: str) -> Callable[[Item], str]:
    """How an item's id is read from this field. An id that is no text is none: it must not be guessed."""

    def read_id(item: Item) -> str:
        found = item[name]
        if not isinstance(found, str) or not found:
            raise ValueError(f"{name} is {found!r}, which is no id")
        return found

    return read_id


class Read(NamedTuple):
    """One read, all its pages; hashable, so that kinds that need the same answer share it.

    `params` is the JSON of the call's parameters, `result` the dotted path of the items in the answer, `page` the
    largest page size (0: the call has no pages). `absent` are error codes that mean that the resource does not exist,
    which calls with an id return: the answer is then an empty list.
    """

    service: str
    operation: str
    params: str
    result: str
    page: int = 0
    absent: frozenset[str] = frozenset()


def read(
    service: str, operation: str, result: str, params: Parameters, *, page: int = 0, absent: Iterable[str] = ()
) -> Read:
    """A `Read` with `params` as in the AWS API."""
    return Read(service, operation, json.dumps(dict(params), sort_keys=True), result, page, frozenset(absent))


Answers = Mapping[Read, list[Any]]


@dataclass(frozen=True)
class ReadContext:
    """What a kind needs to say what to read: the document, its VPC, and what is declared of this kind."""

    document: Document
    vpc_id: str
    declared: Mapping[Address, Any]

    @property
    def owned(self) -> frozenset[Address]:
        """What is declared of this kind and not external."""
        return frozenset(self.declared.keys() - self.document.external.keys())
