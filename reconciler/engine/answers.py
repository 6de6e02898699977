"""What AWS answers to the reads of every kind, made in parallel.

A read that failed, was refused, throttled or incomplete never means "absent": then nothing is known of the kinds that
asked for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from reconciler.aws.client import THREADS, Aws, AwsError, unanswered
from reconciler.aws.errors import Reaction
from reconciler.model import Cause, Reason
from reconciler.model.guard import Stage, fault, logged
from reconciler.model.kind import Kind
from reconciler.model.read import Item, Read, ReadContext

log = logging.getLogger(__name__)


class ObserveError(Exception):
    """Nothing could be read, and why: wrong credentials, or more than one VPC that could be the document's."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.message)
        self.cause = cause


@dataclass(frozen=True)
class Answered:
    """The result of one kind's reads: its items, or what went wrong. `aliens` are the members of an answer that the
    kind could not even select, with what they make it raise.
    """

    kind: Kind
    context: ReadContext
    answers: Mapping[Read, list[Any]]
    items: tuple[Item, ...]
    problem: Cause | None = None
    aliens: tuple[tuple[Item, Exception], ...] = ()


@contextmanager
def reading_pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for the reads. Those that still wait for AWS when the look ends are left to their own timeouts."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="observe")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class Reader:
    """Makes reads in parallel and caches their answers, so that kinds share the reads that they have in common."""

    def __init__(self, aws: Aws, pool: ThreadPoolExecutor) -> None:
        self._aws, self._pool = aws, pool
        self.answers: dict[Read, list[Any]] = {}
        self.problems: dict[Read, AwsError] = {}

    def forget(self) -> None:
        """From now on everything is read anew."""
        self.answers, self.problems = {}, {}

    def read(self, reads: Iterable[Read]) -> None:
        """Make those that were not made yet. Raises `ObserveError` if no call can work, because of the credentials."""
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


def reads_of(kind: Kind, context: ReadContext) -> Iterable[Read]:
    """The first reads of a kind: those that need no answer to another one."""
    return kind.observe.reads(replace(context, declared=context.document.of_kind(kind.name)))


def answers_of(
    context: ReadContext, reader: Reader, kinds: Mapping[str, Kind], beside: Iterable[Read] = ()
) -> dict[str, Answered]:
    """What each of the kinds reads, by its name; `beside` are reads to make at the same time."""
    contexts = {name: replace(context, declared=context.document.of_kind(name)) for name in kinds}
    reads: dict[str, list[Read]] = {}
    faults: dict[str, Cause] = {}
    for name, kind in kinds.items():
        try:
            reads[name] = list(reads_of(kind, context))
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
    ask: Callable[[Mapping[Read, list[Any]]], Iterable[T]], kind: Kind, reads: Iterable[Read], reader: Reader
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


def _answered(kind: Kind, context: ReadContext, reads: list[Read], reader: Reader, problem: Cause | None) -> Answered:
    if problem:
        return Answered(kind, context, {}, (), problem)
    if problems := [reader.problems[one] for one in reads if one in reader.problems]:
        cause = Cause(Reason.UNREADABLE, "; ".join(map(str, problems)), problems[0].cause.code)
        log.warning("%s could not be read: %s", kind.name, cause)
        return Answered(kind, context, {}, (), cause)
    answers = {one: reader.answers[one] for one in reads}
    live = _sifted(partial(kind.observe.live, context), kind, reads, reader)
    items, unclear = _once(kind, live.found)
    return Answered(kind, context, answers, items, live.problem, (*live.aliens, *unclear))


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
