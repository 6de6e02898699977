"""moto's way from an object to XML, quicker: two steps of its serializers, with the same outcome.

For every member of an answer moto writes down the path that led to it, and asks each name that the value may have;
names follow from classes and from AWS's model alone, and only what has a transformer needs its path. The XML is then
written event by event (xmltodict over xml.sax); here it is put together from strings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from xml.sax.saxutils import escape, quoteattr

from moto.core import responses, serialize
from moto.core.serialize import AttributePickerContext, ResponseSerializer, XFormedAttributePicker
from moto.core.utils import get_value


class _Picker(XFormedAttributePicker):
    """moto's picker of an answer's values."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._transformed = {end.rpartition(".")[2] for end in self.response_transformers}

    def pick(self, of: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
        """The member of `value` that the model calls `key`, or None."""
        kind = type(value)
        at = (kind, key, shape, getattr(shape, "parent", None))
        if at not in _KEYS:
            _KEYS[at] = tuple(dict.fromkeys(self.get_possible_keys(AttributePickerContext(value, key, shape))))
        look = _LOOK.get(kind) or _LOOK.setdefault(kind, _look_into(kind))
        found = None
        for each in _KEYS[at]:
            here = look(value, each, _NOTHING)
            if here is not _NOTHING:
                found = here
                break
        return self._as_transformed(".".join(of.path), key, found) if key in self._transformed else found

    def _as_transformed(self, path: str, key: str, found: Any) -> Any:
        known = self.response_transformers.items()
        transform = next((one for end, one in known if f"{path}.{key}".endswith(end)), None)
        return found if transform is None else transform(found)


_NOTHING: Any = object()
_KEYS: dict[Any, tuple[str, ...]] = {}
_LOOK: dict[type[Any], Callable[[Any, str, Any], Any]] = {}
_XML: Any = vars(serialize)["xmltodict"]
_unparse = _XML.unparse
_get_value = ResponseSerializer.get_value


def _look_into(kind: type[Any]) -> Callable[[Any, str, Any], Any]:
    """How moto's get_value finds a name without a dot in an object of this class; with one, it walks."""
    if kind is dict:
        plain: Callable[[Any, str, Any], Any] = dict.get
    elif hasattr(kind, "__getitem__") or hasattr(kind, "__getattr__"):
        return get_value
    else:
        plain = getattr

    def look(value: Any, key: str, default: Any) -> Any:
        return get_value(value, key, default) if "." in key else plain(value, key, default)

    return look


def _picked(serializer: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
    picker = serializer._value_picker
    if isinstance(picker, _Picker):
        return picker.pick(serializer, value, key, shape)
    return _get_value(serializer, value, key, shape)


def _written(body: dict[str, Any], **options: Any) -> str:
    """xmltodict's `unparse` for what moto asks of it here: one root, short empty elements, not pretty."""
    whole = options.get("full_document", True)
    if options != {"full_document": whole, "pretty": False, "short_empty_elements": True} or len(body) != 1:
        return str(_unparse(body, **options))
    head = '<?xml version="1.0" encoding="utf-8"?>\n' if whole else ""
    parts: list[str] = []
    [(key, value)] = body.items()
    _write(key, value, parts.append)
    return head + "".join(parts)


def _write(key: str, value: Any, out: Callable[[str], None]) -> None:
    _XML._validate_name(key, "element")
    one = not hasattr(value, "__iter__") or isinstance(value, str | bytes | dict)
    for each in (value,) if one else value:
        if isinstance(each, dict):
            _write_element(key, each, out)
        else:
            text = "" if each is None else escape(_text(each))
            out(f"<{key}>{text}</{key}>" if text else f"<{key}/>")


def _write_element(key: str, members: dict[str, Any], out: Callable[[str], None]) -> None:
    if "#text" in members:  # text beside attributes: rare enough to be left to xmltodict
        out(_unparse({key: members}, full_document=False, short_empty_elements=True))
        return
    attributes, children = [], []
    for name, value in members.items():
        if name.startswith("@"):
            _XML._validate_name(name[1:], "attribute")
            attributes.append(f" {name[1:]}={quoteattr('' if value is None else _text(value))}")
        elif value != []:
            children.append((name, value))
    opened = f"<{key}{''.join(attributes)}"
    if not children:
        out(f"{opened}/>")
        return
    out(f"{opened}>")
    for name, value in children:
        _write(name, value, out)
    out(f"</{key}>")


def _text(value: Any) -> str:
    return value if type(value) is str else str(_XML._convert_value_to_string(value))


@contextmanager
def quick_answers() -> Iterator[None]:
    """Inside the block moto makes its answers in this way."""
    with (
        patch.object(responses, "XFormedAttributePicker", _Picker),
        patch.object(ResponseSerializer, "get_value", _picked),
        patch.object(_XML, "unparse", _written),
    ):
        yield
