"""What the history reads of a receipt or a day sheet, as typed values. Pure.

A receipt may come from a mail or from a bucket that others can write to, so its members are checked here, once. Members
that the history does not need are not looked at; those that it lacks have the meaning of "not known".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from desired_state.sanitize import sanitize
from reconciler.model.exposure import Severity
from reconciler.model.network_state import NetworkState

INTENT = "intent/"
"""Before the name of an intent, in the place of an address."""


class NotAReceipt(ValueError):
    """A member of a receipt is missing, or has another form than it must have: which one, and what it should be."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


def _or[Default](default: Default) -> BeforeValidator:
    """Null is the same as left out."""
    return BeforeValidator(lambda given: default if given is None else given)


_Text = Annotated[str, _or("")]
_Count = Annotated[int, Field(ge=0), _or(0)]


class Run(_Part):
    """The run that wrote it. `only` are the addresses that a manual run was limited to (empty: to none)."""

    id: _Text = ""
    started: AwareDatetime | None = None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False), _or(0.0)] = 0.0
    ending: _Text = ""
    problem: _Text = ""
    refusal: _Text = ""
    writes: _Count = 0
    only: Annotated[tuple[str, ...], _or(())] = ()


class Upload(_Part):
    """Who uploaded the version of the document, and when."""

    who: _Text = ""
    at: AwareDatetime | None = None


class Rollback(_Part):
    """The version is the text of an earlier one."""

    to: int
    reason: _Text = ""


class Enforced(_Part):
    """The document that was enforced; `revision` is None if there was none."""

    name: _Text = ""
    revision: int | None = None
    uploaded: Upload | None = None
    rollback: Rollback | None = None


class Flow(_Part):
    """One thing that arrives, or does not, because of a difference."""

    opened: bool = False


class Consequence(_Part):
    """What a difference means from end to end."""

    flows: Annotated[tuple[Flow, ...], _or(())] = ()


class Drift(_Part):
    """One difference, and how it ended; `want` and `have` as a document writes them, None: absent."""

    address: str
    field: _Text = ""
    key: Any = None
    sign: _Text = ""
    want: Any = None
    have: Any = None
    outcome: _Text = ""
    reason: _Text = ""
    message: _Text = ""
    severity: Severity | None = None
    since: AwareDatetime | None = None
    exposes: bool | None = None
    consequence: Consequence | None = None

    @cached_property
    def identity(self) -> str:
        """The same in every receipt that has this difference."""
        return json.dumps([self.address, self.field, self.key], sort_keys=True, default=str)

    @property
    def opens(self) -> bool:
        """Whether it lets something in that is not declared."""
        if self.exposes is not None:
            return self.exposes
        return self.consequence is not None and any(one.opened for one in self.consequence.flows)


class Call(_Part):
    """One call, and which differences it resolves, as indexes into the list of them."""

    ended: _Text = ""
    resolves_drifted: Annotated[tuple[int, ...], _or(())] = ()


class Intent(_Part):
    """What was judged of an intent of the document; `tolerated_until`: an exception allows what breaks it."""

    name: str
    status: _Text = ""
    severity: Severity | None = None
    since: AwareDatetime | None = None
    tolerated_until: _Text = ""


class Rollout(_Part):
    """The run was the first one of a version; `before` is the revision that was in force until then."""

    before: int | None = Field(None, alias="from")


class Actor(_Part):
    """Who made a change, and when, according to CloudTrail."""

    who: _Text = ""
    at: AwareDatetime | None = None


class Excepted(_Part):
    """An exception of the document."""

    address: str
    field: _Text = ""
    active: bool = True


class Unseen(_Part):
    """A kind or a resource that could not be read."""

    kind: str
    why: _Text = ""


class Previous(_Part):
    """The receipt before, and the SHA-256 of its bytes."""

    key: str
    sha256: str


class Sheet(_Part):
    """A day: when its first look began, until when its looks are counted, how many there were, how many of them saw
    nothing, the longest time between two (seconds), and where nobody looked (None: not recorded). `state` is that at
    the end of it.
    """

    since: AwareDatetime
    until: AwareDatetime
    state: NetworkState | None = None
    looks: _Count = 0
    unseen: _Count = 0
    longest_gap: _Count = 0
    gaps: tuple[tuple[AwareDatetime, AwareDatetime], ...] | None = None
    of: str | None = None


class Recorded(_Part):
    """One receipt or day sheet, as far as the history reads it. `key` is where it lies (empty: in a file)."""

    receipt: int
    previous: Previous | None = None
    run: Run
    document: Enforced
    account: _Text = ""
    region: _Text = ""
    state: NetworkState
    severity: Severity | None = None
    drifted: Annotated[tuple[Drift, ...], _or(())] = ()
    actions: Annotated[tuple[Call, ...], _or(())] = ()
    intents: Annotated[tuple[Intent, ...], _or(())] = ()
    rollout: Rollout | None = None
    actors: Annotated[Mapping[str, Actor], _or({})] = Field(default_factory=dict)
    since: Annotated[Mapping[str, AwareDatetime], _or({})] = Field(default_factory=dict)
    exposed: Annotated[Mapping[str, float], _or({})] = Field(default_factory=dict)
    exposed_unknown: Annotated[tuple[str, ...], _or(())] = ()
    exceptions: Annotated[tuple[Excepted, ...], _or(())] = ()
    unseen: Annotated[tuple[Unseen, ...], _or(())] = ()
    day: Sheet | None = None

    def calls(self, index: int) -> frozenset[int]:
        """The places of the calls that were made, and that resolve the difference at this place of its list."""
        return frozenset(
            at for at, one in enumerate(self.actions) if one.ended == "done" and index in one.resolves_drifted
        )

    @cached_property
    def broken(self) -> tuple[Drift, ...]:
        """The intents that are broken, in the form of differences."""
        return tuple(
            Drift(
                address=f"{INTENT}{one.name}",
                outcome="broken",
                severity=one.severity,
                since=one.since,
                exposes=self.state is NetworkState.OPEN,
            )
            for one in self.intents
            if one.status == "broken" and not one.tolerated_until
        )

    @property
    def explained(self) -> bool:
        """Whether a difference that is left says why something stands open, if it does."""
        left = (one for one in self.drifted if one.outcome != "corrected")
        return self.state is not NetworkState.OPEN or any(one.opens for one in left)

    def saw(self, address: str) -> bool:
        """Whether the run looked at this resource, so that what it does not list is gone."""
        kind = address.partition("/")[0]
        if any(one.kind in {kind, address, f"{kind}/*"} for one in self.unseen):
            return False
        return not self.run.only or address in self.run.only

    def ended(self, started: datetime) -> datetime:
        """When the run ended, which began at `started`."""
        return started + timedelta(seconds=self.run.seconds)


def recorded(receipt: Mapping[str, Any]) -> Recorded:
    """What the history reads of a receipt. Raises NotAReceipt."""
    try:
        return Recorded.model_validate(dict(receipt))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NotAReceipt(f"{sanitize(where)}: {sanitize(first['msg'])}") from None
