"""The ledger's table as a deployment makes it, and what may lie in it."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from desired_state.fields import Address
from reconciler.ledger.record import (
    Accepted,
    AcceptedChange,
    DocumentRecord,
    FlappingRecord,
    LastReceipt,
    Notified,
    RecordedActor,
    Rollout,
    Untold,
    UntoldMember,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def create_table(client: DynamoDBClient, name: str) -> None:
    """An empty table `name`, ready for a Ledger: one text key, paid by the call, no TTL."""
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "document", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "document", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


def records() -> st.SearchStrategy[DocumentRecord]:
    """Records of any content, within the bounds of an item."""
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
    times = st.datetimes(timezones=st.just(UTC))
    flapping = st.builds(
        FlappingRecord,
        st.lists(times, max_size=4).map(lambda found: tuple(sorted(found))),
        st.integers(0, 10**6),
        st.none() | times,
    )
    accepted = st.builds(Accepted, st.integers(1, 2**53 - 1), text, text)
    members = st.lists(
        st.builds(UntoldMember, text, text, st.none() | text, st.none() | text, st.booleans()), max_size=2
    )
    who = st.none() | st.builds(RecordedActor, text, text, times, text, text, text)
    seconds = st.none() | st.integers(0, 10**6)
    untold = st.builds(Untold, text, text, text, text, text, times, members.map(tuple), text, text, text, seconds, who)
    left = st.none() | st.lists(text, max_size=3).map(tuple)
    return st.builds(
        DocumentRecord,
        account=text,
        region=text,
        vpc_id=text,
        accepted=st.none() | accepted,
        looked_at=st.none() | times,
        deleted=st.booleans(),
        flapping=st.dictionaries(name, flapping, max_size=4),
        accepted_changes=st.dictionaries(
            name,
            st.builds(
                AcceptedChange, text, text, text, times, st.integers(0, 99), st.integers(0, 99), st.none() | times, text
            ),
            max_size=2,
        ),
        notified=st.dictionaries(name, st.builds(Notified, text, text, times, times, st.booleans(), text), max_size=4),
        holds=st.dictionaries(name.map(Address), times, max_size=4),
        ids=st.dictionaries(name.map(Address), text, max_size=4),
        untold=st.lists(untold, max_size=2).map(tuple),
        rollout=st.none() | st.builds(Rollout, st.lists(accepted, max_size=2).map(tuple), left),
        state=st.sampled_from([None, "sync", "differs", "open", "unseen", "refused", "deleted"]),
        severity=st.sampled_from([None, "critical", "high", "medium", "low", "info"]),
        since=st.none() | times,
        in_sync_since=st.none() | times,
        openings=st.lists(text, max_size=3).map(tuple),
        exposed_since=st.none() | times,
        outcomes=st.dictionaries(st.sampled_from(["held", "waiting", "blocked", "failed"]), st.integers(0, 99)),
        day=st.none() | times,
        looks=st.integers(0, 10**6),
        unseen=st.integers(0, 10**6),
        longest_gap=st.integers(0, 10**6),
        gaps=st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=3).map(
            lambda found: tuple(sorted(found))
        ),
        receipt=st.none() | st.builds(LastReceipt, text, text, text, st.none() | text),
    )
