"""Tells people of an attempt, and says what to remember of that. `keep.py` calls `tell` under the lease, at the end.

Whatever goes wrong here must neither lose what the run did, nor what it has to tell of: that is left to the next run.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from desired_state.sanitize import sanitize
from reconciler.attempt import announcement, untold
from reconciler.ledger.accounts import Accounts
from reconciler.ledger.lease import MALFORMED
from reconciler.ledger.record import DocumentRecord, Untold
from reconciler.notify.alert import Alert, Topic, of_account
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.deduplication import Notifications, deduplicate
from reconciler.notify.publisher import Publisher, Sent
from reconciler.report.attempt import AttemptResult, Ending

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Voice:
    """With what people are told: the topic and the bus, how often an open alert is repeated, the clock, and who speaks
    for an account that cannot be reached (None: every document). `ours` says whether no other run has taken the lease.
    """

    publisher: Publisher
    repeat: timedelta
    now: Callable[[], datetime]
    accounts: Accounts | None = None
    ours: Callable[[], bool] = lambda: True

    def alerts(self, result: AttemptResult) -> tuple[Alert, ...]:
        """The alerts of an attempt, without what another document of its account tells people."""
        found = tuple(find_alerts(result))
        if not result.unreachable or not self.accounts:
            return found
        if self.accounts.speaks(result.unreachable, result.document, self.now()):
            return found
        return tuple(one for one in found if one.topic is not Topic.UNSEEN)

    def account_is_back(self, result: AttemptResult, record: DocumentRecord) -> None:
        """The account of a document that had told people that it cannot be reached."""
        if self.accounts and result.report:
            account = result.report.document.scope.account_id
            before = record.notified.get(of_account(account))
            if before and before.open:
                self.accounts.back(account, result.document)


ASK_AGAIN = timedelta(seconds=60)
"""For how long an answer holds that no other run has the lease: it was renewed then, for twice as long."""


class _StillOurs:
    """Whether no other run has taken the lease, asked before each message: once, unless sending takes long. So of two
    runs that both live only a message that is on its way meanwhile may come twice.
    """

    def __init__(self, ours: Callable[[], bool], now: Callable[[], datetime]) -> None:
        self._ours, self._now = ours, now
        self._until: datetime | None = None

    def __call__(self) -> bool:
        if self._until is None or self._now() >= self._until:
            asked = self._now()
            if not self._ours():
                return False
            self._until = asked + ASK_AGAIN
        return True


def tell(
    result: AttemptResult, record: DocumentRecord, left: tuple[Untold, ...], voice: Voice
) -> tuple[AttemptResult, DocumentRecord]:
    """The result with how much was lost, and the record with what people know now. `left` is what earlier runs could
    not tell of.
    """
    now = voice.now()
    try:
        late, later = untold.recovered(left, result, now)
        result = replace(result, late=late)
        alerts = voice.alerts(result)
        voice.account_is_back(result, record)
        notifications = deduplicate(alerts, record.notified, now, voice.repeat, result)
        still_ours = _StillOurs(voice.ours, voice.now)
        if result.report and notifications.notifications and not still_ours():
            # That run tells of it: what this one was about to correct is stored, and the other looks itself.
            log.warning("%s: another run has the lease now, and tells what there is to tell", result.document)
            voice.publisher.send(replace(notifications, notifications=()), result)
            return result, record
        sent = voice.publisher.send(notifications, result, still_ours if result.report else lambda: True)
    except Exception as error:  # what the run did must be stored, even if no alert can be written about it
        log.exception("%s: no alert could be sent for this run", result.document)
        if result.bug:
            return replace(result, alerts_lost=1), record
        # One about the mistake itself needs nothing of what the run has found.
        return tell(broken_off(result, error), record, left, voice)
    try:
        record = _remembered(replace(record, untold=tuple(later)), result, alerts, notifications, sent, now)
    except Exception as error:
        log.exception("%s: what was told could not be remembered", result.document)
        if not result.bug:
            return tell(broken_off(result, error), replace(record, untold=tuple(later)), tuple(later), voice)
    return replace(result, alerts_lost=sent.messages + sent.event), record


def _remembered(
    record: DocumentRecord,
    result: AttemptResult,
    alerts: Iterable[Alert],
    notifications: Notifications,
    sent: Sent,
    now: datetime,
) -> DocumentRecord:
    kept = (*record.untold, *untold.unsent(alerts, sent.lost, result.late, now))
    record = replace(record, notified=notifications.remembered(sent.lost), untold=kept)
    if result.ending is Ending.DELETED and sent.lost:
        record = replace(record, deleted=False)  # or no further run would look for it, and tell of it
    if result.change and not result.held:
        record = announcement.announced(record, result.document, sent.lost)
    return announcement.pinned_anew(record)


def tell_without_ledger(result: AttemptResult, voice: Voice) -> AttemptResult:
    """The result once people were told of it, although nothing can be remembered: not more than once an hour from one
    process; of the table, for all documents together.
    """
    try:
        now = voice.now()
        of_one = result.code == MALFORMED
        if not voice.publisher.may_tell(f"{result.code} {result.document if of_one else ''}", now):
            return result
        others = "" if of_one else "every document of this deployment is meant; "
        blind = replace(result, problem=f"{result.problem}; {others}{_AGAIN}")
        sent = voice.publisher.send(deduplicate(find_alerts(blind), {}, now, voice.repeat, blind), blind)
    except Exception:
        log.exception("%s: no alert could be sent for this run", result.document)
        return replace(result, alerts_lost=1)
    return replace(result, alerts_lost=sent.messages + sent.event)


_AGAIN = "nothing can be remembered now, so this is told again every hour, and its end is not told"


def broken_off(blank: AttemptResult, error: Exception) -> AttemptResult:
    """The result of an attempt that a mistake in this program has ended, with the place of it."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f"{'/'.join(Path(frames[-1].filename).parts[-3:])}:{frames[-1].lineno}, {frames[-1].name}" if frames else ""
    code = type(error).__name__
    problem = sanitize(f"{code} in {at}: {error}")
    return AttemptResult(
        blank.document,
        blank.run_id,
        Ending.UNOBSERVABLE,
        blank.trigger,
        problem=problem,
        code=code,
        bug=at or code,
        alerts_lost=blank.alerts_lost,
        receipt=blank.receipt,
        receipts_lost=blank.receipts_lost,
    )
