"""Turns pydantic's errors into plain messages, each with a hint. `reading.py` calls `findings_of`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from desired_state.fields import Address, nearest, shown
from desired_state.resource import Resource

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

    from desired_state.strict_json import Path


class Violation(NamedTuple):
    """Something wrong at a path of a document; `on_key`: with the key, not with its value."""

    path: Path
    problem: str
    hint: str
    on_key: bool = False


def by_kind(declared: Iterable[Address]) -> dict[str, list[Address]]:
    """The addresses of each kind."""
    names: dict[str, list[Address]] = {}
    for address in declared:
        names.setdefault(address.kind, []).append(address)
    return names


def not_declared(path: Path, target: str, names: Mapping[str, list[Address]]) -> Violation:
    """That nothing is declared under an address; `names` are those that are, by kind."""
    kind = target.partition("/")[0]
    hint = nearest(target, names[kind]) if kind in names else f'declare it under "{kind}"'
    return Violation(path, f"{shown(target)} is not declared in this document", hint)


_NOUNS = {
    "string_type": "a string",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "frozen_set_type": "a list",
}


def findings_of(
    error: ValidationError, value: Any, at: Path, model: type[BaseModel] | None = None
) -> Iterator[Violation]:
    """The problems in `error`, from reading the `value` at `at` as `model`."""
    wrong_types: dict[Path, list[str]] = {}
    for detail in error.errors(include_url=False):
        if detail["type"] == "string_unicode":  # a lone surrogate: strict_json.py reports it
            continue
        below = _below(detail, value)
        context = detail.get("ctx", {})
        kind = detail["type"]
        if kind == "refused":
            yield Violation((*at, *below), context["problem"], context["hint"])
        elif kind == "refused_members":
            for path, problem, hint in context["problems"]:
                yield Violation((*at, *below, *path), problem, hint)
        elif kind in _NOUNS:  # a union has an error for each of its members
            wrong_types.setdefault(below, []).append(_NOUNS[kind])
        elif kind == "extra_forbidden":
            hint = nearest(str(below[-1]), known_fields(model, below), "`setpoint schema` lists the fields")
            yield Violation((*at, *below), f"unknown field {shown(below[-1])}", hint, on_key=True)
        else:
            yield Violation((*at, *below), *_explained(detail, below))
    for below, nouns in wrong_types.items():
        yield Violation((*at, *below), *_wrong_type(_at(value, below), nouns))


def known_fields(model: type[BaseModel] | None, below: Path) -> Iterable[str]:
    """The fields that are allowed where `below` ends: the model's, or those of a member of a collection."""
    if model is None:
        return ()
    if len(below) == 1:
        return [field.alias or name for name, field in model.model_fields.items()]
    collection = model.collection(str(below[0])) if issubclass(model, Resource) else None
    member = get_args(collection.written)[-1] if collection else None
    return (*getattr(member, "__required_keys__", ()), *getattr(member, "__optional_keys__", ()))


def _below(detail: ErrorDetails, value: Any) -> Path:
    """Pydantic's location without the names of a union's members, which are not in the document."""
    path: Path = ()
    for step in detail["loc"]:
        inner = _step(value, step)
        if inner is _NOTHING and detail["type"] != "missing":
            break
        path, value = (*path, step), inner
    return path


_NOTHING = object()


def _step(value: Any, step: int | str) -> Any:
    if isinstance(value, Mapping):
        return value.get(step, _NOTHING)
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else _NOTHING


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = _step(value, step)
    return value


def _explained(detail: ErrorDetails, below: Path) -> tuple[str, str]:
    context, value = detail.get("ctx", {}), shown(detail["input"])
    match detail["type"]:
        case "missing":
            return f'"{below[-1]}" is missing', f'add "{below[-1]}"'
        case "literal_error":
            return f"{value} is not allowed here", f"write {context['expected']}".replace("'", '"')
        case "greater_than_equal":
            return f"{value} is too small", f"write {context['ge']} or more"
        case "less_than_equal":
            return f"{value} is too large", f"write {context['le']} or less"
        case "string_too_short":
            return "the text is empty", "write at least one character"
        case "string_too_long":
            return "the text is too long", f"write at most {context['max_length']} characters"
        case _:
            return f"{value} is refused: {detail['msg']}", "see the documentation of the field"


def _wrong_type(value: Any, nouns: list[str]) -> tuple[str, str]:
    expected = " or ".join(dict.fromkeys(nouns))
    problem = f"expected {expected}, found {shown(value)}"
    if isinstance(value, str) and "a whole number" in nouns and value.isascii() and value.isdecimal():
        return problem, f'write {shown(value)[1:-1]}, not "{shown(value)[1:-1]}"'
    if isinstance(value, str) and expected == "true or false" and value.lower() in {"true", "false"}:
        return problem, f'write {value.lower()}, not "{value}"'
    if type(value) is int and expected == "a string":
        return problem, f'write "{shown(value)}", not {shown(value)}'
    return problem, f"write {expected}"
