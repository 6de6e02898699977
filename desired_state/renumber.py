"""The same text of a document with another revision: that one member is replaced, and not one byte else. Pure.

The member's place is the loader's own, so a `"revision"` in a note, a tag or a reason is never taken for it.
"""

from __future__ import annotations

import json

from desired_state.strict_json import Fault, decode, parse, scalar_end, survey


def renumbered(data: bytes, revision: int) -> bytes:
    """The bytes with this revision. Raises ValueError for a text in which no revision is found."""
    text = decode(data)
    spot = None if isinstance(text, Fault) or revision_of(data) is None else survey(text).spots.get(("revision",))
    if isinstance(text, Fault) or spot is None:  # no spot: what comes before it is too deep to be walked
        raise ValueError("this text has no revision")
    _, start = spot
    return f"{text[:start]}{revision}{text[scalar_end(text, start) :]}".encode()


def revision_of(data: bytes) -> int | None:
    """The revision that a text says, also one that is no valid document today; None if it says none."""
    text = decode(data)
    if isinstance(text, Fault):
        return None
    try:
        written, _ = parse(text)
    except json.JSONDecodeError:
        return None
    revision = written.get("revision") if isinstance(written, dict) else None
    return revision if isinstance(revision, int) and not isinstance(revision, bool) and revision > 0 else None
