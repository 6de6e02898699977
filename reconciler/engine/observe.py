"""One look at the whole network: the reads of every kind, in parallel, become a `Snapshot`.

`run.py` calls it before the writes and after them. A read that failed, was refused, throttled or incomplete never means
"absent": everything of that kind, and whatever shows its ids, is `unreadable`. A declared resource that is not found is
read once more before it counts as missing, since EC2 is eventually consistent (EC2 developer guide, Eventual
consistency).
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from desired_state.document import Document
from desired_state.fields import Address
from reconciler.aws.client import THREADS, Aws, AwsError
from reconciler.aws.errors import Verdict
from reconciler.kinds import REGISTRY, dependencies, ranked
from reconciler.model import DOCUMENT_TAG, NAME_TAG, Cause, Observed, Reason, Ref, Snapshot, Unmanaged
from reconciler.model.kind import Item, Kind, ObserveContext, Read, ReadContext

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
    with ThreadPoolExecutor(THREADS, thread_name_prefix="observe") as pool:
        reader = _Reader(aws, pool)
        if not context.vpc_id:
            if hint:
                _guess(context, hint, reader)
            context = _find_vpc(context, reader, look)
        found = _look(context, reader, REGISTRY)
        if again := _kinds_with_missing(found):
            look.pause()
            reader.forget()
            found |= _look(context, reader, {name: REGISTRY[name] for name in again})
    if document.scope.vpc_id and not found["vpc"].problem and not found["vpc"].items:
        where = f"account {document.scope.account_id}, {document.scope.region}"
        problem = f"scope.vpc_id: {document.scope.vpc_id} does not exist in {where}: correct it, or leave it out"
        raise ObserveError(Cause(Reason.MISSING_REFERENCE, problem))
    return _snapshot(document, found, at)


@dataclass(frozen=True)
class _Found:
    """The result of one kind's reads: its items, which resources they are, and what went wrong."""

    kind: Kind
    context: ReadContext
    answers: Mapping[Read, list[Any]]
    items: tuple[Item, ...]
    matched: Mapping[Address, tuple[Item, ...]]
    claimed: Mapping[Address, Cause]
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
        for one, answer in zip(missing, self._pool.map(self._one, missing), strict=True):
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
    reader.read([*vpc.observe.reads(context), *attributes, *ahead])


def _reads(kind: Kind, context: ReadContext) -> Iterable[Read]:
    return kind.observe.reads(replace(context, declared=context.document.of_kind(kind.name)))


def _find_vpc(context: ReadContext, reader: _Reader, look: ObserveOptions) -> ReadContext:
    """The context with the id of the document's VPC; without one if it does not exist, even after a second read."""
    kind = REGISTRY["vpc"]
    context = replace(context, declared=context.document.of_kind("vpc"))
    for attempt in (1, 2):
        found = _look(context, reader, {"vpc": kind})["vpc"]
        if found.problem:
            raise ObserveError(replace(found.problem, message=f"the VPC could not be searched for: {found.problem}"))
        items = found.matched[context.document.vpc]
        if cause := found.claimed.get(context.document.vpc):
            raise ObserveError(replace(cause, message=f"{context.document.vpc}: {cause}"))
        if len(items) > 1:
            ids = ", ".join(sorted(kind.observe.id(item) for item in items))
            hint = "name the one you mean in scope.vpc_id"
            problem = f"{len(items)} VPCs could be {context.document.vpc}: {ids}; {hint}"
            raise ObserveError(Cause(Reason.AMBIGUOUS, problem))
        if items:
            known = replace(context, vpc_id=kind.observe.id(items[0]), declared={})
            reader.answers[next(iter(kind.observe.reads(known)))] = list(items)
            return known
        if attempt == 1:
            look.pause()
            reader.forget()
    return replace(context, declared={})


def _look(context: ReadContext, reader: _Reader, kinds: Mapping[str, Kind]) -> dict[str, _Found]:
    contexts = {name: replace(context, declared=context.document.of_kind(name)) for name in kinds}
    reads = {name: list(_reads(kind, context)) for name, kind in kinds.items()}
    reader.read(one for some in reads.values() for one in some)
    for name, kind in kinds.items():
        reads[name] += kind.observe.more(contexts[name], reader.answers)
    reader.read(one for some in reads.values() for one in some)
    return {name: _found(kind, contexts[name], reads[name], reader) for name, kind in kinds.items()}


def _found(kind: Kind, context: ReadContext, reads: list[Read], reader: _Reader) -> _Found:
    if problems := [reader.problems[one] for one in reads if one in reader.problems]:
        cause = Cause(Reason.UNREADABLE, "; ".join(map(str, problems)), problems[0].cause.code)
        log.warning("%s could not be read: %s", kind.name, cause)
        return _Found(kind, context, {}, (), {}, {}, cause)
    answers = {one: reader.answers[one] for one in reads}
    items = tuple(kind.observe.live(context, answers))
    matched, claimed = _identify(kind, context, items)
    return _Found(kind, context, answers, items, matched, claimed)


