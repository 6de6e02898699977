"""What the page rests on: the document, the policy, what woke the run, its receipt, and what was assumed. Pure."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.report.page.lanes import Lanes
from reconciler.report.page.reading import Json, listed, mapping, text
from reconciler.report.page.resources import Resource, Resources
from reconciler.report.page.words import Foreign, moment, plain

MOST = 300
"""The most resources that the inventory lists; the rest is counted."""


class Fact(NamedTuple):
    """One line: what, and its values. `code`: it is copied rather than read."""

    name: str
    values: tuple[str, ...]
    code: bool = False


class Found(NamedTuple):
    """A resource, and by what evidence it was taken for the declared one. `lasting` is the id that AWS gives to no
    other, if it is not the one that it is called by.
    """

    resource: Resource
    by: str | None
    how: str | None
    lasting: str | None

    @property
    def named(self) -> str:
        """Its address, with its ids."""
        ids = [one for one in (self.resource.id, self.lasting) if one]
        return f"{self.resource.address} ({', '.join(ids)})" if ids else self.resource.address


class Unmanaged(NamedTuple):
    """What is live without being declared. `owned`: it has the tags of this document."""

    address: str
    id: str | None
    owned: bool
    remark: str | None


class Basis(NamedTuple):
    """The last part of the page, and what is live beside the inventory."""

    facts: tuple[Fact, ...]
    policy: tuple[Fact, ...]
    rests_on: tuple[str, ...]
    inventory: tuple[Found, ...]
    resources: int
    inventory_left_out: int
    unmanaged: tuple[Unmanaged, ...]
    left_out: tuple[Fact, ...]

    def by_how(self) -> dict[str, list[Found]]:
        """The inventory by the evidence: most were found in the same way."""
        found: dict[str, list[Found]] = {}
        for one in self.inventory:
            how = one.how or one.by
            found.setdefault(f"By {how}" if how else "It is not said how", []).append(one)
        return found


def basis(receipt: Json, resources: Resources, lanes: Lanes) -> Basis:
    """What a receipt says about itself."""
    found = mapping(receipt, "found_by")
    addresses = list(
        dict.fromkeys([*found, *mapping(receipt, "ids"), *mapping(mapping(receipt, "network"), "declared")])
    )
    intents = (str(why) for one in listed(receipt, "intents") for why in listed(one, "rests_on"))
    return Basis(
        facts=tuple(one for one in _facts(receipt) if one.values),
        policy=tuple(Fact(name, (plain(value),)) for name, value in mapping(receipt, "policy").items()),
        rests_on=tuple(dict.fromkeys([*lanes.rests_on, *intents])),
        inventory=tuple(_found(address, mapping(found, address), resources) for address in addresses[:MOST]),
        resources=len(addresses),
        inventory_left_out=max(0, len(addresses) - MOST),
        unmanaged=tuple(map(_unmanaged, listed(receipt, "unmanaged"))),
        left_out=tuple(Fact(name, (f"{count:,}",)) for name, count in mapping(receipt, "left_out").items()),
    )


def _found(address: str, given: Json, resources: Resources) -> Found:
    resource, lasting = resources.at(address), text(given, "id")
    return Found(resource, text(given, "by"), text(given, "how"), lasting if lasting != resource.id else None)


def _unmanaged(one: Json) -> Unmanaged:
    return Unmanaged(str(one.get("address")), text(one, "id"), bool(one.get("ours")), text(one, "remark"))


def _facts(receipt: Json) -> list[Fact]:
    run, document = mapping(receipt, "run"), mapping(receipt, "document")
    previous = mapping(receipt, "previous")
    return [
        Fact("Document", _known(text(document, "name"), _named("revision", document.get("revision")))),
        Fact("Read from", _known(text(document, "origin")), code=True),
        Fact("Its sha256", _known(text(document, "sha256")), code=True),
        Fact("Its version id", _known(text(document, "version_id")), code=True),
        Fact("Uploaded", _uploaded(mapping(document, "uploaded"))),
        Fact("Put in force by this run", _rollout(mapping(receipt, "rollout"), document)),
        Fact("Rollback", _rollback(mapping(document, "rollback"))),
        Fact("Looked at only", tuple(map(str, listed(run, "only")))),
        Fact("Woken by", _woken(mapping(run, "trigger"))),
        Fact("Approved by", _known(text(run, "approved_by"))),
        Fact("Ended", _known(text(run, "ending"), text(run, "problem"))),
        Fact("Fingerprint of the plan", _known(text(receipt, "fingerprint")), code=True),
        Fact("Receipt", _known(text(receipt, "key")), code=True),
        Fact("Digest of what was found", _known(text(receipt, "digest")), code=True),
        Fact("Receipt before it", _known(text(previous, "key"), text(previous, "sha256")), code=True),
        Fact("Setpoint", _known(text(run, "tool"))),
    ]


def _known(*values: str | None) -> tuple[str, ...]:
    return tuple(one for one in values if one)


def _named(name: str, value: object) -> str | None:
    return None if value is None else f"{name} {value}"


def _uploaded(given: Json) -> tuple[str, ...]:
    address = text(given, "source_ip")
    return _known(
        f"by {who}" if (who := text(given, "who")) else None,
        moment(text(given, "at"), seconds=True),
        f"from {address}" if address else None,
    )


def _rollback(given: Json) -> tuple[str, ...]:
    reason = text(given, "reason")
    return _known(_named("to revision", given.get("to")) if given else None, Foreign(reason) if reason else None)


def _rollout(given: Json, document: Json) -> tuple[str, ...]:
    if not given:
        return ()
    before = given.get("from")
    return (f"revision {document.get('revision')} in place of {'none' if before is None else f'revision {before}'}",)


def _woken(given: Json) -> tuple[str, ...]:
    detail = text(given, "detail")
    return _known(text(given, "source"), Foreign(detail) if detail else None)
