"""A new document for a VPC that exists: read, named, written, and proven before anybody sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from desired_state.document import Document, Scope
from desired_state.fields import Address
from desired_state.load import load
from desired_state.strict_json import MAX_BYTES
from desired_state.write import write
from reconciler.importing import beside, workloads
from reconciler.importing.draft import Choices, Draft, ImportRefused, Section
from reconciler.importing.intents import with_intents
from reconciler.importing.naming import natural
from reconciler.importing.network import Live, LiveNetwork, look
from reconciler.importing.proof import Proof, only_tags, prove
from reconciler.importing.reading import RememberedReads
from reconciler.importing.told import Note, Sort
from reconciler.kinds import REGISTRY
from reconciler.model import DOCUMENT_TAG, Evidence, Found
from reconciler.model.read import ReadContext

_TOOLS: Mapping[str, Callable[[Live], bool]] = {
    "CloudFormation": lambda live: any(key.startswith("aws:cloudformation:") for key, _ in live.all_tags()),
    "Terraform": lambda live: any("terraform" in f"{key} {text}".casefold() for key, text in live.all_tags()),
}
"""Tools that compare all tags, and by which tags their resources are known; Terraform's are people's convention."""


@dataclass(frozen=True)
class Request:
    """Which VPC, and how its document is made. `explicit`: a person chose the name. `now` is the clock."""

    scope: Scope
    name: str
    now: Callable[[], datetime]
    explicit: bool = True
    choices: Choices = field(default_factory=Choices)


@dataclass(frozen=True)
class Adopted:
    """An entry of `adopt`, and why identification needs it."""

    address: Address
    id: str
    why: str


@dataclass(frozen=True)
class Imported:
    """A document that is proven, and what a person is told of it. `data` are its bytes; `added` is what it declares and
    did not declare before, `accepted` what was taken from the live network, and `before` its bytes until now.
    """

    data: bytes
    document: Document
    vpc_id: str
    vpc_name: str
    added: tuple[Address, ...]
    found_by: Mapping[Address, Found]
    adopted: tuple[Adopted, ...]
    tag_calls: int
    not_held: tuple[Note, ...]
    for_person: tuple[Note, ...]
    beside: tuple[str, ...]
    not_looked_at: tuple[str, ...]
    reads: int
    accepted: tuple[str, ...] = ()
    before: bytes | None = None

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return self.data != self.before


def new_document(request: Request, reads: RememberedReads) -> Imported:
    """The document of a VPC. Raises `ObserveError` if it cannot be read, `ImportRefused` if there is none to write."""
    scope = request.scope
    probe = empty_document(scope, request.name)
    reads.ahead(beside.reads(ReadContext(probe, str(scope.vpc_id), {})))
    network = look(probe, str(scope.vpc_id), reads, tags=request.choices.tags)
    refuse_owned(network, request)
    seen = beside.seen(network, reads)
    base = {"version": 1, "name": request.name, "revision": 1, "scope": _written(scope), "resources": {}}
    draft = Draft(network, request.choices, network.own, base, {})
    draft.settle()
    if not draft.sections:
        raise ImportRefused(f"there is nothing in {network.vpc_id} that a new document could declare")
    if request.choices.workloads:
        draft.workloads = workloads.proposed(seen.interfaces, draft.names)
    if Address.of("vpc", network.vpc_id) in network.foreign:
        draft.workloads = workloads.with_any(draft.workloads, draft.sections)
    proof, data = proven(draft, reads, request.now)
    if objections := list(proof.objections(proof.document.resources.keys())):
        raise would_change(objections)
    if not request.choices.intents:
        return finished(draft, network, seen, proof, data, reads)
    data, unsaid = with_intents(data, reads, request.now)
    done = finished(draft, network, seen, proof, data, reads)
    return replace(done, for_person=_sorted((*done.for_person, *unsaid)))


def finished(
    draft: Draft, network: LiveNetwork, seen: beside.Seen, proof: Proof, data: bytes, reads: RememberedReads
) -> Imported:
    """What is told of a document that is proven."""
    return Imported(
        data=data,
        document=load(data, proof.document.origin),
        vpc_id=network.vpc_id,
        vpc_name=vpc_name(network),
        added=tuple(sorted(draft.sections, key=natural)),
        found_by={at: one for at, one in proof.snapshot.found_by.items() if at in draft.sections},
        adopted=tuple(Adopted(at, draft.adopt[at], draft.why[at]) for at in sorted(draft.adopt, key=natural)),
        tag_calls=sum(only_tags(one) and one.address in draft.sections for one in proof.plan.actions),
        not_held=_sorted((*draft.notes(), *_declined(network), *_unsaid(draft.sections, seen.words))),
        for_person=_sorted(_for_person(draft.sections)),
        beside=seen.counts,
        not_looked_at=(*_unread(network), *seen.not_looked_at),
        reads=reads.counted(),
    )


def empty_document(scope: Scope, name: str) -> Document:
    """A document that declares nothing in this VPC. Raises `DocumentError` if the name cannot be one."""
    values = {"version": 1, "name": name, "revision": 1, "scope": _written(scope), "resources": {}}
    return load(json.dumps(values).encode(), name)


def _written(scope: Scope) -> dict[str, Any]:
    return scope.model_dump(exclude_none=True)


def refuse_owned(network: LiveNetwork, request: Request) -> None:
    """A VPC of a document is that document's: a new one may only refer to it, under another name."""
    kind = REGISTRY["vpc"]
    owner = (kind.observe.tags(network.vpc) or {}).get(DOCUMENT_TAG, "")
    if owner and (owner == request.name or not request.explicit):
        hint = "give --into its file, or --name another to import only what is not its own"
        raise ImportRefused(f"{network.vpc_id} belongs to the document {owner!r}: {hint}")


