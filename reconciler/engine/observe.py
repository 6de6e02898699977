"""One look at the whole network: the reads of every kind, in parallel, become a `Snapshot`.

`run.py` calls it before the writes and after them. A read that failed, was refused, throttled or incomplete never means
"absent": everything of that kind, and whatever shows its ids, is `unreadable`. A declared resource that is not found is
read once more before it counts as missing, since EC2 is eventually consistent (EC2 developer guide, Eventual
consistency).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.aws.client import THREADS, Aws, AwsError, unanswered
from reconciler.aws.errors import Verdict
from reconciler.engine.identity import Identified, identify
from reconciler.engine.interfaces import interfaces_of, interfaces_read
from reconciler.kinds import REGISTRY, dependencies, ranked
from reconciler.model import NAME_TAG, Cause, Found, Interface, Observed, Reason, Ref, Snapshot, SubnetRoutes, Unmanaged
from reconciler.model.kind import Item, Kind, ObserveContext, Read, ReadContext, naming

log = logging.getLogger(__name__)


class ObserveError(Exception):
    """Nothing could be read, and why: wrong credentials, or more than one VPC that could be the document's."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.message)
        self.cause = cause


@dataclass(frozen=True)
class ObserveOptions:
    """`pause` waits before the second read of what is missing; `now` is the clock."""

    now: Callable[[], datetime]
    pause: Callable[[], None]


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
        read = _look(context, reader, REGISTRY, _beside(context))
        interfaces = _interfaces(context, reader)
        known = _identify(read)
        if again := _kinds_with_missing(read, known):
            look.pause()
            reader.forget()
            read |= _look(context, reader, {name: REGISTRY[name] for name in again})
            known = _identify(read)
    if document.scope.vpc_id and not read["vpc"].problem and not read["vpc"].items:
        where = f"account {document.scope.account_id}, {document.scope.region}"
        problem = f"scope.vpc_id: {document.scope.vpc_id} does not exist in {where}: correct it, or leave it out"
        raise ObserveError(Cause(Reason.MISSING_REFERENCE, problem))
    _refuse_vpc(document, known.get("vpc"))
    return replace(_snapshot(document, read, known, at), interfaces=interfaces)


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
    """The result of one kind's reads: its items, or what went wrong."""

    kind: Kind
    context: ReadContext
    answers: Mapping[Read, list[Any]]
    items: tuple[Item, ...]
    problem: Cause | None = None


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
                if answer.verdict is Verdict.STOP:
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
        if problem := read["vpc"].problem:
            raise ObserveError(replace(problem, message=f"the VPC could not be searched for: {problem}"))
        known = _identify(read)["vpc"]
        _refuse_vpc(context.document, known)
        if match := known.matched.get(context.document.vpc):
            found = replace(context, vpc_id=kind.observe.id(match.item), declared={})
            reader.answers[next(iter(kind.observe.reads(found)))] = [match.item]
            return found
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


def _refuse_vpc(document: Document, known: Identified | None) -> None:
    """Which VPC it is decides about everything, so a problem of the VPC ends the run."""
    if known and (cause := known.problems.get(document.vpc)):
        raise ObserveError(replace(cause, message=f"{document.vpc}: {cause}"))


def _beside(context: ReadContext) -> list[Read]:
    """What is read beside the kinds: who stands where, if the document has intents."""
    return [interfaces_read(context)] if context.document.intents and context.vpc_id else []


def _interfaces(context: ReadContext, reader: _Reader) -> tuple[Interface, ...] | Cause | None:
    """`Snapshot.interfaces`; nobody is in a VPC that does not exist."""
    if not context.document.intents:
        return None
    for one in _beside(context):
        if problem := reader.problems.get(one):
            log.warning("network interfaces could not be read: %s", problem)
            return Cause(Reason.UNREADABLE, str(problem), problem.cause.code)
        try:
            return interfaces_of(reader.answers[one])
        except (KeyError, TypeError, ValueError) as error:
            return Cause(Reason.UNREADABLE, f"{type(error).__name__}: {error}")
    return ()


def _look(
    context: ReadContext, reader: _Reader, kinds: Mapping[str, Kind], beside: Iterable[Read] = ()
) -> dict[str, _Answered]:
    contexts = {name: replace(context, declared=context.document.of_kind(name)) for name in kinds}
    reads = {name: list(_reads(kind, context)) for name, kind in kinds.items()}
    reader.read([*beside, *(one for some in reads.values() for one in some)])
    for name, kind in kinds.items():
        reads[name] += kind.observe.more(contexts[name], reader.answers)
    reader.read(one for some in reads.values() for one in some)
    return {name: _answered(kind, contexts[name], reads[name], reader) for name, kind in kinds.items()}


def _answered(kind: Kind, context: ReadContext, reads: list[Read], reader: _Reader) -> _Answered:
    if problems := [reader.problems[one] for one in reads if one in reader.problems]:
        cause = Cause(Reason.UNREADABLE, "; ".join(map(str, problems)), problems[0].cause.code)
        log.warning("%s could not be read: %s", kind.name, cause)
        return _Answered(kind, context, {}, (), cause)
    answers = {one: reader.answers[one] for one in reads}
    return _Answered(kind, context, answers, tuple(kind.observe.live(context, answers)))


def _identify(read: Mapping[str, _Answered]) -> dict[str, Identified]:
    """Who is who, in the order of the kinds: what a kind depends on is known before. Nothing is known of a kind that
    could not be read, or that depends on one.
    """
    known: dict[str, Identified] = {}
    names: dict[str, Address] = {}
    for one in read.values():
        names |= one.context.document.foreign_groups
    for name in (one for one in ranked() if one in read):
        one = read[name]
        if not one.problem and all(before in known for before in dependencies(name) & read.keys()):
            known[name] = identify(one.kind, one.items, ObserveContext(one.context, one.answers, names))
            names |= _names(one.kind, known[name])
    return known


