"""From what was recorded to episodes: what differed from when to when, who did it, and what was done. Pure.

An episode is a difference from the receipt in which it appears to the one in which it is gone. What a new version of
the document changes is one episode, the rollout. So are the times in which nothing could be read, or nothing was
enforced: they say why nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from reconciler.history import words
from reconciler.history.receipts import Summary
from reconciler.history.recorded import Drift, Recorded
from reconciler.history.spans import Span
from reconciler.model.exposure import Severity
from reconciler.model.network_state import NetworkState
from reconciler.model.times import iso_time
from reconciler.redact import safe_text
from reconciler.report.page.words import counted

_CORRECTED, _WAITING = "corrected", "waiting"
_NO_CALL = -1
"""The place in the list of differences of what no call resolves by itself."""
_NOT_LOOKED = frozenset({NetworkState.REFUSED, NetworkState.DELETED})


class Entry(NamedTuple):
    """One object of the listing: its key, what that says, and what is in it (None: it was not opened)."""

    key: str
    summary: Summary
    content: Recorded | None

    @property
    def ended(self) -> datetime:
        """When its run ended."""
        return self.content.ended(self.summary.at) if self.content else self.summary.at

    @property
    def is_sheet(self) -> bool:
        return self.summary.state is NetworkState.DAY


class What(StrEnum):
    """What an episode is about."""

    DIFFERENCE = "difference"
    REVISION = "revision"
    """A new version of the document was put in force."""
    UNSEEN = "unseen"
    """The network could not be read."""
    UNWATCHED = "unwatched"
    """No run looked."""
    REFUSED = "refused"
    DELETED = "deleted"


@dataclass(frozen=True)
class Episode:
    """`start` is when CloudTrail says that it was made, or else when it was first seen (`seen`); `end` is None while it
    lasts. `text` says what differed of `address`, which is empty for what is about the whole document. `opens`: it let
    something in; `opened` is then from when on that may have been so (None: not known). `receipt` is the last run whose
    receipt tells of it.
    """

    what: What
    start: datetime
    end: datetime | None
    seen: datetime
    severity: Severity | None
    revision: int | None
    before: int | None
    address: str
    text: str
    who: str
    outcome: str
    receipt: str
    opens: bool = False
    opened: datetime | None = None

    def lasted(self, until: datetime) -> Span:
        """From its start to its end; while it lasts, to `until`."""
        return Span(self.start, max(self.start, self.end or until))

    def stood_open(self, until: datetime) -> Span | None:
        """The longest time in which it can have let something in; None if it let nothing in."""
        if not self.opens:
            return None
        start = min(self.opened or self.start, self.start)
        return Span(start, max(start, self.end or until))

    def as_json(self, until: datetime) -> dict[str, Any]:
        """As values for `json.dumps`. `open_s` are seconds at most; null: it let nothing in, or that is not known."""
        stood = self.stood_open(until)
        return {
            "what": self.what.value,
            "from": iso_time(self.start),
            "to": iso_time(self.end) if self.end else None,
            "seconds": int(self.lasted(until).seconds),
            "severity": self.severity.value if self.severity else None,
            "revision": self.revision,
            "revision_before": self.before,
            "address": self.address or None,
            "text": self.text,
            "who": self.who or None,
            "outcome": self.outcome,
            "receipt": self.receipt,
            "opens": self.opens,
            "open_s": int(stood.seconds) if stood and self.opened else None,
        }


@dataclass
class _Standing:
    """An episode that has not ended yet."""

    what: What
    start: datetime
    seen: datetime
    revision: int | None
    text: str
    address: str = ""
    before: int | None = None
    severity: Severity | None = None
    who: str = ""
    outcome: str = ""
    receipt: str = ""
    opens: bool = False
    opened: datetime | None = None
    made: set[tuple[str, int]] = field(default_factory=set)
    """The calls that were made for it: the key of their receipt, and their place in it."""
    waited: bool = False
    members: dict[str, str] = field(default_factory=dict)
    """What is left of a rollout: the address of each difference, by its identity."""
    all_known: bool = True

    @property
    def calls(self) -> str:
        return counted(len(self.made), "call")

    def graver(self, severity: Severity | None) -> None:
        ranked = [one for one in (self.severity, severity) if one]
        self.severity = min(ranked, key=lambda one: one.rank, default=None)

    def may_be_open(self, since: datetime | None) -> None:
        """It lets something in, at the earliest since then; None: that is not known."""
        self.all_known = since is not None and (self.all_known or not self.opens)
        self.opens = True
        self.opened = min(since, self.opened or since) if since and self.all_known else None

    def over(self, end: datetime | None) -> Episode:
        return Episode(
            what=self.what,
            start=self.start,
            end=max(end, self.start) if end else None,
            seen=self.seen,
            severity=self.severity,
            revision=self.revision,
            before=self.before,
            address=self.address,
            text=self.text,
            who=self.who,
            outcome=self.outcome,
            receipt=self.receipt,
            opens=self.opens,
            opened=self.opened,
        )


def episodes(entries: Iterable[Entry]) -> list[Episode]:
    """The episodes of receipts in the order of time, day sheets left out, the earliest first."""
    finder = _Finder()
    for one in entries:
        if not one.is_sheet:
            finder.read(one)
    found = [*finder.ended, *(one.over(None) for one in finder.standing())]
    return sorted(found, key=lambda one: (one.start, one.address, one.text))


class _Finder:
    """Reads receipt after receipt, and knows what stands."""

    def __init__(self) -> None:
        self.ended: list[Episode] = []
        self._differences: dict[str, _Standing] = {}
        self._rollouts: list[_Standing] = []
        self._blind: _Standing | None = None
        self._before: Entry | None = None

    def standing(self) -> Iterator[_Standing]:
        yield from self._differences.values()
        yield from self._rollouts
        if self._blind:
            yield self._blind

    def read(self, entry: Entry) -> None:
        """The next receipt."""
        state = entry.summary.state
        nothing_seen = state in _NOT_LOOKED or (state is NetworkState.UNSEEN and not _looked(entry.content))
        self._blindness(entry, blind=nothing_seen)
        if state is NetworkState.DELETED:
            for one in [*self._differences.values(), *self._rollouts]:
                one.outcome = "not enforced any more: the document is deleted"
                self.ended.append(one.over(entry.summary.at))
            self._differences.clear()
            self._rollouts.clear()
        elif not nothing_seen and (entry.content or entry.summary.says_all):
            self._looked(entry)
        if not nothing_seen:
            self._before = entry

    def _blindness(self, entry: Entry, *, blind: bool) -> None:
        """Begins, goes on with or ends a time in which nothing was seen."""
        what = _BLIND.get(entry.summary.state, What.UNSEEN) if blind else None
        if self._blind and self._blind.what is not what:
            self.ended.append(self._blind.over(entry.summary.at))
            self._blind = None
        if what and not self._blind:
            why = safe_text(entry.content.run.problem) if entry.content else ""
            self._blind = _Standing(
                what,
                entry.summary.at,
                entry.summary.at,
                entry.summary.revision or None,
                _BLIND_TEXT[what] + (f": {why}" if why else ""),
                outcome="nothing is known of this time" if what is What.UNSEEN else "nothing was enforced",
                receipt=entry.summary.run,
            )

    def _looked(self, entry: Entry) -> None:
        content = entry.content
        if content is None:  # in sync, by its key
            self._gone(entry, set())
        else:
            self._gone(entry, {one.identity for one in (*content.drifted, *content.broken)})
            rollout = self._rollout(entry, content)
            for index, one in enumerate(content.drifted):
                self._seen(entry, content, index, one, rollout)
            for one in content.broken:  # an episode of its own only where no difference says why
                if one.identity in self._differences or not content.explained:
                    self._seen(entry, content, _NO_CALL, one, None)
            if rollout:
                self._rollouts.append(rollout)
        self._settle(entry)

    def _gone(self, entry: Entry, listed: set[str]) -> None:
        """Ends what the run looked for and did not find."""
        for identity, one in list(self._differences.items()):
            if identity in listed or (entry.content and not entry.content.saw(one.address)):
                continue
            one.outcome = self._why_gone(entry, one)
            self.ended.append(self._differences.pop(identity).over(entry.summary.at))
        for one in self._rollouts:
            one.members = {
                each: address
                for each, address in one.members.items()
                if each in listed or (entry.content and not entry.content.saw(address))
            }

    def _why_gone(self, entry: Entry, one: _Standing) -> str:
        if one.made and one.waited:
            return f"corrected, {one.calls}"
        excepted = entry.content.exceptions if entry.content else ()
        if any(each.active and each.address == one.address for each in excepted):
            return "gone: an exception of the document covers it, or somebody undid it"
        if self._before and entry.summary.revision > self._before.summary.revision > 0:
            return f"gone with revision {entry.summary.revision}"
        return "gone without a call of Setpoint: somebody undid it"

    def _rollout(self, entry: Entry, content: Recorded) -> _Standing | None:
        """The episode of a new version of the document, if this is its first receipt."""
        summary = entry.summary
        if not summary.revision:
            return None
        if self._before is None and not content.rollout and (content.previous or not content.drifted):
            return None
        before = self._before.summary.revision if self._before else (content.rollout and content.rollout.before) or 0
        if before == summary.revision or (before == 0 and self._before):
            return None
        document = content.document
        text = "put in force"
        if document.rollback:
            reason = f": {words.quoted(document.rollback.reason)}" if document.rollback.reason else ""
            text = f"put in force (rollback to r{document.rollback.to}{reason})"
        uploaded = document.uploaded
        start = summary.at
        if uploaded and uploaded.at and uploaded.at <= summary.at and self._new_since(uploaded.at):
            start = uploaded.at
        return _Standing(
            What.REVISION,
            start,
            summary.at,
            summary.revision,
            text,
            before=before or None,
            who=f"upload by {words.who(uploaded.who)}" if uploaded and uploaded.who else "",
            receipt=summary.run,
        )

    def _new_since(self, moment: datetime) -> bool:
        """Whether a time is later than the last receipt, so that what it says was not seen there."""
        return self._before is None or moment > self._before.summary.at

    def _seen(self, entry: Entry, content: Recorded, index: int, drift: Drift, rollout: _Standing | None) -> None:
        one = self._of(entry, content, drift, rollout)
        one.graver(drift.severity)
        one.made |= {(entry.key, call) for call in content.calls(index)}
        one.receipt = entry.summary.run
        if drift.opens or (drift.exposes is None and drift.consequence is None and drift.address in content.exposed):
            one.may_be_open(self._open_since(entry, content, drift, one))
        if drift.identity not in self._differences:
            return
        one.waited = one.waited or drift.outcome == _WAITING
        if drift.outcome == _CORRECTED:
            one.outcome = f"corrected, {one.calls}" if one.made else "corrected"
            self.ended.append(self._differences.pop(drift.identity).over(entry.ended))
        else:
            message = safe_text(drift.message)
            one.outcome = f"{safe_text(drift.outcome) or 'not corrected'}{f': {message}' if message else ''}"

    def _of(self, entry: Entry, content: Recorded, drift: Drift, rollout: _Standing | None) -> _Standing:
        """The episode that a difference belongs to."""
        if known := self._differences.get(drift.identity):
            return known
        for one in self._rollouts:
            if drift.identity in one.members:
                if drift.outcome == _CORRECTED:
                    del one.members[drift.identity]
                return one
        actor = content.actors.get(drift.address)
        if rollout and actor is None:
            if drift.outcome != _CORRECTED:
                rollout.members[drift.identity] = drift.address
            return rollout
        start = entry.summary.at
        if actor and actor.at and actor.at < start and self._new_since(actor.at):
            start = actor.at
        elif self._before is None and content.previous and drift.since:  # its first receipt is not among these
            start = min(start, drift.since)
        begun = _Standing(
            What.DIFFERENCE,
            start,
            entry.summary.at,
            entry.summary.revision or None,
            words.difference(drift),
            address=safe_text(drift.address),
            who=words.who(actor.who) if actor else "",
        )
        self._differences[drift.identity] = begun
        return begun

    def _open_since(self, entry: Entry, content: Recorded, drift: Drift, one: _Standing) -> datetime | None:
        """From when on it may have let something in, at the earliest."""
        if drift.address in content.exposed:
            return entry.ended - timedelta(seconds=content.exposed[drift.address])
        if drift.address in content.exposed_unknown:
            return None
        if drift.since or drift.address in content.since:
            return drift.since or content.since[drift.address]
        return one.opened if one.opens else one.start

    def _settle(self, entry: Entry) -> None:
        """Ends the rollouts of which nothing is left."""
        for one in list(self._rollouts):
            left = len(one.members)
            made = one.calls if one.made else "nothing to do"
            one.outcome = f"{made}, {counted(left, 'difference')} left" if left else made
            if not left:
                self._rollouts.remove(one)
                self.ended.append(one.over(entry.ended))


_BLIND = {NetworkState.REFUSED: What.REFUSED, NetworkState.DELETED: What.DELETED, NetworkState.UNSEEN: What.UNSEEN}
_BLIND_TEXT = {
    What.UNSEEN: "the network could not be read",
    What.REFUSED: "no version of the document may be enforced",
    What.DELETED: "the document is deleted",
}


def _looked(content: Recorded | None) -> bool:
    """Whether part of the network was seen all the same."""
    return content is not None and content.run.ending == "completed"
