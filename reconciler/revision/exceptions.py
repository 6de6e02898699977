"""What two documents tolerate, compared: every exception that is new or lasts longer, and every one that is gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from desired_state.document import Document, DocumentException
from desired_state.fields import AclEntry, RuleKey, shown
from reconciler.kinds import REGISTRY
from reconciler.model import ABSENT, Difference
from reconciler.model.exposure import Severity
from reconciler.revision.change import Point, Side, Subject

_LEAST = Severity.MEDIUM


def points(before: Document | None, after: Document) -> Iterator[Point]:
    """Exceptions by what they tolerate: the reason and the end are told with them."""
    known = {_what(one): one for one in (before.exceptions if before else ())}
    now = {_what(one): one for one in after.exceptions}
    for name, one in now.items():
        was = known.get(name)
        if was is None:
            words = f"{_told(one)} is tolerated until {_time(one.until)}: {shown(one.reason)}"
            yield Point(Side.UNGUARDED, Subject.EXCEPTION, one.address, words, _severity(one))
        elif one.until > was.until:
            words = (
                f"{_told(one)} is tolerated until {_time(one.until)}, was until {_time(was.until)}: {shown(one.reason)}"
            )
            yield Point(Side.UNGUARDED, Subject.EXCEPTION, one.address, words, _severity(one))
        elif one.until < was.until:
            words = f"{_told(one)} is tolerated only until {_time(one.until)}, was until {_time(was.until)}"
            yield Point(Side.GUARDED, Subject.EXCEPTION, one.address, words, Severity.INFO)
    for name, one in known.items():
        if name not in now:
            yield Point(
                Side.GUARDED, Subject.EXCEPTION, one.address, f"{_told(one)} is not tolerated any more", Severity.INFO
            )


def _what(one: DocumentException) -> tuple[str, str, str]:
    return one.address, one.field, repr(one.value)


def _severity(one: DocumentException) -> Severity:
    """As grave as the drift that it tolerates."""
    key, have = one.value if isinstance(one.value, tuple) and not isinstance(one.value, RuleKey) else (one.value, None)
    scalar = REGISTRY[one.address.kind].model.collection(one.field) is None
    difference = Difference(one.address, one.field, *((None, ABSENT, one.value) if scalar else (key, ABSENT, have)))
    past = False
    exposure = REGISTRY[one.address.kind].traffic.exposure(difference, past)
    return min(_LEAST, exposure.severity if exposure else _LEAST, key=lambda grave: grave.rank)


def _told(one: DocumentException) -> str:
    return f"{one.address} {one.field}: {_value(one.value)}"


def _value(value: Any) -> str:
    if isinstance(value, (RuleKey, AclEntry)):
        return str(value)
    if isinstance(value, tuple):
        return " ".join(map(_value, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def ended(one: DocumentException) -> str:
    """The words for an exception whose time is over: it tolerates nothing any more."""
    return f"the exception for {one.address} {one.field} ended at {_time(one.until)}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%MZ}"