def would_change(objections: list[str]) -> ImportRefused:
    """The end of an import whose document is not only written and tagged: a mistake of ours."""
    return ImportRefused(f"this document would change: {'; '.join(objections)}; report this")


def proven(draft: Draft, reads: RememberedReads, now: Callable[[], datetime]) -> tuple[Proof, bytes]:
    """The document with the entries of `adopt` that identification needs, and its first plan."""
    while True:
        data = write(draft.settle())
        if len(data) > MAX_BYTES:
            raise ImportRefused(f"the document would have {len(data):,} bytes, of at most {MAX_BYTES:,}: use --only")
        proof = prove(load(data, "import"), reads, now)
        missing = {
            at: reason
            for at, section in draft.sections.items()
            if at not in draft.adopt and (reason := _not_found(at, section, proof))
        }
        if not missing:
            return proof, data
        draft.why |= missing
        draft.adopt |= {at: draft.sections[at].seen.lasting_id for at in missing}


def _not_found(address: Address, section: Section, proof: Proof) -> str:
    """Why identification alone is not enough for a resource; empty if it is."""
    seen = proof.snapshot.resources.get(address)
    found = proof.snapshot.found_by.get(address)
    if address in proof.snapshot.unreadable:
        return ""
    if seen and seen.id == section.live.id and found and found.by is not Evidence.SEATS:
        return ""
    if not section.live.people_name:
        return "no Name tag"
    return "its Name tag does not say which one it is"


def vpc_name(network: LiveNetwork) -> str:
    """The VPC's Name tag."""
    return REGISTRY["vpc"].observe.label(network.vpc)


def _sorted(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Notes of one sort together, in the order of what they are about."""
    order = list(Sort)
    return tuple(sorted(notes, key=lambda one: (order.index(one.sort), one.about, natural(one.where), one.text)))


def _declined(network: LiveNetwork) -> Iterator[Note]:
    for one in network.declined:
        text = f"it is left out and stays unmanaged: {one.why}"
        yield Note(Sort.DECLINED, f"{one.live.kind.identify.noun} {one.live.id}", text)


def _unsaid(sections: Mapping[Address, Section], words: Mapping[str, str]) -> Iterator[Note]:
    for at, section in sections.items():
        for text in section.live.kind.imported.unsaid(section.live.item, words):
            yield Note(Sort.UNSAID, at, text, at.kind)


def _for_person(sections: Mapping[Address, Section]) -> Iterator[Note]:
    for at, section in sections.items():
        imported = section.live.kind.imported
        if texts := list(imported.remarks(section.live.item, section.seen)):
            yield Note(Sort.REMARK, at, "; ".join(texts), at.kind)
        if keeper := imported.kept_by(section.live.item):
            yield Note(Sort.KEPT, at, f'{keeper} keeps it too: "enforcement": "report"', keeper)
    tagged = [section.live for section in sections.values() if section.spec.enforcement is None]
    for tool, is_kept in _TOOLS.items():
        if kept := sum(map(is_kept, tagged)):
            tags = (
                "it shows the tags setpoint:document and setpoint:name as drift of its own, which may be ignored there"
            )
            yield Note(Sort.TOOL, tool, f"it seems to keep {kept} of these too: {tags}")


def _unread(network: LiveNetwork) -> Iterator[str]:
    for kind, cause in network.unread.items():
        noun = REGISTRY[kind].identify.noun
        yield f"{noun}s: {cause}: none is in the document"