def _names(kind: Kind, known: Identified) -> dict[str, Address]:
    found: dict[str, Address] = {}
    for at, match in known.matched.items():
        found |= naming(kind.name, kind.observe.id(match.item), at)
    return found


def _kinds_with_missing(read: Mapping[str, _Answered], known: Mapping[str, Identified]) -> list[str]:
    """The kinds with a declared resource that was not found: they are read once more before it counts as missing."""
    return [
        name
        for name, one in read.items()
        if name in known
        and one.context.vpc_id
        and one.context.declared.keys() - known[name].matched.keys() - known[name].problems.keys()
    ]


def _snapshot(
    document: Document, read: Mapping[str, _Answered], known: Mapping[str, Identified], at: datetime
) -> Snapshot:
    seen = _Seen(document, at)
    names: dict[str, Address] = dict(document.foreign_groups)
    for name, identified in known.items():
        names |= _names(read[name].kind, identified)
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
            seen.unreadable |= dict.fromkeys(document.of_kind(name) or [Address.of(name, "*")], problem)
        else:
            seen.add(one.kind, one.items, known[name], ObserveContext(one.context, one.answers, names))
    return seen.snapshot()


class _Seen:
    """What a snapshot is made of, kind by kind."""

    def __init__(self, document: Document, at: datetime) -> None:
        self._document, self._at = document, at
        self.unreadable: dict[Address, Cause] = {}
        self._resources: dict[Address, Observed] = {}
        self._handles: dict[Ref, str] = {}
        self._unmanaged: list[Unmanaged] = []
        self._found_by: dict[Address, Found] = {}
        self._subnet_routes: dict[Address, SubnetRoutes] = {}
        self._neighbours = _Neighbours()
        self._known = Identified()

    def snapshot(self) -> Snapshot:
        known = self._known
        return Snapshot(
            self._resources,
            self._handles,
            self.unreadable,
            known.problems,
            tuple(self._unmanaged),
            self._at,
            found_by=self._found_by,
            foreign=known.foreign,
            candidates=known.candidates,
            copies={address: aws_id for aws_id, address in sorted(known.copies.items(), reverse=True)},
            subnet_routes=self._subnet_routes,
            neighbours=self._neighbours,
        )

    def add(self, kind: Kind, items: Iterable[Item], known: Identified, context: ObserveContext) -> None:
        self._handles |= dict(kind.observe.handles(items, context))
        self._subnet_routes |= dict(kind.observe.subnet_routes(items, context))
        self._known.problems |= known.problems
        self._known.foreign |= known.foreign
        self._known.candidates |= known.candidates
        self._known.copies |= known.copies
        for address, match in known.matched.items():
            self._found_by[address] = match.found
            self._handles[Ref(address)] = kind.observe.id(match.item)
            self._observe(kind, address, match.item, context, known.observed.get(address))
        matched = {kind.observe.id(match.item) for match in known.matched.values()}
        taken = matched | known.candidates.keys()
        self._neighbours.add(kind, items, matched, context)
        for item in items if kind.after else ():
            if kind.observe.id(item) not in taken:
                self._unmanaged.append(_unmanaged(kind, item, known))
                if self._unmanaged[-1].owned:
                    self._handles.setdefault(Ref(self._unmanaged[-1].address), kind.observe.id(item))

    def _observe(
        self, kind: Kind, address: Address, item: Item, context: ObserveContext, known: Observed | None
    ) -> None:
        """A live value that the model does not support makes its resource unreadable, with the value in the message. Of
        what is external only the id is needed.
        """
        try:
            seen = known or kind.observe.observed(item, context)
            self._resources[address] = replace(seen, resource_id=kind.identify.resource_id(item))
        except (ValueError, KeyError, TypeError) as error:
            if address not in self._document.external:
                what = f"{type(error).__name__}: {error}"
                message = f"{kind.observe.id(item)} has a value that Setpoint does not support: {what}"
                self.unreadable[address] = Cause(Reason.UNREADABLE, message)


class _Neighbours(Mapping[tuple[str, str], Observed | None]):
    """`Snapshot.neighbours`: each becomes the model when it is asked for, which a run without drift never does."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], tuple[Kind, Item, ObserveContext]] = {}
        self._seen: dict[tuple[str, str], Observed | None] = {}

    def add(self, kind: Kind, items: Iterable[Item], matched: Container[str], context: ObserveContext) -> None:
        """Everything of a kind that was not found to be a declared resource."""
        for item in items if kind.after else ():
            if (aws_id := kind.observe.id(item)) not in matched:
                self._items[kind.name, aws_id] = kind, item, context

    def __getitem__(self, key: tuple[str, str]) -> Observed | None:
        if key not in self._seen:
            kind, item, context = self._items[key]
            try:
                self._seen[key] = kind.observe.observed(item, context)
            except (ValueError, KeyError, TypeError) as error:
                log.info("%s has a value that Setpoint does not support: %s: %s", key[1], type(error).__name__, error)
                self._seen[key] = None
        return self._seen[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


def _unmanaged(kind: Kind, item: Item, known: Identified) -> Unmanaged:
    aws_id, tags = kind.observe.id(item), kind.observe.tags(item) or {}
    owned = aws_id in known.owned
    remark = known.foreign.get(aws_id, "")
    if aws_id in known.copies:
        remark = f"it carries the tags of {known.copies[aws_id]} and is not it: take them off"
    name = tags[NAME_TAG] if owned else kind.observe.label(item) or aws_id
    return Unmanaged(Address.of(kind.name, name), aws_id, owned, remark)
