"""The intents of a document, judged against what a run saw. Imported only for a document with intents. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from desired_state.document import Document, DocumentException
from desired_state.fields import Address
from desired_state.intents import Intent
from desired_state.quotas import DEFAULT, Quotas
from reconciler.engine.corrected import Corrections
from reconciler.engine.intent_faults import Forbidding, Verdicts
from reconciler.kinds import declared_effects, live_network
from reconciler.model import Action, Cause, Difference, Finding, Outcome, Reason, Snapshot
from reconciler.model.kind import declared_ids
from reconciler.packets.traffic import traffic_at
from reconciler.reach.judge.context import JudgeContext
from reconciler.reach.judge.intents import Status, Verdict
from reconciler.reach.judge.live import live, live_machines
from reconciler.reach.judge.mending import Mending, together
from reconciler.reach.judge.offline import offline
from reconciler.reach.network import Network

KIND = "intent"
"""Of the addresses of intents: `intent/<name>`."""
INTERFACES = Address("network_interface/*")
"""The address of the tenth read, where it failed."""


@dataclass(frozen=True)
class JudgedIntents:
    """What is known of the intents of a document, in its order.

    `verdicts` are of what the last look of a run saw, `before` of what the first one did (the same, if there was only
    one). `coming` are of the network as the plan would leave it, if this run only plans, or else those of the last
    look. `tolerated` says, by their names, until when those are tolerated that only exceptions break, and `faults` why
    those could not be judged for which Setpoint failed.
    """

    document: Document
    before: tuple[Verdict, ...]
    verdicts: tuple[Verdict, ...]
    coming: tuple[Verdict, ...]
    context: JudgeContext = field(repr=False)
    tolerated: Mapping[str, datetime] = field(default_factory=dict)
    faults: Mapping[str, Cause] = field(default_factory=dict)

    @cached_property
    def declared(self) -> Network:
        """The network of the document, which says what is declared."""
        return offline(self.document, declared_effects).topology.network

    @property
    def mended(self) -> tuple[Verdict, ...]:
        """What does not work now, and will when the plan is carried out. What is exposed is explained all the same."""
        both = zip(self.verdicts, self.coming, strict=True)
        kept = (now for now, then in both if now.status is not Status.KEPT is then.status)
        return tuple(one for one in kept if not any(case.exposed for case in one.cases))

    @property
    def mending(self) -> Mending | None:
        """What mends all that is broken and stays so."""
        mended = self.mended
        left = (one for one in self.verdicts if one not in mended and one.intent.name not in self.faults)
        return together(tuple(left), self.context)

    def count(self, status: Status) -> int:
        return sum(one.status is status for one in self.verdicts)

    @property
    def corrected(self) -> tuple[Verdict, ...]:
        """What was broken at the first look, and is kept now."""
        kept = {one.intent.name for one in self.verdicts if one.status is Status.KEPT}
        return tuple(one for one in self.before if one.status is Status.BROKEN and one.intent.name in kept)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What stays broken: a finding that blocks, or only a remark if the intent says `report`. Then what could not
        be judged, and what could not be read.
        """
        broken = tuple(
            _finding(one, self.tolerated.get(one.intent.name)) for one in self.coming if one.status is Status.BROKEN
        )
        failed = tuple(Finding(_named(name), Outcome.FAILED, cause) for name, cause in self.faults.items())
        if not self.context.strangers:
            return *broken, *failed
        return *broken, *failed, Finding(INTERFACES, Outcome.BLOCKED, Cause(Reason.UNREADABLE, self.context.strangers))


def address_of(verdict: Verdict) -> Address:
    """The address of an intent in findings, alerts and logs. Its name is somebody's text."""
    return _named(verdict.intent.name)


def _named(intent: str) -> Address:
    return Address.of(KIND, intent)


