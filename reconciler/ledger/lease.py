"""The lease and the memory of each document: one DynamoDB item.

`keep.py` takes a document's lease, confirms it before every write to AWS, and releases it with the new record; the
Lambda entry points list the documents. Every change is one conditional UpdateItem, so that a delayed run can neither
continue nor overwrite what another run has stored since. The format of the item is in `item.py`.

Needs dynamodb:UpdateItem and dynamodb:Scan on the table, whose key is `document` (S). The table must have no TTL: an
item is the memory, not only the lease, and DynamoDB deletes expired items days late anyway (DynamoDB developer guide,
"Time to Live"). So expiry is checked here, by our own clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from desired_state.fields import Address
from desired_state.sanitize import sanitize
from reconciler.ledger.accounts import PREFIX, Accounts
from reconciler.ledger.item import ATTRIBUTES, MalformedItem, bounded, fence, holder, salvaged, seconds, written
from reconciler.ledger.record import NONE_ANNOUNCED, Accepted, DocumentRecord, Rollout, Untold
from reconciler.ledger.table import LedgerError, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TERM = timedelta(seconds=120)
GRACE = timedelta(seconds=10)
"""How long after its end the lease of another run is respected: the two clocks may differ by as much."""
MALFORMED = "MalformedItem"
"""The code of the error that one document's item cannot be read; every other one is about the table."""
LONGEST = timedelta(seconds=900)
"""The longest that an invocation of a function lasts (Lambda developer guide, "Lambda quotas"): nobody has a lease that
is to end later than that, whatever its item says.
"""

_FREE = (
    "attribute_not_exists(#owner) OR attribute_not_exists(#expires) OR NOT attribute_type(#expires, :number) "
    "OR #expires < :free OR #expires > :absurd OR #owner = :me"
)
_NEXT = "the next run continues"
_NOT_DELETED = "NOT begins_with(#document, :accounts) AND (attribute_not_exists(#deleted) OR #deleted <> :true)"
_NOT_AT_A_GLANCE = frozenset({"announced", "associations", "covers", "holds", "ids", "untold", "uploads", "vpc_id"})
_ACCOUNT_DIGITS = 12
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeaseHeld:
    """Another run has the lease: `owner` is its name, `until` (UTC) when it ends unless it is renewed."""

    owner: str
    until: datetime


@dataclass(frozen=True)
class LastLook:
    """What the sweep reads of one item. `at` is when the last run that read the whole network began, None if there was
    none or the item does not say so in a form that can be read; `account` is empty if it is not known.
    """

    at: datetime | None = None
    account: str = ""

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> LastLook:
        """Of an item that somebody else may have changed: one bad item must not hide the others."""
        at, account = item.get("looked_at"), item.get("account")
        try:
            read = datetime.fromisoformat(at) if isinstance(at, str) else None
        except ValueError:
            read = None
        known = isinstance(account, str) and len(account) == _ACCOUNT_DIGITS and account.isdecimal()
        return cls(read if read and read.tzinfo else None, str(account) if known else "")


