"""The sets and mappings of a document: what they have in common, and the plain ones, references and tags.

`rules.py` has the others: rules, entries and routes.

Written as JSON lists and objects, kept as mappings and sets with hashable canonical members, so that the differ
compares them member by member and never cares for their order. Each accepts its written form (a document) or itself
(live state). Bad members are refused all at once: the error's context carries `(path below, problem, mend)` of each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
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


def refused_members(problems: list[MemberProblem]) -> PydanticCustomError:
    """What a collection raises: every member's problem at once, under `problems` in the error's context."""
    return PydanticCustomError(
        "refused_members", "{count} members are refused", {"count": len(problems), "problems": problems}
    )


class Collection:
    """Mixed into a collection: validation from its written form, or from itself."""

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


class References(Collection, frozenset[Address]):
    """A set of references to resources; live state may hold ids of things that nobody declared."""

    written = list[str]
    allowed: ClassVar[re.Pattern[str]]
    hint: ClassVar[str]

    @classmethod
    def read(cls, written: list[str]) -> Self:
        problems, seen = list[MemberProblem](), set[str]()
        for index, one in enumerate(written):
            if not cls.allowed.fullmatch(one):
                problems.append(((index,), f"{shown(one)} is no reference that fits here", cls.hint))
            if one in seen:
                problems.append(((index,), f"{shown(one)} stands here twice", "state it once"))
            seen.add(one)
        if problems:
            raise refused_members(problems)
        return cls(map(Address, written))

    def as_written(self) -> list[str]:
        return sorted(map(str, self))


class Subnets(References):
    """A set of `subnet/<name>`."""

    allowed = re.compile(r"subnet/.+")
    hint = "write subnet/<name> of a subnet in this document"


class SecurityGroups(References):
    """A set of `security_group/<name>`, or of ids of groups that another document or nobody declares."""

    allowed = re.compile(r"security_group/.+|sg-[0-9a-f]{8,17}")
    hint = "write security_group/<name> of a group in this document, or an id sg-..."


class Tags(Collection, dict[str, str]):
    """Tags; the only mapping of which a document owns just the keys it names."""

    written = dict[str, str]

    @classmethod
    def read(cls, written: dict[str, str]) -> Self:
        problems = list[MemberProblem]()
        for key, value in written.items():
            if key.lower().startswith(("aws:", "rds:")):
                problems.append(((key,), f"AWS reserves tags that begin with {key[:4]!r}", "choose another key"))
            if key.startswith("setpoint:"):
                problems.append(((key,), f"{shown(key)} is a tag that this tool keeps itself", "leave it out"))
            if not 1 <= len(key) <= 127 or len(value) > 256:
                problems.append(
                    ((key,), "AWS takes no tag of this length", "1 to 127 characters in a key, at most 256 in a value")
                )
            if not (key + value).isprintable():
                problems.append(((key,), "the tag holds characters that cannot be printed", "write plain text"))
        if len(written) > 40:
            problems.append(((), f"{len(written)} tags", "AWS keeps 50 on a resource; declare at most 40"))
        if problems:
            raise refused_members(problems)
        return cls(written)

    def as_written(self) -> dict[str, str]:
        return dict(sorted(self.items()))


def members(value: Any) -> Iterable[Any]:
    """The members of a collection, for counting and naming; a scalar has none."""
    return value if isinstance(value, (Mapping, frozenset)) else ()
