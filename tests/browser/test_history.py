"""The page of `setpoint history` as a reader gets it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import looking
from tests.support.shown import past, turns

if TYPE_CHECKING:
    from tests.browser.conftest import Windows


@pytest.fixture(scope="session")
def address(windows: Windows) -> Any:
    from reconciler.report.page.past_page import history_html

    told = {"plain": past(), "hostile": past(turns())}
    return cache(lambda name: windows.file(f"history-{name}", history_html(told[name])))


@pytest.mark.parametrize("name", ["plain", "hostile"])
def test_it_is_one_request_says_nothing_and_fits_every_width(windows: Windows, address: Any, name: str) -> None:
    window = windows.at(address(name))
    assert window.requests == [address(name)]
    assert window.noise() == []
    assert [one for width in looking.WIDTHS for one in looking.overflow(window.page, width)] == []


@pytest.mark.parametrize("media", [{}, {"color_scheme": "dark"}, {"media": "print"}], ids=["light", "dark", "print"])
def test_axe_finds_nothing(windows: Windows, address: Any, media: dict[str, Any]) -> None:
    shown = windows.at(address("hostile")).page
    shown.set_viewport_size({"width": 390 if media else 1200, "height": looking.HEIGHT})
    shown.emulate_media(**media)
    assert looking.accessibility(shown) == []
