"""One look at the whole network: the reads of every kind, in parallel, become a `Snapshot`.

`run.py` calls it before the writes and after them. A read that failed, was refused, throttled or incomplete never means
"absent": everything of that kind, and whatever shows its ids, is `unreadable`. A declared resource that is not found is
read once more before it counts as missing, since EC2 is eventually consistent (EC2 developer guide, Eventual
consistency).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.aws.client import THREADS, Aws, AwsError, unanswered
from reconciler.aws.errors import Reaction
from reconciler.engine.identity import Identified, identify
from reconciler.engine.identity.several_vpcs import mend, subnets_of
from reconciler.engine.interfaces import interfaces_of, interfaces_read
from reconciler.engine.looked import remember, seen_before
from reconciler.engine.seen import Seen
from reconciler.kinds import REGISTRY, dependencies, ranked
from reconciler.model import DOCUMENT_TAG, Cause, Interface, Reason, Snapshot
from reconciler.model.guard import Stage, contained, fault, logged, said
from reconciler.model.kind import Kind, ObserveContext, naming
from reconciler.model.read import Item, Read, ReadContext

log = logging.getLogger(__name__)


class ObserveError(Exception):
    """Nothing could be read, and why: wrong credentials, or more than one VPC that could be the document's."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.message)
        self.cause = cause


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
    with _pool() as pool:
        reader = _Reader(aws, pool)
        if not context.vpc_id:
            if hint:
                _guess(context, hint, reader)
            context = _find_vpc(context, reader, look, hint)
        if problem := look.vpc_problem(context.vpc_id):
            raise VpcNotAllowedError(Cause(Reason.REFUSED, problem))
        read = _look(context, reader, REGISTRY, _beside(context))
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
            read |= _look(context, reader, {name: REGISTRY[name] for name in again})
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


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for the reads. Those that still wait for AWS when the look ends are left to their own timeouts."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="observe")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True)
class _Answered:
    """The result of one kind's reads: its items, or what went wrong. `aliens` are the members of an answer that the
    kind could not even select, with what they make it raise.
    """

    kind: Kind
    context: ReadContext
    answers: Mapping[Read, list[Any]]
    items: tuple[Item, ...]
    problem: Cause | None = None
    aliens: tuple[tuple[Item, Exception], ...] = ()


class _Reader:
    """Makes reads in parallel and caches their answers, so that kinds share the reads that they have in common."""

    def __init__(self, aws: Aws, pool: ThreadPoolExecutor) -> None:
        self._aws, self._pool = aws, pool
        self.answers: dict[Read, list[Any]] = {}
        self.problems: dict[Read, AwsError] = {}

    def forget(self) -> None:
        self.answers, self.problems = {}, {}

    def read(self, reads: Iterable[Read]) -> None:
        missing = [one for one in dict.fromkeys(reads) if one not in self.answers and one not in self.problems]
        begun = [self._pool.submit(self._one, one) for one in missing]
        wait(begun, timeout=self._aws.patience)
        answers = [
            future.result() if future.done() else unanswered(one) for one, future in zip(missing, begun, strict=True)
        ]
        for one, answer in zip(missing, answers, strict=True):
            if isinstance(answer, AwsError):
                if answer.reaction is Reaction.STOP:
                    problem = f"{answer}: check the credentials, the profile and the region"
                    raise ObserveError(replace(answer.cause, message=problem)) from answer
                self.problems[one] = answer
            else:
                self.answers[one] = answer

    def _one(self, read: Read) -> list[Any] | AwsError:
        try:
            return self._aws.read(read)
        except AwsError as error:
            return error


def _guess(context: ReadContext, hint: str, reader: _Reader) -> None:
    """Make the reads of the VPC `hint` together with the one that finds the VPC.

    This only fills the cache: which VPC it is, and whether there is more than one candidate, is decided by the search
    in all VPCs of the region. If it is another VPC, the cached answers are not used.
    """
    known, vpc = replace(context, vpc_id=hint), REGISTRY["vpc"]
    _, *attributes = vpc.observe.reads(known)  # the first reads the VPC itself, which the search does
    ahead = [one for name, kind in REGISTRY.items() if name != vpc.name for one in _reads(kind, known)]
    reader.read([*vpc.observe.reads(context), *attributes, *ahead, *_beside(known)])


def _reads(kind: Kind, context: ReadContext) -> Iterable[Read]:
    return kind.observe.reads(replace(context, declared=context.document.of_kind(kind.name)))


def _find_vpc(context: ReadContext, reader: _Reader, look: ObserveOptions, hint: str) -> ReadContext:
    """The context with the id of the document's VPC; without one if it does not exist, even after a second read. The
    VPC `hint` was the document's: if it is still there, no other one is created in its place.
    """
    kind = REGISTRY["vpc"]
    context = replace(context, declared=context.document.of_kind("vpc"))
    for attempt in (1, 2):
        read = _look(context, reader, {"vpc": kind})
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
        raise ObserveError(replace(cause, message=f"{document.vpc}: {cause}{mend()}"))


