"""What a drift means from end to end, as one sentence and as JSON. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from desired_state.fields import NAMED_PROTOCOLS
from desired_state.sanitize import sanitize

if TYPE_CHECKING:
    from reconciler.engine.consequences import Consequence

_TOLD = 2
"""The most kinds of flows that one sentence tells; the others are counted."""


def sentence(consequence: Consequence, *, past: bool) -> str:
    """The gravest flows first. Without any, why there are none, if that was found."""
    from reconciler.report.flows import told

    said = told(consequence.flows, past=past)
    if said:
        more = f"; and {len(said) - _TOLD} more" if len(said) > _TOLD else ""
        stopped = f" From outside the VPC it is stopped ({sanitize(consequence.stopped_by)})."
        return f"{_begun('; '.join(said[:_TOLD]))}{more}.{stopped if consequence.stopped_by else ''}"
    none = "Nothing more or less arrived because of it" if past else "Nothing more or less arrives because of it"
    return f"{none} ({sanitize(consequence.stopped_by)})." if consequence.stopped_by else f"{none}."


def _begun(words: str) -> str:
    """Words as the beginning of a sentence: `TCP 22 from ...`."""
    first, space, rest = words.partition(" ")
    first = first.upper() if first in NAMED_PROTOCOLS and first != "all" else f"{first[:1].upper()}{first[1:]}"
    return f"{first}{space}{rest}"


def as_json(consequence: Consequence | None, *, past: bool = False) -> dict[str, Any] | None:
    """The severity, the sentence, and every flow; None if it was not judged. `past`: it is over."""
    if consequence is None:
        return None
    from reconciler.report.flows import as_json as flow_as_json

    return {
        "severity": consequence.severity.value,
        "sentence": sentence(consequence, past=past),
        "flows": [flow_as_json(one) for one in consequence.flows],
        "stopped_by": consequence.stopped_by or None,
    }
