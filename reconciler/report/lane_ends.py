"""The ends of a lane in words: who they are, and of which of their addresses it is. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from desired_state.fields import Address
from desired_state.sanitize import sanitize
from reconciler.packets.traffic import size
from reconciler.reach.histories import History
from reconciler.reach.layers import ANYWHERE
from reconciler.reach.pair.ends import INTERNET, End, Endpoint, External, Ranges
from reconciler.report.flows import listed


class Who(NamedTuple):
    """One end: its kind and name, what it is called, and its address in the document if it has one."""

    kind: str
    name: str
    label: str
    address: str | None


def end_as_json(one: Who, subnets: list[str]) -> dict[str, Any]:
    """An end as JSON, with the subnets in which its machines are."""
    return {
        "kind": one.kind,
        "name": one.name,
        "label": one.label,
        "address": one.address,
        "subnets": [sanitize(at) for at in subnets],
    }


def who_of(end: End) -> Who:
    """Who an end is, whatever subnet it is in."""
    if isinstance(end, External):
        if end.internet:
            return Who("internet", "internet", end.label, None)
        label = sanitize(end.label)
        return Who("network", label.removeprefix("behind "), label, None)
    owner = Address(end.owner)
    if end.stranger or not end.owner:
        name = sanitize(end.label.removesuffix(f" in {end.subnet}"))
        return Who("nobody", name, name, None)
    if owner.kind == "db_instance":
        return Who("db_instance", sanitize(owner.name), sanitize(owner), sanitize(owner))
    usual = end.label in (end.owner, f"{end.owner} in {end.subnet}")
    label = f"workload {end.owner}" if usual else end.label
    return Who("workload", sanitize(end.owner), sanitize(label), None)


def is_known(end: End) -> bool:
    """Whether it is certain that somebody is there."""
    return isinstance(end, External) or bool(end.owner)


def subnets_of(end: End) -> tuple[str, ...]:
    """The subnet of an end, if it has one."""
    return (end.subnet,) if isinstance(end, Endpoint) else ()


def addresses_of(one: History, most: int) -> str | None:
    """Which addresses of the ends it is about, if not all of theirs; of the internet always."""
    parts = [
        f"{word} {said}"
        for word, end, whole in (("from", one.source, one.source_whole), ("to", one.target, one.target_whole))
        if (said := _part(end, most, whole=whole))
    ]
    return " ".join(parts) or None


def _part(end: End, most: int, *, whole: bool) -> str:
    if isinstance(end, External) and end.internet:
        return _of_internet(end.addresses, most, whole=whole)
    return "" if whole else listed(end.addresses.cidrs, most)


def _of_internet(addresses: Ranges, most: int, *, whole: bool) -> str:
    """A part of the internet."""
    everyone = Ranges(INTERNET.ipv4 if addresses.ipv4 else (), INTERNET.ipv6 if addresses.ipv6 else ())
    name = "anyone" if addresses.ipv4 else "anyone (IPv6)"
    others = (everyone - addresses).cidrs
    if whole or not others:
        return name
    if size(addresses.ipv4) > size(everyone.ipv4) // 2 and len(others) <= len(addresses.cidrs):
        return f"{name} but {listed(others, most)}"
    # What is not of the internet may be named with it, if that is shorter: 128.0.0.0/1 in place of 54 networks.
    around = tuple(one for one in (addresses | _BESIDE).cidrs if Ranges.of(one) & addresses)
    return listed(around if len(around) < len(addresses.cidrs) else addresses.cidrs, most)


_BESIDE = Ranges.of(*ANYWHERE) - INTERNET
