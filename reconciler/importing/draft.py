"""A document in the making: what is live as its kinds read it, without what the loader refuses. Pure.

What is taken out is the smallest part that may be: a description, a tag, a field, or the resource. Never one member of
a set: a set is managed as a whole, so a document without a live member would remove it. The loader's own paths decide,
and all refusals of one load are taken together, until it loads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from desired_state.checks import references
from desired_state.explain import Violation, findings_of
from desired_state.fields import Address, RuleKey, shown
from desired_state.members import OWN_TAGS, Collection, Tags
from desired_state.reading import Reading
from desired_state.resource import Resource
from desired_state.rules import Rules
from desired_state.strict_json import Path
from desired_state.write import as_section
from reconciler.importing.external import External
from reconciler.importing.layout import addresses, arranged, texts
from reconciler.importing.naming import names_of, natural
from reconciler.importing.network import Live, LiveNetwork, by_id, ordered
from reconciler.importing.told import Note, Sort
from reconciler.model import Observed


class ImportRefused(Exception):
    """There is no document to write, and why."""


@dataclass(frozen=True)
class Choices:
    """What is asked for: the kinds to declare (none: all), whether tags are declared, and whether workloads and intents
    are proposed.
    """

    only: frozenset[str] = frozenset()
    tags: bool = False
    workloads: bool = True
    intents: bool = True

    def includes(self, kind: str) -> bool:
        return not self.only or kind in self.only


@dataclass
class _TakenOut:
    """What is not written, by the key of its resource, with the loader's reason."""

    resources: dict[Address, str] = field(default_factory=dict)
    fields: dict[tuple[Address, str], str] = field(default_factory=dict)
    descriptions: dict[tuple[Address, str, RuleKey], str] = field(default_factory=dict)
    tags: dict[tuple[Address, str], str] = field(default_factory=dict)
    externals: set[Address] = field(default_factory=set)
    workloads: dict[str, str] = field(default_factory=dict)

    def size(self) -> int:
        return sum(len(some) for some in vars(self).values())


@dataclass(frozen=True)
class Section:
    """One resource as it will be declared: what it is, and what was seen of it."""

    live: Live
    seen: Observed
    spec: Resource


