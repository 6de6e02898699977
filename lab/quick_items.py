"""moto's DynamoDB, quicker: reading, putting and updating one item, with the same outcome.

moto parses an update's expressions four times and copies the item twice, which takes longer than all else that a run
asks for. What is carried out here instead is what the ledger asks for: plain values, and the expressions that
`quick_expressions.py` parses. Each sort of request goes to moto the first time, and whenever anything about it or its
item is unusual; it is carried out here only after both came to the same. The items stay moto's.

Fact encoded (DynamoDB developer guide, "Update expressions"): ADD to a number that is not there sets it.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from moto.backends import get_backend
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from lab.quick_expressions import NAME, VALUE, Looked, Raw, Unsure, condition_of, update_steps
from lab.refusal import Refusal

Answer = dict[str, Any]
Params = dict[str, Any]

_PUT, _GET = {"TableName", "Item"}, {"TableName", "Key", "ConsistentRead"}
_UPDATE = {"TableName", "Key", "UpdateExpression", "ConditionExpression"}
_UPDATE |= {"ExpressionAttributeNames", "ExpressionAttributeValues"}
_UPDATE |= {"ReturnValues", "ReturnValuesOnConditionCheckFailure"}
_LARGE, _LONG_KEY = 100_000, 500
"""From so many bytes or letters on, moto looks at the size. An item may have 400 KB, a key 2,048 bytes."""

_SAME: set[Any] = set()
_OTHER: set[Any] = set()
"""The sorts of requests that came to the same here and in moto, and those that did not."""


class _Outcome(NamedTuple):
    """What the answer is, the item afterwards, and the attributes in it that are new; None where nothing changes."""

    answer: Answer | Refusal
    after: Raw | None
    changed: Mapping[str, dict[str, Any]]


def answered(account: str, region: str, operation: str, params: Params, moto: Callable[[], Answer]) -> Answer:
    """The answer to a call of DynamoDB; `moto` asks moto, and raises what it refuses as Refusal."""
    table: Any = get_backend("dynamodb")[account][region].tables.get(params.get("TableName", ""))
    try:
        key = _key(table, operation, params)
        before = _raw(table, key)
        outcome = _carried_out(operation, params, before)
        sort = _sort(operation, params, outcome, before)
    except Unsure:
        return moto()
    if sort in _OTHER:
        return moto()
    if sort not in _SAME:
        return _compared(sort, outcome, table, key, moto)
    if outcome.after is not None:
        _store(table, key, outcome)
    if isinstance(outcome.answer, Refusal):
        raise outcome.answer
    return outcome.answer


@contextmanager
def forgetting() -> Iterator[None]:
    """Inside the block nothing that moto has changed in an item is taken for what it was before."""
    update = DynamoDBBackend.update_item

    def updated(backend: Any, table_name: str, *args: Any, **options: Any) -> Any:
        try:
            return update(backend, table_name, *args, **options)
        finally:
            table = backend.tables.get(table_name)
            if table is not None and not table.has_range_key:
                for item in table.items.values():
                    vars(item).pop("laboratory", None)

    with patch.object(DynamoDBBackend, "update_item", updated):
        yield


def _compared(sort: Any, outcome: _Outcome, table: Any, key: Any, moto: Callable[[], Answer]) -> Answer:
    told: Any
    try:
        answer = moto()
        told = {name: part for name, part in answer.items() if name != "ConsumedCapacity"}  # AWS is silent, unasked
    except Refusal as refusal:
        told, answer = (refusal.code, refusal.message, refusal.status, refusal.beside), {}
        raise
    finally:
        ours: Any = outcome.answer
        if isinstance(ours, Refusal):
            ours = (ours.code, ours.message, ours.status, ours.beside)
        same = told == ours and (outcome.after is None or outcome.after == _raw(table, key))
        (_SAME if same else _OTHER).add(sort)
    return answer


def _key(table: Any, operation: str, params: Params) -> Any:
    """The item's key, as moto has it in its table."""
    if operation not in {"GetItem", "PutItem", "UpdateItem"} or table is None:
        raise Unsure
    if table.has_range_key or table.stream_shard is not None or table.global_indexes or table.indexes:
        raise Unsure
    named = params.get("Item" if operation == "PutItem" else "Key", {})
    value = named.get(table.hash_key_attr)
    if operation != "PutItem" and len(named) != 1:
        raise Unsure
    text = value.get("S") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(text, str) or not 0 < len(text) <= _LONG_KEY:
        raise Unsure
    return DynamoType(value)


def _raw(table: Any, key: Any) -> Raw:
    """The item; empty where there is none. Nobody else has this copy."""
    item = dict.get(table.items, key)
    if not item:
        return {}
    kept = vars(item).get("laboratory")
    if kept is None:
        there: Raw = item.to_json()["Attributes"]
        kept = vars(item)["laboratory"] = _pickled(there)
    raw: Raw = pickle.loads(kept)  # noqa: S301 (our own, from above)
    return raw


