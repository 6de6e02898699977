"""One look at the whole network: the reads of every kind, in parallel, become a `Snapshot`.

`run.py` calls it before the writes and after them; `answers.py` makes the reads. One that failed never means "absent":
everything of that kind, and whatever shows its ids, is `unreadable`. A declared resource that is not found is read once
more before it counts as missing, since EC2 is eventually consistent (EC2 developer guide, Eventual consistency).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.aws.client import Aws
from reconciler.engine.answers import Answered, ObserveError, Reader, answers_of, reading_pool, reads_of
from reconciler.engine.identity import Identified, identify
from reconciler.engine.identity.several_vpcs import mend, subnets_of
from reconciler.engine.interfaces import interfaces_of, interfaces_read
from reconciler.engine.looked import remember, seen_before
from reconciler.engine.seen import Seen
from reconciler.kinds import REGISTRY, dependencies, ranked
from reconciler.model import DOCUMENT_TAG, Cause, Interface, Reason, Snapshot
from reconciler.model.guard import Stage, contained, fault, logged, said
from reconciler.model.kind import Kind, ObserveContext, naming
from reconciler.model.read import Read, ReadContext

__all__ = ["ObserveError", "ObserveOptions", "VpcNotAllowedError", "observe"]

log = logging.getLogger(__name__)


class VpcNotAllowedError(ObserveError):
    """The document's VPC is none that the document may be for."""


@dataclass(frozen=True)
class ObserveOptions:
    """`pause` waits before the second read of what is missing; `now` is the clock. `vpc_problem` says why the document
    may not be for the VPC that was found (by its id; empty: there is none yet).
    """

    now: Callable[[], datetime]
    pause: Callable[[], None]
    vpc_problem: Callable[[str], str] = lambda vpc_id: ""


def observe(document: Document, aws: Aws, look: ObserveOptions, hint: str = "") -> Snapshot:
    """The document's VPC as it is now. Raises `ObserveError`.

    `hint` is the id that the VPC had when it was last seen: if it is still the same, all reads are made at once.
    """
    at = look.now()
    context = ReadContext(document, document.scope.vpc_id or "", {})
    with reading_pool() as pool:
        reader = Reader(aws, pool)
        if not context.vpc_id:
            if hint:
                _guess(context, hint, reader)
            context = _find_vpc(context, reader, look, hint)
        if problem := look.vpc_problem(context.vpc_id):
            raise VpcNotAllowedError(Cause(Reason.REFUSED, problem))
        read = answers_of(context, reader, REGISTRY, _beside(context))
        interfaces = _interfaces(context, reader)
        given = {name: (one.kind, one.answers) for name, one in read.items()}
        if last := contained(
            lambda: seen_before(document, context.vpc_id, given, at),
            lambda cause: None,
            who="the look before",
            stage=Stage.READING,
        ):
            return replace(last, interfaces=interfaces)
        known, names = _identify(read)
        if again := _kinds_with_missing(read, known):
            look.pause()
            reader.forget()
            read |= answers_of(context, reader, {name: REGISTRY[name] for name in again})
            known, names = _identify(read)
    if document.scope.vpc_id and not read["vpc"].problem and not (read["vpc"].items or read["vpc"].aliens):
        where = f"account {document.scope.account_id}, {document.scope.region}"
        problem = f"scope.vpc_id: {document.scope.vpc_id} does not exist in {where}: correct it, or leave it out"
        raise ObserveError(Cause(Reason.MISSING_REFERENCE, problem))
    _refuse_vpc(document, known.get("vpc"))
    seen = _seen(document, read, known, names, at)
    snapshot = seen.snapshot()
    if not again and not seen.troubled:
        contained(
            lambda: remember(document, context.vpc_id, given, snapshot),
            lambda cause: None,
            who="the look",
            stage=Stage.READING,
        )
    return replace(snapshot, interfaces=interfaces)


def _guess(context: ReadContext, hint: str, reader: Reader) -> None:
    """Make the reads of the VPC `hint` together with the one that finds the VPC.

    This only fills the cache: which VPC it is, and whether there is more than one candidate, is decided by the search
    in all VPCs of the region. If it is another VPC, the cached answers are not used.
    """
    known, vpc = replace(context, vpc_id=hint), REGISTRY["vpc"]
    _, *attributes = vpc.observe.reads(known)  # the first reads the VPC itself, which the search does
    ahead = [one for name, kind in REGISTRY.items() if name != vpc.name for one in reads_of(kind, known)]
    reader.read([*vpc.observe.reads(context), *attributes, *ahead, *_beside(known)])


def _find_vpc(context: ReadContext, reader: Reader, look: ObserveOptions, hint: str) -> ReadContext:
    """The context with the id of the document's VPC; without one if it does not exist, even after a second read. The
    VPC `hint` was the document's: if it is still there, no other one is created in its place.
    """
    kind = REGISTRY["vpc"]
    context = replace(context, declared=context.document.of_kind("vpc"))
    for attempt in (1, 2):
        read = answers_of(context, reader, {"vpc": kind})
        found, _ = _identify(read)
        if problem := read["vpc"].problem:
            raise ObserveError(replace(problem, message=f"the VPC could not be searched for: {problem}"))
        known = found["vpc"]
        _refuse_vpc(context.document, known, partial(_several, context.document, read["vpc"], known, reader))
        if match := known.matched.get(context.document.vpc):
            context = replace(context, vpc_id=kind.observe.id(match.item), declared={})
            reader.answers[next(iter(kind.observe.reads(context)))] = [match.item]
            return context
        if any(kind.observe.id(item) == hint for item in read["vpc"].items):
            whose = known.foreign.get(hint, "its tags, its Name tag or its network have changed")
            line = (
                f'name it in scope.vpc_id, or write "adopt": {{"{context.document.vpc}": "new"}} to have another made'
            )
            message = (
                f"{context.document.vpc}: {hint} was this document's VPC, and is not found any more: {whose}; {line}"
            )
            raise ObserveError(Cause(Reason.IDENTITY_CHANGED, message))
        if attempt == 1:
            look.pause()
            reader.forget()
    return replace(context, declared={})


