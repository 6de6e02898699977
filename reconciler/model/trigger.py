"""What started an attempt. Pure values: `handlers/triggers.py` creates them from events, `keep.py` and alerts use them.

An event is only a hint: nothing in it ever becomes a parameter of a call to EC2 or RDS.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

ACTORS = 10
"""The most actors of a message, the newest ones: bounded as they are, it always stays below 256 KB."""
UPLOADS = 10
"""The most uploads of a message, the newest ones."""


class Source(StrEnum):
    """What started an attempt."""

    SCHEDULE = "schedule"
    DOCUMENT = "document"
    CHANGE = "change"
    MANUAL = "manual"
    RETRY = "again"


@dataclass(frozen=True)
class Actor:
    """Who made a call that changed something, according to CloudTrail.

    `who` is an ARN, or the name of an AWS service; `call` is CloudTrail's eventName. `names` are the ids and names in
    the call, `details` what else its request says (`model/cause.py`): they are only compared with what drifted.
    """

    who: str
    call: str
    at: AwareDatetime
    source_ip: str = ""
    user_agent: str = ""
    event_id: str = ""
    names: frozenset[str] = frozenset()
    details: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Upload:
    """Who uploaded a version of a document, according to S3's event: an account id, or the name of an AWS service."""

    version_id: Annotated[str, Field(max_length=1024)]
    who: Annotated[str, Field(max_length=256)]
    at: AwareDatetime | None = None
    source_ip: Annotated[str, Field(max_length=100)] = ""


@dataclass(frozen=True)
class Trigger:
    """One reason to run. `document` is empty if the event does not name one: then it is every document of `account` in
    this region. `sent` is when the message was put on the queue, `tries` how often it has been retried since.
    `received` is a time at which it was there already: both are by the queue's clock. `only_tags`: the calls that it
    tells of can have changed nothing but tags. Like `received`, it is never written into a message.

    `handlers/triggers.py` reads it from messages, and checks the bounds.
    """

    source: Source
    document: str = ""
    account: Annotated[str, Field(pattern=r"^([0-9]{12})?\z")] = ""
    sent: AwareDatetime | None = None
    received: AwareDatetime | None = None
    actors: Annotated[tuple[Actor, ...], Field(max_length=ACTORS)] = ()
    uploads: Annotated[tuple[Upload, ...], Field(max_length=UPLOADS)] = ()
    tries: Annotated[int, Field(ge=0, le=10_000)] = 0
    only_tags: bool = False