def _identify(
    kind: Kind, context: ReadContext, items: Iterable[Item]
) -> tuple[dict[Address, tuple[Item, ...]], dict[Address, Cause]]:
    """Which items each declared resource could be: those with our tags, otherwise those that match by their properties.

    And for each resource without an item, why an item that matches is not it: the item has the tags of another
    resource, or of another document. Creating the resource a second time would be a guess.
    """
    tagged: dict[str, list[Item]] = defaultdict(list)
    free: list[Item] = []
    others: list[tuple[Item, str]] = []
    for item in items:
        tags = kind.observe.tags(item) or {}
        owner, name = tags.get(DOCUMENT_TAG, context.document.name), tags.get(NAME_TAG, "")
        if owner != context.document.name:
            others.append((item, f"it belongs to the document {owner!r}"))
        elif DOCUMENT_TAG in tags and Address.of(kind.name, name) in context.declared:
            tagged[name].append(item)
            others.append((item, f"its tag {NAME_TAG} says {name!r}"))
        else:
            free.append(item)
    matched: dict[Address, tuple[Item, ...]] = {}
    claimed: dict[Address, Cause] = {}
    for address, resource in context.declared.items():
        matching = (item for item in free if kind.observe.matches(address, resource, item, context))
        matched[address] = tuple(tagged.get(address.name) or matching)
        if matched[address]:
            continue
        rejected = ((item, why) for item, why in others if kind.observe.matches(address, resource, item, context))
        for item, why in islice(rejected, 1):
            problem = f"{kind.observe.id(item)} could be it, but {why}: correct its tags, or declare something else"
            claimed[address] = Cause(Reason.AMBIGUOUS, problem)
    return matched, claimed


def _kinds_with_missing(found: Mapping[str, _Found]) -> list[str]:
    """The kinds with a declared resource that was not found: they are read once more before it counts as missing."""
    return [
        name
        for name, one in found.items()
        if not one.problem and one.context.vpc_id and one.matched.keys() - one.claimed.keys() - _seen(one)
    ]


def _seen(one: _Found) -> set[Address]:
    return {address for address, items in one.matched.items() if items}


def _snapshot(document: Document, found: Mapping[str, _Found], at: datetime) -> Snapshot:
    unreadable: dict[Address, Cause] = {}
    ambiguous: dict[Address, Cause] = {}
    resources: dict[Address, Observed] = {}
    handles: dict[Ref, str] = {}
    unmanaged: list[Unmanaged] = []
    names = _names(found)
    broken: dict[str, Cause] = {}
    for name in ranked():
        one = found[name]
        unread = sorted(dependencies(name) & broken.keys())
        problem = one.problem
        if unread and not problem:
            message = f"it depends on {unread[0]}, which could not be read: {broken[unread[0]]}"
            problem = replace(broken[unread[0]], message=message)
        if problem:
            broken[name] = problem
            unreadable |= dict.fromkeys(document.of_kind(name) or [Address.of(name, "*")], problem)
            continue
        seen = ObserveContext(one.context, one.answers, names)
        handles |= dict(one.kind.observe.handles(one.items, seen))
        ambiguous |= one.claimed
        known: set[str] = set()
        for address, items in one.matched.items():
            known |= {one.kind.observe.id(item) for item in items}
            if len(items) > 1:
                ids = ", ".join(sorted(one.kind.observe.id(item) for item in items))
                hint = "remove the tags or the name from all but one"
                ambiguous[address] = Cause(Reason.AMBIGUOUS, f"{len(items)} live resources could be it: {ids}; {hint}")
            elif items:
                handles[Ref(address)] = one.kind.observe.id(items[0])
                _observe(one.kind, address, items[0], seen, resources, unreadable)
        rest = (item for item in one.items if one.kind.after and one.kind.observe.id(item) not in known)
        for unmanaged_ in (_unmanaged(one.kind, document, item) for item in rest):
            unmanaged.append(unmanaged_)
            if unmanaged_.owned:
                handles.setdefault(Ref(unmanaged_.address), unmanaged_.id)
    return Snapshot(resources, handles, unreadable, ambiguous, tuple(unmanaged), at)


def _names(found: Mapping[str, _Found]) -> dict[str, Address]:
    return {
        one.kind.observe.id(items[0]): address
        for one in found.values()
        for address, items in one.matched.items()
        if len(items) == 1
    }


def _observe(
    kind: Kind,
    address: Address,
    item: Item,
    seen: ObserveContext,
    resources: dict[Address, Observed],
    unreadable: dict[Address, Cause],
) -> None:
    """A live value that the model does not support makes its resource unreadable, with the value in the message."""
    try:
        resources[address] = kind.observe.observed(item, seen)
    except (ValueError, KeyError, TypeError) as error:
        message = f"{kind.observe.id(item)} has a value that Setpoint does not support: {type(error).__name__}: {error}"
        unreadable[address] = Cause(Reason.UNREADABLE, message)


def _unmanaged(kind: Kind, document: Document, item: Item) -> Unmanaged:
    tags = kind.observe.tags(item) or {}
    owned = tags.get(DOCUMENT_TAG) == document.name and bool(tags.get(NAME_TAG))
    return Unmanaged(
        Address.of(kind.name, tags[NAME_TAG] if owned else kind.observe.label(item) or kind.observe.id(item)),
        kind.observe.id(item),
        owned,
    )
