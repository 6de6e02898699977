"""What is live in one VPC, kind by kind, and whose it is. Pure but for the reads, which are passed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from desired_state.checks import references
from desired_state.document import Document
from desired_state.fields import Address
from reconciler.engine.observe import ObserveError
from reconciler.importing.reading import RememberedReads
from reconciler.kinds import REGISTRY, dependencies, ranked
from reconciler.model import DOCUMENT_TAG, NAME_TAG, Cause, Observed, Reason
from reconciler.model.imported import Surroundings
from reconciler.model.kind import Kind, ObserveContext, naming
from reconciler.model.read import Answers, Item, Read, ReadContext

_ORDER = (
    "vpc",
    "subnet",
    "internet_gateway",
    "route_table",
    "network_acl",
    "security_group",
    "db_subnet_group",
    "db_instance",
)
"""The order in which a document is read best: first the places, then what passes there, then what stands there."""


def ordered() -> list[str]:
    """The kinds in the order of a new document; one that has no place in it yet comes last."""
    return sorted(REGISTRY, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


class Live(NamedTuple):
    """One live resource, as AWS answered it. `tags` is empty if they were not read."""

    kind: Kind
    item: Item
    id: str
    tags: Mapping[str, str]

    def all_tags(self) -> Iterator[tuple[str, str]]:
        """Its tags as AWS answered them, with those that only AWS sets."""
        for tag in (*self.item.get("Tags", ()), *self.item.get("TagList", ())):
            yield str(tag["Key"]), str(tag.get("Value", ""))

    @property
    def key(self) -> Address:
        """Its kind and its id: a database and its subnet group may have one name, which is their id."""
        return Address.of(self.kind.name, self.id)

    @property
    def people_name(self) -> str:
        """Its Name tag, or the name that AWS knows it by; empty if it has none."""
        return self.kind.observe.label(self.item)


class Foreign(NamedTuple):
    """Something that belongs to another document (`document`, under `name`) or to another account."""

    live: Live
    account: str
    document: str
    name: str

    @property
    def whose(self) -> str:
        return f"the account {self.account}" if self.account else f"the document {self.document!r}"


class Declined(NamedTuple):
    """Something that a new document does not declare, and why."""

    live: Live
    why: str


@dataclass(frozen=True)
class LiveNetwork:
    """One VPC. `document` is the one that things are added to: for a new one, an empty one.

    `own` can be declared; `foreign` are others', by key. `unread` says of each kind that could not be read, or that
    depends on one, why. `around` is what things are named by.
    """

    document: Document
    vpc_id: str
    own: tuple[Live, ...]
    foreign: Mapping[Address, Foreign]
    declined: tuple[Declined, ...]
    unread: Mapping[str, Cause]
    around: Surroundings
    contexts: Mapping[str, ReadContext]
    answers: Mapping[str, Answers]

    def observed(self, live: Live, names: Mapping[str, Address], vpc: Address) -> Observed:
        """The model of a live resource, with addresses in place of the ids in `names`. Raises ValueError, KeyError or
        TypeError for a value that the model does not support.
        """
        name = live.kind.name
        document = replace(self.document, vpc=vpc)
        context = replace(self.contexts[name], document=document)
        return live.kind.observe.observed(live.item, ObserveContext(context, self.answers[name], names))

    @property
    def vpc(self) -> Item:
        """The VPC as AWS answered it."""
        kind = REGISTRY["vpc"]
        items = kind.observe.live(self.contexts["vpc"], self.answers["vpc"])
        return next(item for item in items if kind.observe.id(item) == self.vpc_id)


def by_id(addresses: Mapping[Address, Address]) -> dict[str, Address]:
    """The names for a kind to observe with (`ObserveContext.names`), from the addresses by key."""
    found: dict[str, Address] = {}
    for key, at in addresses.items():
        found |= naming(key.kind, key.name, at)
    return found


def look(document: Document, vpc_id: str, reads: RememberedReads, *, tags: bool = False) -> LiveNetwork:
    """Everything in the VPC `vpc_id`. Raises `ObserveError` if the VPC does not exist or cannot be read.

    Tags that take reads of their own are read if they are wanted (`tags`), or if another document has something here:
    then they say whose the other things are.
    """
    contexts = {name: ReadContext(document, vpc_id, document.of_kind(name)) for name in REGISTRY}
    made = {
        name: [*kind.observe.reads(contexts[name]), *kind.imported.reads(contexts[name])]
        for name, kind in REGISTRY.items()
    }
    reads.ahead(read for some in made.values() for read in some)
    for name, kind in REGISTRY.items():
        made[name] += kind.observe.more(contexts[name], reads.answers)
    reads.ahead(read for some in made.values() for read in some)
    unread: dict[str, Cause] = {}
    for name in ranked():
        problems = [problem for read in made[name] if (problem := reads.problem(read))]
        problems += [unread[other] for other in sorted(dependencies(name) & unread.keys())]
        if problems:
            unread[name] = problems[0]
    if "vpc" in unread:
        raise ObserveError(replace(unread["vpc"], message=f"the VPC could not be read: {unread['vpc']}"))
    answers = {name: {read: reads.answers[read] for read in some} for name, some in made.items() if name not in unread}
    lives = list(_lives(contexts, answers))
    if tags or any(other.document for one in lives if (other := _foreign(one, document))):
        lives = _with_tags(lives, contexts, answers, reads)
    if not any(one.id == vpc_id for one in lives if one.kind.name == "vpc"):
        where = f"account {document.scope.account_id}, {document.scope.region}"
        raise ObserveError(Cause(Reason.MISSING_REFERENCE, f"{vpc_id} does not exist in {where}: check the id"))
    foreign = {one.key: other for one in lives if (other := _foreign(one, document))}
    ours = tuple(one for one in lives if one.key not in foreign)
    around = _surroundings(lives, document.scope.region)
    network = LiveNetwork(document, vpc_id, ours, foreign, (), unread, around, contexts, answers)
    used = dict(_used_by_others(network))
    declined = tuple(Declined(one, why) for one in ours if (why := _declined(one) or used.get(one.key, "")))
    left = {one.live.key for one in declined}
    return replace(network, own=tuple(one for one in ours if one.key not in left), declined=declined)


def _used_by_others(network: LiveNetwork) -> Iterator[tuple[Address, str]]:
    """What a resource of another document refers to and whose own tags are not shown by its answer, and why it may well
    be that document's too.
    """
    unknown = {one.key for one in network.own if one.kind.observe.tags(one.item) is None and not one.tags}
    names = by_id({key: key for key in unknown})
    for other in network.foreign.values() if unknown else ():
        if other.document:
            with suppress(ValueError, KeyError, TypeError):
                spec = network.observed(other.live, names, network.document.vpc).spec
                for _, target in references(spec):
                    if target in unknown:
                        yield (
                            Address(target),
                            f"{other.live.id} of {other.whose} uses it, and no tag says whose it is",
                        )


def _lives(contexts: Mapping[str, ReadContext], answers: Mapping[str, Answers]) -> Iterator[Live]:
    """Every live resource, in an order that does not depend on AWS's."""
    for name in ordered():
        if name in answers:
            kind = REGISTRY[name]
            found = {kind.observe.id(item): item for item in kind.observe.live(contexts[name], answers[name])}
            yield from (Live(kind, found[one], one, kind.observe.tags(found[one]) or {}) for one in sorted(found))