def _refuse_vpc(document: Document, known: Identified | None, mend: Callable[[], str] = lambda: "") -> None:
    """Which VPC it is decides about everything, so a problem of the VPC ends the run."""
    if known and (cause := known.problems.get(document.vpc) or known.faults.get(document.vpc)):
        # It looks at every VPC of the Region, whose values may be as odd: then nothing more is said.
        more = contained(mend, lambda cause: "", who=document.vpc, stage=Stage.IDENTIFYING)
        raise ObserveError(replace(cause, message=f"{document.vpc}: {cause}{more}"))


def _several(document: Document, answered: Answered, known: Identified, reader: Reader) -> str:
    """What leaves one of several VPCs with the document's tags; empty if there are not several, or it is not known."""
    look = answered.kind.observe
    ours = [item for item in answered.items if (look.tags(item) or {}).get(DOCUMENT_TAG) == document.name]
    of_vpc = {look.id(item) for item in ours} & {one for one, at in known.candidates.items() if at == document.vpc}
    if len(of_vpc) <= 1:
        return ""
    subnets = subnets_of(of_vpc)
    reader.read([subnets])
    return "" if subnets in reader.problems else f"; {mend(document, of_vpc, reader.answers[subnets])}"


def _beside(context: ReadContext) -> list[Read]:
    """What is read beside the kinds: who stands where, if the document has intents."""
    if not (context.document.intents and context.vpc_id):
        return []
    return contained(
        lambda: [interfaces_read(context)], lambda cause: [], who="network interfaces", stage=Stage.READING
    )


def _interfaces(context: ReadContext, reader: Reader) -> tuple[Interface, ...] | Cause | None:
    """`Snapshot.interfaces`; nobody is in a VPC that does not exist."""
    if not context.document.intents:
        return None
    reads = _beside(context)
    if context.vpc_id and not reads:
        return Cause(Reason.UNREADABLE, "they could not be asked for: Setpoint failed")
    for one in reads:
        if problem := reader.problems.get(one):
            log.warning("network interfaces could not be read: %s", problem)
            return Cause(Reason.UNREADABLE, str(problem), problem.cause.code)
        try:
            return interfaces_of(reader.answers[one])
        except Exception as error:  # noqa: BLE001 (whatever a live value makes of the answer)
            logged(error, "network interfaces", Stage.READING)
            return Cause(Reason.UNREADABLE, said(error))
    return ()


def _identify(read: dict[str, Answered]) -> tuple[dict[str, Identified], dict[str, Address]]:
    """Who is who, in the order of the kinds, and the address of every id: what a kind depends on is known before.
    Nothing is known of a kind that could not be read, or that depends on one; what cannot be identified at all counts
    as such a kind, in `read`.
    """
    known: dict[str, Identified] = {}
    names: dict[str, Address] = {}
    for one in read.values():
        names |= one.context.document.foreign_groups
    for name in (one for one in ranked() if one in read):
        one = read[name]
        if not one.problem and all(before in known for before in dependencies(name) & read.keys()):
            context = ObserveContext(one.context, one.answers, names)
            try:
                known[name] = identify(one.kind, one.items, context, one.aliens)
            except Exception as error:  # noqa: BLE001 (the last resort: nobody in particular is to blame)
                logged(error, name, Stage.IDENTIFYING)
                read[name] = replace(one, problem=fault(error, Stage.IDENTIFYING))
            else:
                names |= _names(one.kind, known[name])
    return known, names


def _names(kind: Kind, known: Identified) -> dict[str, Address]:
    found: dict[str, Address] = {}
    for at, match in known.matched.items():
        found |= naming(kind.name, match.live.id, at)
    for aws_id, at in known.placed.items():
        found |= naming(kind.name, aws_id, at)
    return found


def _kinds_with_missing(read: Mapping[str, Answered], known: Mapping[str, Identified]) -> list[str]:
    """The kinds with a declared resource that was not found: they are read once more before it counts as missing."""
    return [
        name
        for name, one in read.items()
        if name in known and one.context.vpc_id and one.context.declared.keys() - _settled(known[name])
    ]


def _settled(known: Identified) -> set[Address]:
    """What was found, or what another read would not find either."""
    return {*known.matched, *known.problems, *known.faults}


def _seen(
    document: Document,
    read: Mapping[str, Answered],
    known: Mapping[str, Identified],
    names: Mapping[str, Address],
    at: datetime,
) -> Seen:
    seen = Seen(document, at)
    broken: dict[str, Cause] = {}
    for name in ranked():
        one = read[name]
        unread = sorted(dependencies(name) & broken.keys())
        problem = one.problem
        if unread and not problem:
            message = f"it depends on {unread[0]}, which could not be read: {broken[unread[0]]}"
            problem = replace(broken[unread[0]], message=message)
        if problem:
            broken[name] = problem
            seen.nothing_of(name, problem)
        else:
            try:
                seen.add(one.kind, known[name], ObserveContext(one.context, one.answers, names))
            except Exception as error:  # noqa: BLE001 (the last resort: nobody in particular is to blame)
                logged(error, name, Stage.READING)
                broken[name] = fault(error, Stage.READING)
                seen.nothing_of(name, broken[name])
    return seen