class Ledger:
    """The table `table`. `now` is the clock for leases, `term` how long one lasts unless it is renewed."""

    def __init__(
        self, client: DynamoDBClient, table: str, *, now: Callable[[], datetime], term: timedelta = TERM
    ) -> None:
        self._table, self._now, self._term = Table(client, table), now, term
        self.accounts = Accounts(self._table)

    def take(self, document: str, owner: str) -> Lease | LeaseHeld:
        """The lease of `document` with its record, or who has it. One call. Raises LedgerError.

        An item that somebody has changed so that it cannot be read gives a lease with a `damage`, and a record of what
        is left.

        `owner` must be different for every attempt: the owner of a lease can take it again, because a call that is sent
        again after a lost answer finds its own lease.
        """
        what, now = f"the lease of {sanitize(document)} could not be taken", self._now()
        values: dict[str, Any] = {
            ":me": owner,
            ":until": seconds(now + self._term),
            ":free": seconds(now - GRACE),
            ":absurd": seconds(now + LONGEST),
            ":number": "N",
        }
        update = "SET #owner = :me, #expires = :until"
        try:
            answer = self._table.update(
                what, document, f"{update} ADD #fence :one", _FREE, values | {":one": 1}, returns="ALL_NEW"
            )
        except LedgerError as error:
            if error.code != "ValidationException":
                raise
            # A fence that is no number cannot be counted up: the time in milliseconds is above every count.
            anew = values | {":fence": int(now.timestamp() * 1000)}
            spoiled = f"attribute_exists(#fence) AND NOT attribute_type(#fence, :number) AND ({_FREE})"
            answer = self._table.update(what, document, f"{update}, #fence = :fence", spoiled, anew, returns="ALL_NEW")
            if not answer.done and isinstance(answer.item.get("fence", Decimal()), Decimal):
                raise  # it was about something else
        if not answer.done:
            return self._taken(what, answer.item, now)
        try:
            number = fence(answer.item)
        except MalformedItem as error:  # something between us and DynamoDB dropped it from the answer
            raise self._malformed(what, error) from error
        record, problems = salvaged(answer.item)
        damage = Damage(self._table.name, problems) if problems else None
        return Lease(document, owner, number, record, _Terms(self._table, self._now, self._term), damage)

    def documents(self, account: str, region: str) -> tuple[str, ...]:
        """The documents whose last run was in that account and region, without deleted ones, sorted."""
        found = self._table.items(
            "the documents of an account could not be listed",
            f"#account = :account AND #region = :region AND ({_NOT_DELETED})",
            {":account": account, ":region": region, ":true": True, ":accounts": PREFIX},
            (),
        )
        return tuple(sorted(str(one["document"]) for one in found))

    def looks(self) -> dict[str, LastLook]:
        """All documents that are remembered, without deleted ones, and when each was looked at last."""
        what, values = "the documents could not be listed", {":true": True, ":accounts": PREFIX}
        found = self._table.items(what, _NOT_DELETED, values, ("account", "looked_at"))
        return {str(one["document"]): LastLook.of(one) for one in found}

    def at_a_glance(self) -> list[Mapping[str, Any]]:
        """All items, deleted documents too, without what says nothing of how a document stands: most of an item are
        ids and alerts that are still to be told. `item.read` reads them, each for itself.
        """
        attributes = [name for name in ATTRIBUTES if name not in _NOT_AT_A_GLANCE]
        where, values = "NOT begins_with(#document, :accounts)", {":accounts": PREFIX}
        return list(self._table.items("the documents could not be read", where, values, attributes))

    def _taken(self, what: str, item: Mapping[str, Any], now: datetime) -> LeaseHeld:
        if not item:  # something between us and DynamoDB dropped it from the answer
            return LeaseHeld("an unknown run", now + self._term)
        try:
            return LeaseHeld(*holder(item, now))
        except MalformedItem as error:  # it ends all the same, or was to be taken over
            _log.warning("%s: %s", what, self._malformed(what, error))
            return LeaseHeld("an unknown run", now + self._term)

    def _malformed(self, what: str, error: MalformedItem) -> LedgerError:
        problem = f"its item cannot be read, at {error.attribute}: {error.problem}"
        return LedgerError(f"{what}, {problem}", self._table.name, error.hint, MALFORMED)


class Damage(NamedTuple):
    """What of an item cannot be read, because somebody else has changed it. It is never written over."""

    table: str
    problems: tuple[MalformedItem, ...]

    @property
    def attributes(self) -> frozenset[str]:
        return frozenset(one.name for one in self.problems)

    def __str__(self) -> str:
        found = "; ".join(f"at {one.attribute}: {one.problem} ({one.hint})" for one in self.problems)
        return f"its item cannot be read, {found} (table {self.table})"