def judge_run(
    document: Document,
    first: Snapshot,
    last: Snapshot | None,
    planned: Iterable[Action] = (),
    excepted: Sequence[tuple[Difference, DocumentException]] = (),
    quotas: Quotas = DEFAULT,
) -> JudgedIntents:
    """The judgement of a run: of its first look, of its last one (None: there was no other), and of the network as the
    actions that are `planned`, and not done, would leave it. `excepted` are the differences that an exception covers;
    `quotas` are the account's.
    """
    look, seen = live_network(first), first
    context, found = _contexts(document, first, look, quotas), Verdicts()
    verdicts = before = found.of(document.intents, context(look))
    if last is not None:
        look, seen = live_network(last), last
        context = _contexts(document, last, look, quotas)
        verdicts = found.of(document.intents, context(look))
    effects = [effect for action in planned for effect in action.effect]
    coming = found.of(document.intents, context(look.after(effects))) if effects else verdicts
    tolerated = _tolerated(coming, seen, look, excepted, lambda some, state: found.of(some, context(state)))
    return JudgedIntents(document, before, verdicts, coming, context(look), tolerated, found.faults)


def _tolerated(
    coming: Iterable[Verdict],
    snapshot: Snapshot,
    look: Network,
    excepted: Sequence[tuple[Difference, DocumentException]],
    judge: Callable[[Iterable[Intent], Network], Iterable[Verdict]],
) -> Mapping[str, datetime]:
    """Until when each intent is tolerated that only the values of exceptions break."""
    broken = [one.intent for one in coming if one.status is Status.BROKEN]
    if not broken or not excepted:
        return {}
    corrections = Corrections(snapshot, look, (one for one, _ in excepted))
    without = judge(broken, look.after(corrections.effects(corrections.all)))
    until = min(exception.until for _, exception in excepted)
    return {one.intent.name: until for one in without if one.status is Status.KEPT}


def _contexts(
    document: Document, snapshot: Snapshot, look: Network, quotas: Quotas = DEFAULT
) -> Callable[[Network], JudgeContext]:
    """What judging the network of a look needs, and any other state of it: who stands where stays as it was seen."""
    names = dict(declared_ids(snapshot.handles, document))
    there = live_machines(document, look, snapshot.interfaces or (), names)
    return lambda network: live(document, network, there, quotas)


def seen_context(document: Document, snapshot: Snapshot) -> JudgeContext:
    """What judging the network of a look needs."""
    look = live_network(snapshot)
    return _contexts(document, snapshot, look)(look)


def forbidden(document: Document, snapshot: Snapshot) -> Callable[[Network], Forbidding]:
    """What the intents of the document forbid the calls of a plan, given the network of a look."""
    return lambda look: Forbidding(document.intents, lambda: _contexts(document, snapshot, look), look)


def _finding(one: Verdict, tolerated: datetime | None) -> Finding:
    holds = one.intent.enforcement == "hold" and tolerated is None
    return Finding(
        address_of(one), Outcome.BLOCKED if holds else Outcome.IN_SYNC, Cause(Reason.INTENT_BROKEN, said(one))
    )


def said(verdict: Verdict) -> str:
    """What breaks an intent, as one sentence."""
    if not verdict.cases:
        missing = f"{' and '.join(verdict.nobody)} {'is' if len(verdict.nobody) == 1 else 'are'} not there"
        return missing if verdict.nobody else "; ".join(verdict.unknown)
    case = verdict.cases[0]
    more = f", and {verdict.count - 1} more" if verdict.count > 1 else ""
    if case.exposed:
        packet = (
            f"{traffic_at(case.path.packet.place)} from {case.path.packet.source_address}" if case.path else "something"
        )
        return f"{packet} ({case.source.label}) reaches {case.target.label}{more}"
    if case.partly:
        return f"{case.flow} from {case.source.label} to {case.target.label} works for some clients only{more}"
    return f"{case.flow} from {case.source.label} to {case.target.label} does not work{more}"
