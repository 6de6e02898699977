"""Adds to a document what is live and declared nowhere. What it declares stays as it is, unless `accept` names it.

What the document refers to by its id is not offered: somebody decided to leave it where it is, and the ids in rules and
lists would no longer agree with it. Neither is what would change something that is declared: a new subnet that uses a
declared table which does not list it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address, nearest, shown
from desired_state.resource import SECTIONS
from reconciler.engine.diff import differences
from reconciler.importing import beside
from reconciler.importing.accepting import accepted
from reconciler.importing.draft import Choices, Draft, ImportRefused
from reconciler.importing.layout import texts
from reconciler.importing.network import Live, LiveNetwork, look
from reconciler.importing.new import Imported, finished, proven, would_change
from reconciler.importing.proof import Proof, only_tags, prove
from reconciler.importing.reading import RememberedReads
from reconciler.importing.told import Note, Sort
from reconciler.importing.workloads import proposed, with_any
from reconciler.model import Action, Difference, Observed, Ref, refs
from reconciler.model.read import ReadContext
from reconciler.report.text import difference

_SIGNS = {"add": "+", "change": "~", "remove": "-"}


@dataclass(frozen=True)
class Addition:
    """What is added to: a document and its bytes; `accept` are the addresses whose live values it takes. `now` is the
    clock.
    """

    document: Document
    data: bytes
    now: Callable[[], datetime]
    accept: tuple[Address, ...] = ()
    choices: Choices = field(default_factory=Choices)

    @cached_property
    def written(self) -> Mapping[str, Any]:
        """The document's values, as they are written."""
        values: Mapping[str, Any] = json.loads(self.data)
        return values


def into(addition: Addition, reads: RememberedReads) -> Imported:
    """The document with what it did not declare, or as it is if there is nothing to add.

    Raises `ObserveError` if the network cannot be read, `ImportRefused` if there is nothing to write.
    """
    document = addition.document
    before = prove(document, reads, addition.now)
    vpc_id = document.scope.vpc_id or before.snapshot.handles.get(Ref(document.vpc), "")
    if not vpc_id:
        raise ImportRefused(f"{document.vpc} does not exist: there is nothing to import")
    reads.ahead(beside.reads(ReadContext(document, vpc_id, {})))
    network = look(document, vpc_id, reads, tags=addition.choices.tags)
    seen = beside.seen(network, reads)
    lives, referred = _offered(network, before, addition.written)
    base = {**addition.written, "revision": document.revision + 1}
    draft = Draft(network, addition.choices, lives, base, _known(before))
    draft.settle()
    told = _accept(addition, network, before, draft)
    proof, data = before, addition.data
    if draft.sections or told:
        after = _proven(addition, before, draft, seen, reads)
        if draft.sections or told:  # the proof may have left out all that there was
            proof, data = after
    done = finished(draft, network, seen, proof, data, reads)
    return replace(done, before=addition.data, accepted=tuple(told), not_held=(*done.not_held, *referred))


def _known(before: Proof) -> dict[Address, Address]:
    """The address of everything that the document has found, by key."""
    handles = before.snapshot.handles
    return {Address.of(at.kind, handles[Ref(at)]): at for at in before.document.resources if Ref(at) in handles}


def _offered(network: LiveNetwork, before: Proof, written: Mapping[str, Any]) -> tuple[list[Live], list[Note]]:
    """What is live and declared nowhere, and what is not offered because the document refers to it by its id."""
    found, candidates = _known(before), before.snapshot.candidates
    words = set(texts(written))
    lives, notes = [], []
    for one in network.own:
        candidate = candidates.get(one.id)
        if one.key in found or (candidate and candidate.kind == one.kind.name):
            continue
        form = SECTIONS[one.kind.name].id_form
        if not (form and one.id in words):
            lives.append(one)
        elif one.id != network.vpc_id:
            text = "the document refers to it by its id, so it is not declared"
            notes.append(Note(Sort.REFERRED, f"{one.kind.identify.noun} {one.id}", text))
    return lives, notes


