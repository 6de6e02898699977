"""Items of answers that outlive their answer, with what was made of them."""

from __future__ import annotations

from typing import Any


class KeptItem(dict[str, Any]):
    """An item that the next look gets again, as the same object, if AWS shows the same (`aws/item_memo.py`).

    Nobody may change it. `made` is for the kind that makes a model of it: the model, and what else that depends on.
    """

    __slots__ = ("made",)

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__(item)
        self.made: object = None
