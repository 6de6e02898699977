"""Words of the history: what differed, who did it, how long. Pure.

Names, descriptions and principals are other people's words: all of them leave here redacted and sanitized.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from desired_state.sanitize import sanitize
from reconciler.history.recorded import INTENT, Drift
from reconciler.redact import redacted, safe_text

_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60
_LONGEST_VALUE = 80


def what(drift: Drift) -> str:
    """What differed, with its address: `security_group/DBSG ingress: tcp 5432 from 0.0.0.0/0`."""
    return f"{safe_text(drift.address)} {difference(drift)}"


def difference(drift: Drift) -> str:
    """What differed of a resource: `ingress: tcp 5432 from 0.0.0.0/0`."""
    if drift.address.startswith(INTENT):
        return "an intent of the document is broken"
    if not drift.field:
        return "was missing" if drift.have is None else "differed"
    place = safe_text(drift.field)
    if drift.key is None:
        return f"{place}: {_value(drift.have)} instead of {_value(drift.want)}"
    live = drift.want if drift.have is None else drift.have
    if isinstance(drift.key, Mapping):
        said = _traffic(drift.key)
    elif isinstance(live, Mapping):
        said = f"{safe_text(str(drift.key))} {_traffic(live)}"
    elif str(live) == str(drift.key):
        said = safe_text(str(drift.key))
    else:
        said = f"{safe_text(str(drift.key))} = {_value(live)}"
    if drift.sign == "change" and drift.want != drift.have and not isinstance(drift.key, Mapping):
        wanted = _traffic(drift.want) if isinstance(drift.want, Mapping) else _value(drift.want)
        return f"{place}: {said} instead of {wanted}"
    if drift.sign == "change":
        return f"{place}: the description of {said}"
    return f"{place}: {'no ' if drift.have is None else ''}{said}"


def _traffic(rule: Mapping[str, Any]) -> str:
    """A rule or an entry as a document writes it, in words: `allow tcp 443 from 0.0.0.0/0`."""
    words = [str(rule.get("action") or ""), str(rule.get("protocol", "")), str(rule.get("ports", ""))]
    words += [f"{name.removeprefix('icmp_')} {rule[name]}" for name in ("icmp_type", "icmp_code") if name in rule]
    words += [
        f"{preposition} {rule[end]}" for end, preposition in (("source", "from"), ("destination", "to")) if end in rule
    ]
    return safe_text(" ".join(filter(None, words)))


def _value(value: Any) -> str:
    """A value in a few words; `nothing` if it is absent."""
    if value is None:
        return "nothing"
    return sanitize(redacted(value if isinstance(value, str) else json.dumps(value, default=str)), _LONGEST_VALUE)


def who(principal: str) -> str:
    """Who it was, without what is the same for everybody: `Reporting/metabase` of the ARN of an assumed role."""
    for part in (":assumed-role/", ":user/", ":federated-user/"):
        before, found, after = principal.partition(part)
        if found and before.startswith("arn:"):
            return safe_text(after)
    return safe_text(principal)


def quoted(text: str) -> str:
    """Somebody's words in quotes."""
    return json.dumps(safe_text(text), ensure_ascii=False)


def lasted(seconds: float) -> str:
    """`3 s`, `2 min 4 s`, `9 h 2 min`, `29 d 10 h`: at most two units, rounded down."""
    whole = int(seconds)
    days, hours, minutes = whole // _DAY, whole % _DAY // _HOUR, whole % _HOUR // _MINUTE
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {whole % _MINUTE} s" if whole % _MINUTE else f"{minutes} min"
    return f"{whole} s"
