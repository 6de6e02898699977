"""What every kind's model has in common, and the table of the document's sections.

A kind's model (`network.py`, `database.py`) is at once its section of the document and the canonical form of live
state: `reconciler/kinds` builds the same model from what AWS answers. `None` means "left out": not managed in a
document, not known in live state. `null` cannot be written in a document (`load.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict

from desired_state.fields import shown
from desired_state.members import Collection, Tags

Enforcement = Literal["correct", "report", "ignore"]
Refusal = tuple[str, str]
"""(what is wrong, what to write instead)"""

SECTIONS: dict[str, type[Resource]] = {}
"""The model of every kind, by the name of its section; a model enters by being defined."""

_NAME = re.compile(r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")


class Resource(BaseModel):
    """One resource as it should be, or as it was found. Frozen; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: ClassVar[str] = ""
    required: ClassVar[frozenset[str]] = frozenset()
    """Fields a document must give: identity, and what nothing else can supply."""
    agrees: ClassVar[Mapping[str, Callable[[Any, Any], bool]]] = {}
    """`field: f(want, have)` over two resources, where AWS keeps more than was asked for and `==` would never hold."""

    route_parameter: ClassVar[str] = ""
    """The parameter of CreateRoute that takes its id; empty: no route leads to such a resource."""

    enforcement: Enforcement | None = None
    tags: Tags | None = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if cls.kind:
            SECTIONS[cls.kind] = cls

    @classmethod
    @cache
    def described(cls) -> tuple[str, ...]:
        """The fields that describe the resource itself: what is compared, and what an exception may name."""
        return tuple(name for name in cls.model_fields if name != "enforcement")

    @classmethod
    def collection(cls, field: str) -> type[Collection] | None:
        """The class of a set or mapping; None for a field that holds one value."""
        for option in get_args(cls.model_fields[field].annotation):
            if isinstance(option, type) and issubclass(option, Collection):
                return option
        return None

    @classmethod
    def name_problem(cls, name: str) -> Refusal | None:
        """Why a document may not call a resource of this kind so; None if it may."""
        if not _NAME.fullmatch(name) or name != name.strip():
            odd = "".join(sorted({f" (U+{ord(char):04X} in it)" for char in name if not char.isascii()})[:1])
            return (
                f"{shown(name)} cannot be a name{odd}",
                "use 1 to 255 of the letters, digits and signs that AWS takes in group names, no space at either end",
            )
        return None

    def but(self, **changes: Any) -> Self:
        """A copy with other values; for canonical values only, nothing is validated."""
        return self.model_copy(update=changes)


def route_parameter(target: str) -> str:
    """The parameter of CreateRoute that takes a target written as an address; empty where it is no route target."""
    kind, slash, name = target.partition("/")
    model = SECTIONS.get(kind) if slash and name else None
    return model.route_parameter if model else ""