def _several(document: Document, answered: _Answered, known: Identified, reader: _Reader) -> str:
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


def _interfaces(context: ReadContext, reader: _Reader) -> tuple[Interface, ...] | Cause | None:
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


def _look(
    context: ReadContext, reader: _Reader, kinds: Mapping[str, Kind], beside: Iterable[Read] = ()
) -> dict[str, _Answered]:
    contexts = {name: replace(context, declared=context.document.of_kind(name)) for name in kinds}
    reads: dict[str, list[Read]] = {}
    faults: dict[str, Cause] = {}
    for name, kind in kinds.items():
        try:
            reads[name] = list(_reads(kind, context))
        except Exception as error:  # noqa: BLE001 (then nothing is known of that kind alone)
            logged(error, name, Stage.READING)
            reads[name], faults[name] = [], fault(error, Stage.READING)
    reader.read([*beside, *(one for some in reads.values() for one in some)])
    for name, kind in kinds.items():
        more = _sifted(partial(kind.observe.more, contexts[name]), kind, reads[name], reader)
        reads[name] += more.found
        faults |= {name: more.problem} if more.problem and name not in faults else {}
    reader.read(one for some in reads.values() for one in some)
    return {
        name: _answered(kind, contexts[name], reads[name], reader, faults.get(name)) for name, kind in kinds.items()
    }


class _Sifted[T](NamedTuple):
    """What a kind makes of its answers, without the `aliens`: the members for which it raises."""

    found: list[T]
    aliens: tuple[tuple[Item, Exception], ...] = ()
    problem: Cause | None = None


def _sifted[T](
    ask: Callable[[Mapping[Read, list[Any]]], Iterable[T]], kind: Kind, reads: Iterable[Read], reader: _Reader
) -> _Sifted[T]:
    answers = reader.answers
    try:
        return _Sifted(list(ask(answers)))
    except Exception as error:  # noqa: BLE001 (whatever a live value makes a kind raise)
        cause = error
    none: dict[Read, list[Any]] = {one: [] for one in answers}
    aliens = {}
    for one in dict.fromkeys(one for one in reads if one in answers):
        for item in answers[one]:
            try:
                list(ask({**none, one: [item]}))
            except Exception as error:  # noqa: BLE001 (the same)
                aliens[id(item)] = item, error
    left = {one: [item for item in some if id(item) not in aliens] for one, some in answers.items()}
    try:
        return _Sifted(list(ask(left)), tuple(aliens.values()))
    except Exception:  # noqa: BLE001 (no single member is to blame)
        logged(cause, kind.name, Stage.READING)
        return _Sifted([], (), fault(cause, Stage.READING))


def _answered(kind: Kind, context: ReadContext, reads: list[Read], reader: _Reader, problem: Cause | None) -> _Answered:
    if problem:
        return _Answered(kind, context, {}, (), problem)
    if problems := [reader.problems[one] for one in reads if one in reader.problems]:
        cause = Cause(Reason.UNREADABLE, "; ".join(map(str, problems)), problems[0].cause.code)
        log.warning("%s could not be read: %s", kind.name, cause)
        return _Answered(kind, context, {}, (), cause)
    answers = {one: reader.answers[one] for one in reads}
    live = _sifted(partial(kind.observe.live, context), kind, reads, reader)
    items, unclear = _once(kind, live.found)
    return _Answered(kind, context, answers, items, live.problem, (*live.aliens, *unclear))


def _once(kind: Kind, items: list[Item]) -> tuple[tuple[Item, ...], tuple[tuple[Item, Exception], ...]]:
    """The items, each once, and those that are shown twice and not the same: if something comes or goes while AWS sends
    its pages, what was on one may be on the next one too.
    """
    try:
        found = {kind.observe.id(item): item for item in reversed(items)}
    except Exception:  # noqa: BLE001 (what has no id is told by who identifies it)
        return tuple(items), ()
    if len(found) == len(items):
        return tuple(items), ()
    unlike = {aws_id for item in items if item != found[aws_id := kind.observe.id(item)]}
    error = ValueError("AWS shows it twice, and not the same")
    left = [(aws_id, item) for aws_id, item in reversed(found.items())]
    return (
        tuple(item for aws_id, item in left if aws_id not in unlike),
        tuple((item, error) for aws_id, item in left if aws_id in unlike),
    )


def _identify(read: dict[str, _Answered]) -> tuple[dict[str, Identified], dict[str, Address]]:
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


def _kinds_with_missing(read: Mapping[str, _Answered], known: Mapping[str, Identified]) -> list[str]:
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
    read: Mapping[str, _Answered],
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
