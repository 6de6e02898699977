"""The seam for intents of a new document: what the network does today, as far as somebody can judge it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from desired_state.document import Document
from reconciler.model import Snapshot


def proposed(document: Document, live: Snapshot) -> list[Mapping[str, Any]]:  # noqa: ARG001 (what a judge will need)
    """The intents to write, in the form of a document: only what holds today. Nobody has judged this network yet when
    its document is made, so there are none.
    """
    return []
