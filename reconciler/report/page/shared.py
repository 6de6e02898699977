"""What subnets and machines share on the map: groups, tables and ACLs, and what nobody declares. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reconciler.report.page.reading import Json, in_words, kind_of, listed, mapping, text
from reconciler.report.page.resources import Resource
from reconciler.report.page.shown_look import ShownLook
from reconciler.report.page.words import counted, member

GROUPS = 24
"""Of more groups, those that differ are shown, up to so many."""
_KINDS = ("security_group", "db_subnet_group", "route_table", "network_acl")


class Shared(NamedTuple):
    """A group, a table or an ACL, or something that nobody declares."""

    resource: Resource
    about: str
    rules: tuple[str, ...]
    numbers: tuple[int, ...] = ()
    managed: bool = True
    made_with_vpc: bool = False
    missing: bool = False
    remark: str | None = None
    differs: bool = False


class AllShared(NamedTuple):
    """The groups, tables and ACLs that are shown, and of the further ones those that differ and those that do not."""

    shown: tuple[Shared, ...]
    differing: tuple[Resource, ...]
    further: tuple[Resource, ...]


def shared(look: ShownLook) -> AllShared:
    """What a document declares, what differs first."""
    known = [address for kind in _KINDS for address in look.all_of(kind)]
    differs = {one for one in known if one not in look.there or look.own_numbers(one)}
    differing, calm = [one for one in known if one in differs], [one for one in known if one not in differs]
    shown = [*differing, *calm] if len(known) <= GROUPS else differing[:GROUPS]
    hidden = differing[len(shown) :]
    return AllShared(
        tuple(_shared(look, one) for one in shown),
        tuple(map(look.resources.at, hidden)),
        tuple(map(look.resources.at, calm)) if len(known) > GROUPS else (),
    )


def unmanaged(receipt: Json, look: ShownLook) -> Iterator[Shared]:
    """What nobody declares, seen or only named by the receipt."""
    remarks = {str(one.get("address")): one for one in listed(receipt, "unmanaged")}
    known = {address: look.stranger(address) for address in look.strangers}
    ids = {one.id for one in known.values()}
    for address, one in remarks.items():
        if one.get("id") not in ids:
            known[address] = look.resources.known(address, text(one, "id"))
    by_id = {text(one, "id"): text(one, "remark") for one in remarks.values()}
    for address, resource in known.items():
        spec = look.strange.get(address) or {}
        yield Shared(
            resource,
            _about(kind_of(address), spec),
            tuple(_rules(spec)),
            managed=False,
            made_with_vpc=bool(mapping(look.strangers, address).get("made_by_aws")),
            remark=by_id.get(resource.id),
        )


def _shared(look: ShownLook, address: str) -> Shared:
    spec, missing = look.spec(address), address not in look.there
    return Shared(
        look.resources.at(address),
        _about(kind_of(address), spec),
        tuple(_rules(spec)),
        look.own_numbers(address),
        missing=missing,
        differs=missing or look.differs(address),
    )


def _about(kind: str, spec: Json) -> str:
    words = in_words(kind)
    match kind:
        case "security_group" if spec:
            rules = len(listed(spec, "ingress")) + len(listed(spec, "egress"))
            return f"{words}, {counted(rules, 'rule')}"
        case "network_acl" if spec:
            entries = len(mapping(spec, "ingress")) + len(mapping(spec, "egress"))
            return f"{words}, {counted(entries, 'entry', 'entries')}"
        case "route_table" if spec:
            return f"{words}, {counted(len(mapping(spec, 'routes')), 'route')}"
        case "db_subnet_group" if spec:
            return f"{words}, {counted(len(listed(spec, 'subnets')), 'subnet')}"
        case _:
            return words


def _rules(spec: Json) -> Iterator[str]:
    """What a group, an ACL or a table lets through, one line each."""
    for field, word in (("ingress", "in"), ("egress", "out")):
        given = spec.get(field)
        if isinstance(given, list):
            yield from (f"{word} {member(one)}" for one in given)
        elif isinstance(given, dict):
            yield from (f"{word} {number} {member(one)}" for number, one in given.items())
    yield from (f"{block} to {target}" for block, target in mapping(spec, "routes").items())
