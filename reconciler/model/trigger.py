"""Who woke us and why. Pure values: `handlers/triggers.py` makes them of events, `keep.py` and the alerts read them.

An event is a hint and never data: nothing in here ever becomes the parameter of a call to the network or the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Source(StrEnum):
    """What kind of thing woke us."""

    SCHEDULE = "schedule"
    DOCUMENT = "document"
    CHANGE = "change"
    MANUAL = "manual"
    RETRY = "again"


@dataclass(frozen=True)
class Actor:
    """Who made a call that changed something, as CloudTrail tells it.

    `who` is an ARN, or the name of an AWS service; `call` CloudTrail's eventName. `names` are the ids and names that
    the call mentions: they are compared with what drifted, and used for nothing else.
    """

    who: str
    call: str
    at: datetime
    source_ip: str = ""
    user_agent: str = ""
    event_id: str = ""
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Trigger:
    """One reason to run. `document` is empty where the event does not say which: then it is every document of `account`
    in this region. `sent` is when the message was put on the queue, `tries` how often it has come back since.
    """

    source: Source
    document: str = ""
    account: str = ""
    sent: datetime | None = None
    actors: tuple[Actor, ...] = ()
    tries: int = 0
