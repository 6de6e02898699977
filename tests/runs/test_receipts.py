"""The receipts that other tests read are those that are made today."""

from __future__ import annotations

from tests.support.receipts import NAMES, fixture, made
from tests.support.runs import Network


def test_the_kept_receipts_are_what_is_made_today(net: Network) -> None:
    found = made(net)
    assert found.keys() == set(NAMES)
    for name, one in found.items():
        assert one == fixture(name), f"{name}: if that is meant, write them anew: python -m tests.support.receipts"