def _accept(addition: Addition, network: LiveNetwork, before: Proof, draft: Draft) -> list[str]:
    """Take the live values of the addresses into the draft; a line for each difference."""
    told = []
    for address in dict.fromkeys(addition.accept):
        live = _accepted_live(address, addition.document, network, before)
        seen = network.observed(live, draft.names, draft.vpc)
        found = list(differences(address, before.document.resources[address], seen.spec))
        section = addition.written["resources"][address.kind][address.name]
        draft.rewrite(address, accepted(section, live.kind.imported.said(seen), found))
        told += [_line(replace(one, want=one.have, have=one.want)) for one in found]
    return told


def _line(one: Difference) -> str:
    return f"{_SIGNS[one.sign]} {one.address} {difference(one)}"


def _accepted_live(address: Address, document: Document, network: LiveNetwork, before: Proof) -> Live:
    """The live resource whose values are accepted."""
    own = {at for at in document.resources if at not in document.external and at.name != document.scope.vpc_id}
    if address not in own:
        raise ImportRefused(f"--accept: {shown(address)} is not declared in this document; {nearest(address, own)}")
    snapshot = before.snapshot
    if cause := snapshot.unreadable.get(address) or snapshot.ambiguous.get(address):
        raise ImportRefused(f"--accept: {address} cannot be looked at: {cause}")
    if address not in snapshot.resources:
        raise ImportRefused(f"--accept: {address} does not exist: let apply create it, or take it out of the document")
    for live in network.own:
        if live.key == Address.of(address.kind, snapshot.resources[address].id):
            return live
    raise ImportRefused(f"--accept: {address} is not in this VPC, or about to go")


def _proven(
    addition: Addition, before: Proof, draft: Draft, seen: beside.Seen, reads: RememberedReads
) -> tuple[Proof, bytes]:
    """The document with the additions that change nothing else, and its plan."""
    while True:
        draft.settle()
        if addition.choices.workloads:
            draft.workloads = _workloads(addition, draft, seen)
        proof, data = proven(draft, reads, addition.now)
        extra = _extra(before, proof)
        caused = {at: action for action in extra for at in _mentioned(action) if at in draft.sections}
        if extra and not caused:
            raise would_change([f"{one.address}: {one.why}" for one in extra])
        if not extra:
            break
        for at, action in caused.items():
            hint = f"correct that first, or give --accept {action.address} too"
            why = f"{action.address} would change ({action.why}): {hint}"
            draft.drop(at, why)
    objections = list(proof.objections(draft.sections.keys()))
    objections += [f"{one.address}: {difference(one)}" for one in proof.differences() if one.address in addition.accept]
    objections += [f"{at} would not be {one.id} any more" for at, one in _lost(before, proof)]
    if objections:
        raise would_change(objections)
    return proof, data


def _lost(before: Proof, after: Proof) -> Iterator[tuple[Address, Observed]]:
    """What the document found without the additions, and finds no more, or elsewhere."""
    for at, one in before.snapshot.resources.items():
        found = after.snapshot.resources.get(at)
        if not found or found.id != one.id:
            yield at, one


def _workloads(addition: Addition, draft: Draft, seen: beside.Seen) -> dict[str, Mapping[str, list[str]]]:
    """Workloads of machines with a new group; the names of those that the document has stay theirs."""
    taken = addition.document.workloads.keys()
    return with_any(proposed(seen.interfaces, draft.names, taken), draft.sections)


def _extra(before: Proof, after: Proof) -> list[Action]:
    """The calls that the document asks for with the additions and did not ask for without them."""
    known = {_signature(action, before) for action in before.plan.actions}
    return [one for one in after.plan.actions if not only_tags(one) and _signature(one, after) not in known]


def _signature(action: Action, proof: Proof) -> str:
    """What a call does, with ids in place of addresses, so that it reads the same whatever is declared."""

    def plain(value: Any) -> Any:
        if isinstance(value, Ref):
            return [proof.snapshot.handles.get(Ref(value.to), value.to), value.handle]
        if isinstance(value, Mapping):
            return {key: plain(inner) for key, inner in value.items()}
        return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value

    return json.dumps([action.operation.name, plain(Ref(action.address)), plain(action.params)], sort_keys=True)


def _mentioned(action: Action) -> set[Address]:
    """The addresses that a call is about."""
    return {action.address, *(ref.to for ref in refs(action.params)), *(at for at, _ in action.resolves)}
