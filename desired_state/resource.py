"""The base class of every kind's model, and the table of the document's sections.

A kind's model (`network.py`, `database.py`) is its section of the document and also the canonical form of live state:
`reconciler/kinds` builds it from AWS's answers. `None` means not managed in a document, and not known in live state. A
document cannot contain `null` (`strict_json.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from desired_state.fields import Form, refusal, shown
from desired_state.members import Collection, Names, Tags

Enforcement = Literal["correct", "report", "ignore"]
Refusal = tuple[str, str]
"""(what is wrong, what to write instead)"""

SECTIONS: dict[str, type[Resource]] = {}
"""The model of every kind, by the name of its section; defining a model adds it."""

Note = Annotated[str, Field(max_length=1000, description="Free text of a person; nothing compares it.")]

_BESIDE = frozenset({"enforcement", "formerly", "note"})
"""The fields that say something about a resource and are not in AWS."""
_NAME = re.compile(r"[A-Za-z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")


class Resource(BaseModel):
    """One resource, declared or live. Frozen; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: ClassVar[str] = ""
    required: ClassVar[frozenset[str]] = frozenset()
    """Fields that a document must have: identity, and what has no default."""
    id_form: ClassVar[Form | None] = None
    """The form of its id in AWS; None: its name is its id."""
    any_case: ClassVar[bool] = False
    """Whether AWS compares its names regardless of case."""
    never_renamed: ClassVar[Refusal | None] = None
    """Why it has no former names: AWS knows it by its name. None: it may have some."""
    agrees: ClassVar[Mapping[str, Callable[[Any, Any], bool]]] = {}
    """`field: f(want, have)` for two resources, for fields that AWS changes by itself, so that `==` is too strict."""

    route_parameter: ClassVar[str] = ""
    """The parameter of CreateRoute for its id; empty: it is not a route target."""

    formerly: Annotated[Names, Field(description="Earlier names; of a group also its name in AWS.")] = Names()
    note: Note | None = None
    enforcement: Enforcement | None = None
    tags: Tags | None = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if cls.kind:
            SECTIONS[cls.kind] = cls

    @field_validator("formerly")
    @classmethod
    def _former_names(cls, names: Names) -> Names:
        if cls.never_renamed:
            raise refusal(*cls.never_renamed)
        return names.checked(cls.name_problem)

    @classmethod
    @cache
    def described(cls) -> tuple[str, ...]:
        """The fields that are compared, and that an exception may name."""
        return tuple(name for name in cls.model_fields if name not in _BESIDE)

    @classmethod
    def collection(cls, field: str) -> type[Collection] | None:
        """The class of a set or mapping; None for a field with a single value."""
        for option in get_args(cls.model_fields[field].annotation):
            if isinstance(option, type) and issubclass(option, Collection):
                return option
        return None

    @classmethod
    def name_problem(cls, name: str) -> Refusal | None:
        """Why a resource of this kind cannot have this name; None if it can."""
        if not _NAME.fullmatch(name) or name != name.strip():
            odd = "".join(sorted({f" (it contains U+{ord(char):04X})" for char in name if not char.isascii()})[:1])
            return (
                f"{shown(name)} cannot be a name{odd}",
                "use 1 to 255 of the characters that AWS allows in group names, no space at either end",
            )
        return None

    def but(self, **changes: Any) -> Self:
        """A copy with other values, which must be canonical: they are not validated."""
        return self.model_copy(update=changes)


def ec2_id(prefix: str, noun: str) -> Form:
    """The form of an id of EC2: 8 hexadecimal digits in old ones, otherwise 17 (EC2 user guide, resource IDs)."""
    article = "an" if noun[0] in "aeio" else "a"
    return Form(rf"{prefix}-[0-9a-f]{{8,17}}", f"{article} {noun} id", f"write the id as AWS shows it: {prefix}-...")


def route_parameter(target: str) -> str:
    """The parameter of CreateRoute for a target that is an address; empty if it is not a route target."""
    kind, slash, name = target.partition("/")
    model = SECTIONS.get(kind) if slash and name else None
    return model.route_parameter if model else ""
