"""Who woke us and why. Pure values: `handlers/triggers.py` makes them of events, `keep.py` and the alerts read them.

An event is a hint and never data: nothing in here ever becomes the parameter of a call to the network or the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

ACTORS = 10
"""How many actors a message carries, the newest: with their bounds it stays below 256 KB whatever they are called."""


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
    at: AwareDatetime
    source_ip: str = ""
    user_agent: str = ""
    event_id: str = ""
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Trigger:
    """One reason to run. `document` is empty where the event does not say which: then it is every document of `account`
    in this region. `sent` is when the message was put on the queue, `tries` how often it has come back since.

    `handlers/triggers.py` reads it from messages, and checks the bounds.
    """

    source: Source
    document: str = ""
    account: Annotated[str, Field(pattern=r"^([0-9]{12})?\z")] = ""
    sent: AwareDatetime | None = None
    actors: Annotated[tuple[Actor, ...], Field(max_length=ACTORS)] = ()
    tries: Annotated[int, Field(ge=0, le=10_000)] = 0
