"""What a call of CloudTrail can have changed of a resource, by what its request names. Pure.

Each kind has one table, `Kind.changes`: eventName -> `Touches`. From it follow the events that wake a run
(`Kind.changed_by`) and who is named for a drift (`cloudtrail/attribution.py`). `Actor.details` is what is known of a
request; `cloudtrail/record.py` says which words it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple

type Way = Literal["extra", "gone", "other"]
"""How a field differs: something undeclared is there, something declared is missing, or a value is another one."""
type Details = frozenset[str]
"""What a request names: parameters in lower case, `parameter=value` where a kind needs the value, `tag=<key>`,
`arn=<type>` and `rule=<rule>` (`cloudtrail/details.py`).
"""
MANY = "*"
"""Stands for the values that a call has more of than are kept."""

EXTRA: frozenset[Way] = frozenset({"extra", "other"})
"""What a call can do that adds or overwrites members."""
GONE: frozenset[Way] = frozenset({"gone"})
OTHER: frozenset[Way] = frozenset({"other"})
ALL: frozenset[Way] = frozenset({"extra", "gone", "other"})


class Part(NamedTuple):
    """A field that a call can have changed; an empty one is the resource as a whole, which is missing then.

    `keys` are the members that the call names (None: any). `lists`: the request lists the ids of all members that the
    field has afterwards. `value` is what it was set to, if that is `true` or `false`. `refused_if_there`: AWS refuses
    the call if the member is already there, so before the call it was not.
    """

    field: str
    ways: frozenset[Way] = ALL
    keys: frozenset[str] | None = None
    lists: bool = False
    value: str = ""
    refused_if_there: bool = False


type Touches = Callable[[Details], Iterable[Part]]


def touches(*parts: str | Part) -> Touches:
    """A call that always changes these fields."""
    whole = tuple(one if isinstance(one, Part) else Part(one) for one in parts)
    return lambda details: whole


NOTHING = touches()
"""A call that only wakes a run: it changes nothing that a document can declare, or says too little of what."""
GOES = touches(Part("", GONE))
"""A call that deletes the resource, or takes it out of sight."""


def by_parameter(parameters: Mapping[str, str], lists: Iterable[str] = ()) -> Touches:
    """A call that changes the fields whose parameters it names: field -> the parameter in lower case. `lists` are those
    whose parameter lists all members.
    """
    listed = frozenset(lists)

    def touched(details: Details) -> Iterable[Part]:
        for field, parameter in parameters.items():
            if parameter in details:
                value = next((one for one in ("true", "false") if f"{parameter}={one}" in details), "")
                yield Part(field, lists=field in listed, value=value)

    return touched


def together(*several: Touches) -> Touches:
    """A call that changes what any of `several` says."""
    return lambda details: [part for one in several for part in one(details)]


def values_of(details: Details, *parameters: str) -> frozenset[str] | None:
    """The values of these parameters; None if the call does not say them all."""
    split = (one.partition("=") for one in details)
    values = frozenset(value for parameter, equals, value in split if equals and parameter in parameters)
    return None if not values or MANY in values else values


def tagging(ways: frozenset[Way], arn_type: str = "") -> Touches:
    """A call about tags: those that it names, or all. `arn_type` is what the ARN says that is tagged; RDS has one name
    for an instance and its subnet group.
    """

    def touched(details: Details) -> Iterable[Part]:
        if not arn_type or f"arn={arn_type}" in details:
            yield Part("tags", ways, values_of(details, "tag"))

    return touched


def only_tags(tables: Iterable[Mapping[str, Touches]], call: str, details: Details) -> bool:
    """Whether a call can have changed tags and nothing else, by the tables of all kinds. One that they say nothing of
    can have changed anything.
    """
    parts = [part for table in tables if call in table for part in table[call](details)]
    return bool(parts) and all(part.field == "tags" for part in parts)


EC2_TAGS: Mapping[str, Touches] = {"CreateTags": tagging(EXTRA), "DeleteTags": tagging(GONE)}


def rds_tags(arn_type: str) -> Mapping[str, Touches]:
    """The calls that change tags in RDS, for the type of resource that is in ARNs."""
    return {
        "AddTagsToResource": tagging(EXTRA, arn_type),
        "RemoveTagsFromResource": tagging(GONE, arn_type),
    }
