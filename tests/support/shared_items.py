"""The connection of a warm function: what AWS shows again is the object that the look before had.

The laboratory answers before anything is parsed, so that `aws/item_memo.py` has nothing to do in it. Here its effect on
a run is had by value, and every time an item comes back, nobody may have changed it.
"""

from __future__ import annotations

import pickle
from typing import Any

from reconciler.aws.client import Aws
from reconciler.model.kept import KeptItem
from reconciler.model.read import Read


class SharingAws(Aws):
    """An `Aws` whose items are shared between its looks."""

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self._kept: dict[bytes, KeptItem] = {}
        self.reused = 0

    def read(self, read: Read) -> list[Any]:
        return [
            self._shared(one) if isinstance(one, dict) and read.service == "ec2" else one for one in super().read(read)
        ]

    def _shared(self, item: dict[str, Any]) -> KeptItem:
        value = pickle.dumps(item)
        kept = self._kept.get(value)
        if kept is None:
            kept = self._kept[value] = KeptItem(pickle.loads(value))  # noqa: S301 (our own bytes)
        else:
            self.reused += 1
            assert dict(kept) == item, "a run has changed an item that the next one gets"
        return kept