class Lease:
    """The lease of `document`, and its `record` from when the lease was taken, with the version accepted since.

    `fence` is higher than that of every lease before. With a `damage`, the record lacks what cannot be read. Not
    thread-safe.
    """

    def __init__(
        self,
        document: str,
        owner: str,
        fence: Decimal,
        record: DocumentRecord,
        terms: _Terms,
        damage: Damage | None = None,
    ) -> None:
        self.document, self.owner, self.fence, self.record, self.damage = document, owner, fence, record, damage
        self._table, self._now, self._term = terms
        self._stop: LedgerError | None = None
        self._over = False
        self._next: DocumentRecord | None = None
        self._unsure: set[str] = set()

    @property
    def lost(self) -> bool:
        """Whether it is known to be no longer ours; nobody is asked."""
        return self._stop is not None

    def note(self, untold: Iterable[Untold]) -> None:
        """What people must be told of, should this run end early: the next `confirm` stores it, before its call."""
        noted = bounded(replace(self.record, untold=tuple(untold)))
        self._next = replace(self.record, untold=noted.untold) if noted.untold else None

    def confirm(self) -> str:
        """Renew the lease: empty, or why no further call to AWS may be made, and then always the same.

        One UpdateItem. It fails closed: if the table does not answer, no call may be made either.
        """
        if self._stop is None:
            until, noted = self._now() + self._term, self._next
            update, values = "SET #expires = :until", {":until": seconds(until)}
            if noted:
                update, values = f"{update}, #untold = :untold", values | {":untold": written(noted)["untold"]}
                self._unsure.add("untold")  # until there is an answer, nobody knows whether it is stored
            try:
                self._update("could not be confirmed", update, values, sendings=1)
            except LedgerError as error:
                self._stop = error
            else:
                self._unsure.discard("untold")
                if noted:
                    self.record, self._next = replace(self.record, untold=noted.untold), None
                if self._now() >= until:
                    self._stop = self._ended("ran out while it was being confirmed")
        return str(self._stop or "")

    def regain(self) -> bool:
        """Whether no other run has taken the lease, even if it has run out; if so, it is renewed. One UpdateItem.

        For what is no call to AWS: that stays forbidden once a `confirm` has said so. If the table does not answer,
        no other run is known to have the lease.
        """
        what = f"whether the lease of {sanitize(self.document)} is still ours is not known"
        values = {":until": seconds(self._now() + self._term), ":fence": self.fence, ":me": self.owner}
        try:
            answer = self._table.update(
                what, self.document, "SET #expires = :until", "#fence = :fence AND #owner = :me", values
            )
        except LedgerError as error:
            _log.warning("%s", error)
            return True
        return answer.done

    def accept(self, accepted: Accepted) -> None:
        """Remember at once that `accepted` is the version to enforce, and that it is neither announced nor rolled out
        yet. Raises LedgerError, also for a lost lease.
        """
        record = self.accepting(accepted)
        names = ("accepted", "announced", *(("rollout",) if record.rollout else ()))
        self._remember("an accepted version", names, record)

    def accepting(self, accepted: Accepted) -> DocumentRecord:
        """The record with another version to enforce; nothing is stored."""
        before = self.record.accepted or NONE_ANNOUNCED
        record = replace(self.record, accepted=accepted, announced=self.record.announced or before)
        if accepted.same_content(before):
            return record
        since = self.record.rollout.since if self.record.rollout else ()
        return replace(record, rollout=Rollout((*since, before)))

    def forget(self, addresses: Collection[Address]) -> None:
        """Forget at once at which ids these resources were found. Raises LedgerError, also for a lost lease."""
        ids = {address: one for address, one in self.record.ids.items() if address not in addresses}
        self._remember("which resources are created anew", ("ids",), replace(self.record, ids=ids))

    def _remember(self, what: str, names: tuple[str, ...], record: DocumentRecord) -> None:
        if self._stop is not None:
            raise self._stop
        attributes = written(bounded(record))
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in names)
        self._unsure.update(names)
        self._update(f"could not be used to remember {what}", update, {f":{name}": attributes[name] for name in names})
        self._unsure.difference_update(names)
        self.record = record

    def release(self, record: DocumentRecord) -> str:
        """Store what has changed in `record` and release the lease, in one call: empty, or why nothing was written.

        The record is stored even if the lease has run out, as long as no other run has taken it since: the fence shows
        that.
        """
        if self._over:
            return str(self._stop)
        stored = bounded(record)
        _log_forgotten(self.document, record, stored)
        after, before = written(stored), written(self.record)
        changed = {name for name in ATTRIBUTES if after.get(name) != before.get(name)} | self._unsure
        changed -= self.damage.attributes if self.damage else set()
        values = {name: value for name, value in after.items() if name in changed}
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in values) if values else ""
        update += " REMOVE " + ", ".join(f"#{name}" for name in ("owner", "expires", *sorted(changed - values.keys())))
        try:
            self._update(
                "could not be given up, and nothing was remembered",
                update,
                {f":{name}": value for name, value in values.items()},
                # Sent again after a lost answer, the call finds its own result: our fence, and no owner.
                condition="#fence = :fence AND (attribute_not_exists(#owner) OR #owner = :me)",
            )
        except LedgerError as error:
            self._over = error is self._stop
            return str(error)
        self._stop, self._over = self._ended("was given up"), True
        return ""

    def _update(
        self,
        what: str,
        update: str,
        values: Mapping[str, Any],
        *,
        sendings: int = 2,
        condition: str = "#fence = :fence AND #owner = :me AND #expires > :now",
    ) -> None:
        what, now = f"the lease of {sanitize(self.document)} {what}", self._now()
        own = {":fence": self.fence, ":me": self.owner} | ({":now": seconds(now)} if ":now" in condition else {})
        answer = self._table.update(what, self.document, update, condition, {**values, **own}, sendings=sendings)
        if not answer.done:
            self._stop = self._ended(f"was lost: {self._why_lost(answer.item)}")
            raise self._stop

    def _ended(self, how: str) -> LedgerError:
        return LedgerError(f"the lease of {sanitize(self.document)} {how}", self._table.name, _NEXT)

    def _why_lost(self, item: Mapping[str, Any]) -> str:
        owner = item.get("owner")
        if owner is None:
            return "it is no longer ours"
        if owner != self.owner:
            return f"{sanitize(str(owner))} has taken it"
        return "it has run out" if item.get("fence") == self.fence else "it was taken again under the same name"


class _Terms(NamedTuple):
    """What a lease shares with its ledger."""

    table: Table
    now: Callable[[], datetime]
    term: timedelta


def _log_forgotten(document: str, record: DocumentRecord, stored: DocumentRecord) -> None:
    for name in ("flapping", "accepted_changes", "notified", "holds", "ids", "untold"):
        before, after = len(getattr(record, name)), len(getattr(stored, name))
        if after < before:
            _log.warning(
                "%s: %d of %d %s are too many to be remembered", sanitize(document), before - after, before, name
            )
