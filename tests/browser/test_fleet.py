"""The fleet's page as a reader gets it: with every state in it, and with hostile names."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.fleet.html import page
from reconciler.fleet.standing import State
from reconciler.fleet.strip import strip
from reconciler.model.network_state import NetworkState
from tests.support import looking
from tests.unit.test_fleet import CASES, NOW, RATE, daily, fleet, summary
from tests.unit.test_fleet_page import HOSTILE, hostile

if TYPE_CHECKING:
    from tests.browser.conftest import Windows

NAMES = ("every state", "hostile")


@pytest.fixture(scope="session")
def address(windows: Windows) -> Any:
    def made(name: str) -> str:
        if name == "hostile":
            return page(hostile(" ".join(HOSTILE)))
        keys = [summary(31, NetworkState.SYNC), *daily(), summary(9, NetworkState.OPEN), summary(6, NetworkState.SYNC)]
        strips: Any = {
            f"d{number}": strip(keys, CASES[state].looked_at, NOW, quiet=3 * RATE) for number, state in enumerate(State)
        }
        return page(fleet(*CASES.values(), strips=strips))

    return cache(lambda name: windows.file(f"fleet-{name.replace(' ', '-')}", made(name)))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_one_request_says_nothing_and_fits_every_width(windows: Windows, address: Any, name: str) -> None:
    window = windows.at(address(name))
    assert window.requests == [address(name)]
    assert window.noise() == []
    assert [one for width in looking.WIDTHS for one in looking.overflow(window.page, width)] == []


@pytest.mark.parametrize("media", [{}, {"color_scheme": "dark"}, {"media": "print"}], ids=["light", "dark", "print"])
def test_axe_finds_nothing(windows: Windows, address: Any, media: dict[str, Any]) -> None:
    shown = windows.at(address("every state")).page
    shown.set_viewport_size({"width": 390 if media else 1200, "height": looking.HEIGHT})
    shown.emulate_media(**media)
    assert looking.accessibility(shown) == []