def _with_tags(
    lives: list[Live],
    contexts: Mapping[str, ReadContext],
    answers: dict[str, dict[Read, list[Any]]],
    reads: RememberedReads,
) -> list[Live]:
    """The live resources with tags that take a read each; the answers are added to those of their kinds."""
    made = {one.key: read for one in lives if (read := one.kind.imported.tags(one.item, contexts[one.kind.name]))}
    reads.ahead(made.values())
    found = []
    for one in lives:
        answer = reads.answers.get(made[one.key]) if one.key in made else None
        if answer is None:
            found.append(one)
        else:
            answers[one.kind.name][made[one.key]] = answer
            found.append(one._replace(tags={tag["Key"]: tag.get("Value", "") for tag in answer}))
    return found


def _declined(live: Live) -> str:
    if live.kind.identify.temporary(live.item):
        return "a run of Setpoint made it for a moment, and removes it"
    return live.kind.imported.declined(live.item)


def _foreign(live: Live, document: Document) -> Foreign | None:
    """Whose it is, if it is not this document's and not free."""
    account = live.kind.identify.owner(live.item)
    if account and account != document.scope.account_id:
        return Foreign(live, account, "", "")
    owner = live.tags.get(DOCUMENT_TAG, "")
    if owner and owner not in {document.name, *document.formerly}:
        return Foreign(live, "", owner, live.tags.get(NAME_TAG, ""))
    return None


def _surroundings(lives: list[Live], region: str) -> Surroundings:
    zones = {one.id: zone for one in lives if (zone := one.kind.imported.zone(one.item, region))}
    ways: dict[str, str] = {}
    for kind in REGISTRY.values():
        ways |= kind.imported.ways(one.item for one in lives if one.kind is kind)
    others = ways.pop("", "")
    return Surroundings(zones, {subnet: ways.get(subnet, others) for subnet in zones})