def _pickled(raw: Raw) -> bytes:
    for value in raw.values():
        _check_plain(value)
    kept = pickle.dumps(raw, pickle.HIGHEST_PROTOCOL)
    if len(kept) > _LARGE:
        raise Unsure
    return kept


_NUMBER = re.compile(r"-?(0|[1-9]\d{0,30})(\.\d{1,6})?")


def _check_plain(value: Any) -> None:
    if not isinstance(value, dict) or len(value) != 1:
        raise Unsure
    [(kind, held)] = value.items()
    if kind == "M" and isinstance(held, dict):
        for each in held.values():
            _check_plain(each)
    elif kind == "L" and isinstance(held, list):
        for each in held:
            _check_plain(each)
    elif kind == "N":
        if not isinstance(held, str) or not _NUMBER.fullmatch(held):
            raise Unsure
    elif not (kind == "S" and isinstance(held, str)) and not (kind in {"BOOL", "NULL"} and isinstance(held, bool)):
        raise Unsure


def _store(table: Any, key: Any, outcome: _Outcome) -> None:
    after = outcome.after or {}
    kept = _pickled(after)
    old = dict.get(table.items, key)
    was = old.attrs if old else {}
    item = Item(key, None, {})
    for name, value in after.items():
        kept_on = name in was and name not in outcome.changed
        dict.__setitem__(item.attrs, name, was[name] if kept_on else DynamoType(value))
    vars(item)["laboratory"] = kept
    table.items[key] = item


def _carried_out(operation: str, params: Params, before: Raw) -> _Outcome:
    allowed = {"GetItem": _GET, "PutItem": _PUT, "UpdateItem": _UPDATE}[operation]
    if not params.keys() <= allowed:
        raise Unsure
    if operation == "GetItem":
        return _Outcome({"Item": before} if before else {}, None, {})
    if operation == "PutItem":
        _pickled(params["Item"])
        return _Outcome({}, params["Item"], params["Item"])
    return _updated(params, before)


def _sort(operation: str, params: Params, outcome: _Outcome, before: Raw) -> Any:
    """What two requests have in common that moto treats alike: what an attribute is called is no part of it."""
    told = (operation, bool(before), isinstance(outcome.answer, Refusal))
    if operation != "UpdateItem":
        return told
    names, values = params.get("ExpressionAttributeNames", {}), params.get("ExpressionAttributeValues", {})
    update, condition = params.get("UpdateExpression", ""), params.get("ConditionExpression", "")
    both = f"{update} {condition}"
    if set(NAME.findall(both)) != set(names) or set(VALUE.findall(both)) != set(values):
        raise Unsure  # one that is not used is refused
    steps = frozenset(
        (verb, target if target not in names else names[target] in before, *values.get(value, ()))
        for verb, target, value in update_steps(update)
    )
    kinds = {name: (*values[name],) for name in VALUE.findall(condition)}
    returns = (params.get("ReturnValues"), params.get("ReturnValuesOnConditionCheckFailure"))
    return (*told, condition, *returns, *sorted(kinds.items()), steps)


def _updated(params: Params, before: Raw) -> _Outcome:
    names, values = params.get("ExpressionAttributeNames", {}), params.get("ExpressionAttributeValues", {})
    for value in values.values():
        _check_plain(value)
    condition = params.get("ConditionExpression")
    if condition is not None and not condition_of(condition)(Looked(names, values, before)):
        shown = params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and before
        message = "The conditional request failed"
        refusal = Refusal("ConditionalCheckFailedException", message, 400, {"Item": before} if shown else {})
        return _Outcome(refusal, None, {})
    after = dict(before) or dict(params["Key"])
    changed: dict[str, dict[str, Any]] = {}
    for verb, target, value in update_steps(params.get("UpdateExpression", "")):
        name = names.get(target) if target.startswith("#") else target
        if name is None or name in params["Key"] or name in changed:
            raise Unsure
        if verb == "REMOVE":
            after.pop(name, None)
            continue
        given = values.get(value)
        if given is None:
            raise Unsure
        changed[name] = after[name] = given if verb == "SET" else _sum(after.get(name), given)
    _pickled(after)
    match params.get("ReturnValues", "NONE"):
        case "NONE":
            return _Outcome({}, after, changed)
        case "ALL_NEW":
            return _Outcome({"Attributes": pickle.loads(pickle.dumps(after))}, after, changed)  # noqa: S301 (our own)
        case _:
            raise Unsure


def _sum(before: dict[str, Any] | None, more: dict[str, Any]) -> dict[str, Any]:
    one, other = (before or more).get("N"), more.get("N")
    if one is None or other is None or "." in one + other:
        raise Unsure
    return more if before is None else {"N": str(int(one) + int(other))}