class Draft:
    """A document in the making. `declared` has the address of everything that it will declare, by key.

    `base` are the values of the document that it adds to, and `known` the addresses that this has already, by key.
    `workloads` are proposed ones; `adopt` are entries that identification needs, and `why`.
    """

    def __init__(
        self,
        network: LiveNetwork,
        choices: Choices,
        lives: Iterable[Live],
        base: Mapping[str, Any],
        known: Mapping[Address, Address],
    ) -> None:
        self._network, self._choices, self._base, self._known = network, choices, base, known
        self._lives = {one.key: one for one in lives if choices.includes(one.kind.name)}
        self._taken = [*known.values(), *addresses(base)]
        self._addresses = names_of(self._lives.values(), network.around, network.document.name, self._taken)
        self._out = _TakenOut()
        self._external = External(network, self._taken)
        self._sections: dict[Address, Section] = {}
        self._names: dict[str, Address] = {}
        self._rewritten: set[str] = set()
        self.workloads: Mapping[str, Mapping[str, list[str]]] = {}
        self.adopt: dict[Address, str] = {}
        self.why: dict[Address, str] = {}

    def settle(self) -> dict[str, Any]:
        """The values of the document once it loads. Raises `ImportRefused` if it never does."""
        while True:
            written = self._written()
            reading = Reading(written)
            if reading.document("", ""):
                return written
            before = self._out.size()
            refused = [one for one in sorted(reading.findings, key=_place) if not self._take_out(one)]
            if refused or self._out.size() == before:
                raise ImportRefused(_told(refused[0]) if refused else "the document would not load")

    @property
    def sections(self) -> Mapping[Address, Section]:
        """What it declares, without what it declared before."""
        return self._sections

    @property
    def names(self) -> Mapping[str, Address]:
        """The address of everything that has one, by id."""
        return self._names

    def drop(self, address: Address, why: str) -> None:
        """Leave out what has this address, because of `why`."""
        self._out.resources[self._sections[address].live.key] = why
        self.adopt, self.why = {}, {}

    def rewrite(self, address: Address, fields: Mapping[str, Any]) -> None:
        """Declare a resource, which the document declared before, with other fields."""
        resources = {kind: dict(section) for kind, section in self._base["resources"].items()}
        resources[address.kind][address.name] = fields
        self._base = {**self._base, "resources": resources}
        self._rewritten |= set(texts(fields))

    @property
    def vpc(self) -> Address:
        """The VPC's address in this document."""
        names = {**self._known, **self._named()}
        key = Address.of("vpc", self._network.vpc_id)
        return names.get(key, key)

    def _named(self) -> dict[Address, Address]:
        return {one: at for one, at in self._addresses.items() if one not in self._out.resources}

    def _written(self) -> dict[str, Any]:
        self._observe()
        written = dict(self._base)
        resources: dict[str, dict[str, Any]] = {kind: dict(some) for kind, some in written["resources"].items()}
        for kind in ordered():
            own = [at for at in self._sections if at.kind == kind]
            if own:
                section = resources.setdefault(kind, {})
                section |= {at.name: self._section(self._sections[at]) for at in sorted(own, key=natural)}
        workloads = {name: dict(one) for name, one in self.workloads.items() if name not in self._out.workloads}
        parts: dict[str, Mapping[str, Any]] = {
            "adopt": {str(at): self.adopt[at] for at in sorted(self.adopt, key=natural)},
            "external": self._external.written(self._referred(workloads)),
            "workloads": workloads,
        }
        return arranged({**written, "resources": resources}, parts)

    def _observe(self) -> None:
        """The models of everything, by the names of everything: what cannot be read is left out, and read by its id."""
        while True:
            named = self._named()
            self._external.refresh({**self._known, **named}, self._out.externals)
            names = by_id({**self._external.names, **self._known, **named})
            if names == self._names and set(named.values()) == self._sections.keys():
                return
            self._names, before = names, len(self._out.resources)
            self._sections = {}
            for one, at in named.items():
                try:
                    seen = self._network.observed(self._lives[one], names, self.vpc)
                except (ValueError, KeyError, TypeError) as error:
                    self._out.resources[one] = _why(error)
                    continue
                spec = self._said(self._lives[one], seen)
                self._sections[at] = Section(self._lives[one], seen, spec)
            if len(self._out.resources) == before:
                return

    def _said(self, live: Live, seen: Observed) -> Resource:
        spec: Resource = live.kind.imported.said(seen)
        tags = {key: value for key, value in (spec.tags or {}).items() if not _reserved(key)}
        spec = spec.but(tags=Tags(tags) if tags and self._choices.tags else None)
        return spec.but(enforcement="report") if live.kind.imported.kept_by(live.item) else spec

    def _section(self, section: Section) -> dict[str, Any]:
        one, changes = section.live.key, dict[str, Any]()
        for name in section.spec.described():
            value = getattr(section.spec, name)
            if (one, name) in self._out.fields:
                changes[name] = None
            elif isinstance(value, Rules) and any(at[:2] == (one, name) for at in self._out.descriptions):
                kept = {key: text for key, text in value.items() if (one, name, key) not in self._out.descriptions}
                changes[name] = type(value)({key: kept.get(key) for key in value})
            elif isinstance(value, Tags):
                changes[name] = Tags({key: text for key, text in value.items() if (one, key) not in self._out.tags})
        return as_section(section.spec.but(**changes))

    def _referred(self, workloads: Mapping[str, Mapping[str, list[str]]]) -> set[str]:
        found = {target for one in self._sections.values() for _, target in references(one.spec)} | self._rewritten
        return found | {member for one in workloads.values() for some in one.values() for member in some}

    def _take_out(self, refused: Violation) -> bool:
        """Whether the part that a refusal names may be taken out, and now is."""
        match refused.path:
            case ("resources", str(kind), str(name), *below):
                section = self._sections.get(Address.of(kind, name))
                if section:
                    self._take_out_of(section, below, refused)
                return section is not None
            case ("external", str(address), *_):
                if key := self._external.key_of(Address(address)):
                    self._out.externals.add(key)
                return key is not None
            case ("workloads", str(name), *_) if name in self.workloads:
                self._out.workloads[name] = refused.problem
                return True
        return False

    def _take_out_of(self, section: Section, below: list[int | str], refused: Violation) -> None:
        one, model = section.live.key, type(section.spec)
        match below:
            case [str(name), int(index), "description"]:
                key = sorted(getattr(section.spec, name))[index]
                self._out.descriptions[one, name, key] = refused.problem
            case ["tags", str(key)]:
                self._out.tags[one, key] = refused.problem
            case [str(name), *_] if name in model.model_fields and name not in model.required:
                self._out.fields.setdefault((one, name), refused.problem)
            case _:
                self._out.resources.setdefault(one, refused.problem)

    def notes(self) -> Iterator[Note]:
        """What is not held, and what that means."""
        where = {one: at for at, section in self._sections.items() for one in (section.live.key,)}
        for one, why in self._out.resources.items():
            live = self._lives[one]
            called = f" ({shown(live.people_name)})" if live.people_name not in {"", live.id} else ""
            text = f"it is left out and stays unmanaged: {why}"
            yield Note(Sort.RESOURCE, f"{live.kind.identify.noun} {live.id}{called}", text, live.kind.name)
        for (one, name), why in self._out.fields.items():
            if one in where:
                yield Note(Sort.FIELD, where[one], self._field(self._sections[where[one]].spec, name, why), name)
        for (one, name, key), why in self._out.descriptions.items():
            if one in where:
                text = f"{name} {key}: {why}: the description is left out, who changes it is not noticed"
                yield Note(Sort.DESCRIPTION, where[one], text)
        for (one, tag), why in self._out.tags.items():
            if one in where:
                text = f"the tag {shown(tag)} is left out ({why}), who changes it is not noticed"
                yield Note(Sort.TAG, where[one], text)
        for name, why in self._out.workloads.items():
            yield Note(Sort.WORKLOAD, f"workload {shown(name)}", f"it is left out: {why}")

    def _field(self, spec: Resource, name: str, why: str) -> str:
        value = getattr(spec, name)
        if isinstance(value, Collection):
            return f"{name} cannot be said ({why}): the field is left out whole, who changes it is not noticed"
        return f"{name} {shown(value)} cannot be said: the field is left out, who changes it is not noticed"


def _told(refused: Violation) -> str:
    """A refusal with its place: `security_group/web ingress: ...`."""
    match refused.path:
        case ("resources", str(kind), str(name), *below):
            where = " ".join([Address.of(kind, name), *map(str, below[:1])])
        case path:
            where = ".".join(map(str, path))
    return f"{where}: {refused.problem}; {refused.hint}"


def _reserved(key: str) -> bool:
    return key.lower().startswith(("aws:", "rds:")) or key.startswith(OWN_TAGS)


def _place(refused: Violation) -> tuple[tuple[str, ...], str]:
    path: Path = refused.path
    return tuple(map(str, path)), refused.problem


def _why(error: Exception) -> str:
    """Why a live resource cannot be read as its model."""
    if isinstance(error, ValidationError):
        field = error.errors(include_url=False, include_input=False)[0]["loc"][0]
        return "; ".join(f"{field}: {one.problem}" for one in findings_of(error, {}, ()))
    return f"it has a value that Setpoint does not support: {type(error).__name__}: {error}"
