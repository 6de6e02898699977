"""The sets and mappings of a document: their base class, references and tags. `rules.py` has rules, entries and routes.

In JSON they are lists and objects; here they are mappings and sets of canonical members, so that they are compared
member by member, regardless of order. Each validates its written form (a document) or itself (live state). All invalid
members are reported at once: the error's context has `(path below, problem, hint)` of each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

from pydantic import ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from desired_state.fields import (
    Address,
    shown,
)

Below = tuple[int | str, ...]
MemberProblem = tuple[Below, str, str]
"""(path below the collection, what is wrong, what to write instead)"""

STRICT = ConfigDict(extra="forbid", strict=True)


def refused_members(problems: Sequence[MemberProblem]) -> PydanticCustomError:
    """The error that a collection raises, with every member's problem under `problems` in its context."""
    return PydanticCustomError(
        "refused_members", "{count} members are refused", {"count": len(problems), "problems": problems}
    )


class Collection:
    """Mixin of a collection: validates its written form, or an instance of itself."""

    written: ClassVar[Any]

    @classmethod
    def read(cls, written: Any) -> Self:
        raise NotImplementedError

    def as_written(self) -> Any:
        raise NotImplementedError

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        def accept(value: Any, inner: Callable[[Any], Any]) -> Collection:
            return value if isinstance(value, cls) else cls.read(inner(value))

        return core_schema.no_info_wrap_validator_function(
            accept,
            handler.generate_schema(cls.written),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda it: it.as_written()),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        written: JsonSchemaValue = handler(cast("Any", schema)["schema"])
        return written


class Names(Collection, tuple[str, ...]):
    """Names in the order in which they are written, each once."""

    __slots__ = ()
    written = list[str]

    @classmethod
    def read(cls, written: list[str]) -> Self:
        return cls(written)

    def checked(self, problem: Callable[[str], tuple[str, str] | None], most: int | None = None) -> Self:
        """Itself, if it has at most so many names, each once, and none of them has a problem."""
        problems: list[MemberProblem] = [((at,), *why) for at, name in enumerate(self) if (why := problem(name))]
        problems += listed_twice(self)
        if most is not None and len(self) > most:
            problems.append(((), f"{len(self)} names", f"write at most {most}"))
        if problems:
            raise refused_members(problems)
        return self

    def as_written(self) -> list[str]:
        return list(self)


def listed_twice(written: Iterable[str]) -> list[MemberProblem]:
    """The problem of every member that stands in the list before."""
    seen, problems = set[str](), list[MemberProblem]()
    for index, one in enumerate(written):
        if one in seen:
            problems.append(((index,), f"{shown(one)} is listed twice", "list it once"))
        seen.add(one)
    return problems


class References(Collection, frozenset[Address]):
    """A set of references to resources; live state may contain ids of undeclared resources."""

    written = list[str]
    allowed: ClassVar[re.Pattern[str]]
    hint: ClassVar[str]

    @classmethod
    def read(cls, written: list[str]) -> Self:
        problems: list[MemberProblem] = [
            ((index,), f"{shown(one)} is not a valid reference here", cls.hint)
            for index, one in enumerate(written)
            if not cls.allowed.fullmatch(one)
        ]
        if problems := [*problems, *listed_twice(written)]:
            raise refused_members(problems)
        return cls(map(Address, written))

    def as_written(self) -> list[str]:
        return sorted(map(str, self))


class Subnets(References):
    """A set of `subnet/<name>`, or of ids of subnets that this document does not declare."""

    allowed = re.compile(r"subnet/.+|subnet-[0-9a-f]{8,17}")
    hint = "write subnet/<name> of a subnet in this document, or a subnet id subnet-..."


class SecurityGroups(References):
    """A set of `security_group/<name>`, or of ids of groups that this document does not declare."""

    allowed = re.compile(r"security_group/.+|sg-[0-9a-f]{8,17}")
    hint = "write security_group/<name> of a group in this document, or a group id sg-..."


OWN_TAGS = "setpoint:"
"""With this begin the tags by which Setpoint knows its resources; no document declares them."""


class Tags(Collection, dict[str, str]):
    """Tags; only the declared keys are managed."""

    written = dict[str, str]

    @classmethod
    def read(cls, written: dict[str, str]) -> Self:
        problems = list[MemberProblem]()
        for key, value in written.items():
            if key.lower().startswith(("aws:", "rds:")):
                problems.append(((key,), f"AWS reserves tags that begin with {key[:4]!r}", "choose another key"))
            if key.startswith(OWN_TAGS):
                problems.append(((key,), f"{shown(key)} is reserved for Setpoint", "leave it out"))
            if not 1 <= len(key) <= 127 or len(value) > 256:
                hint = "use 1 to 127 characters in the key, at most 256 in the value"
                problems.append(((key,), "AWS does not allow a tag of this length", hint))
            if not (key + value).isprintable():
                problems.append(((key,), "the tag contains unprintable characters", "use printable characters"))
        if len(written) > 40:
            problems.append(((), f"{len(written)} tags", "declare at most 40: AWS allows 50 on a resource"))
        if problems:
            raise refused_members(problems)
        return cls(written)

    def as_written(self) -> dict[str, str]:
        return dict(sorted(self.items()))


def members(value: Any) -> Iterable[Any]:
    """The members of a collection; a scalar has none."""
    return value if isinstance(value, (Mapping, frozenset)) else ()
