"""Replaces accounts, network addresses and principals by stable short names, for a page that leaves the house. Pure.

The same value has the same short name on every page, so that pages can be compared. A name is made from a digest, and
is no secret: who has a list of accounts can find out which one is meant.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from reconciler.report.page.reading import Json, listed, mapping

_ARN = re.compile(r"arn:aws[a-z-]{0,20}:(?:iam|sts)::[0-9]{12}:[\w+=,.@/-]{1,600}")
_ACCOUNT = re.compile(r"(?<![0-9A-Za-z-])[0-9]{12}(?![0-9A-Za-z])")
_IPV4 = re.compile(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(/[0-9]{1,2})?(?![0-9.])")
_IPV6 = re.compile(r"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{1,4}:){2,7}[0-9A-Fa-f:]{0,20}(/[0-9]{1,3})?(?![0-9A-Za-z])")
_KEPT = {"0.0.0.0/0"}
"""Anywhere is nobody's address."""
_KINDS = {"who": "principal", "approved_by": "principal", "source_ip": "address", "account": "account"}
_TIMES = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T")


def without_names(receipt: Json, history: Json | None) -> tuple[Json, Json | None]:
    """The receipt and the history with short names in place of accounts, addresses and principals."""
    people = _principals(receipt)
    people |= {str(one["who"]) for one in listed(history or {}, "episodes") if one.get("who")}
    known = sorted((name for name in people if len(name) >= 3), key=len, reverse=True)
    return _value(receipt, known), None if history is None else _value(history, known)


def _principals(receipt: Json) -> set[str]:
    found = {str(mapping(mapping(receipt, "actors"), one).get("who") or "") for one in mapping(receipt, "actors")}
    found |= {str(one.get("who") or "") for one in listed(receipt, "holds")}
    uploaded = mapping(mapping(receipt, "document"), "uploaded")
    found |= {str(uploaded.get("who") or ""), str(mapping(receipt, "run").get("approved_by") or "")}
    return found - {""}


def short(kind: str, value: str) -> str:
    """The short name of a value, such as `address-3f9a2c`."""
    return f"{kind}-{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"


def _value(value: Any, people: list[str], name: str = "") -> Any:
    if isinstance(value, str):
        return short(_KINDS[name], value) if name in _KINDS and value else _text(value, people)
    if isinstance(value, Mapping):
        return {_text(str(key), people): _value(inner, people, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_value(one, people) for one in value]
    return value


def _text(words: str, people: list[str]) -> str:
    for person in people:
        words = words.replace(person, short("principal", person))
    words = _ARN.sub(lambda found: short("principal", found[0]), words)
    words = _ACCOUNT.sub(lambda found: short("account", found[0]), words)
    words = _IPV4.sub(lambda found: found[0] if found[0] in _KEPT else short("address", found[0]), words)
    if ":" in words and not _TIMES.match(words):
        words = _IPV6.sub(lambda found: short("address", found[0]), words)
    return words
