"""The page of a history as a reader gets it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.history.episodes import history
from reconciler.report.page.past_page import history_html
from tests.support import looking
from tests.support.recorded import at, entries, five_days, receipt, rule

if TYPE_CHECKING:
    from tests.browser.conftest import Windows

HOSTILE = "\u202e</style></title><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7 * 7 }} " + "a" * 5000
NAMES = ("five days", "hostile")


@pytest.fixture(scope="session")
def address(windows: Windows) -> Any:
    def made(name: str) -> str:
        more = []
        if name == "hostile":
            spoiled = rule(outcome="held", message=HOSTILE, address=f"security_group/{HOSTILE}")
            more = [receipt(at(100), spoiled, actors={spoiled["address"]: {"who": HOSTILE, "at": None}})]
        return history_html(history("shop", entries(*five_days(), *more), at(0), at(120)).as_json())

    return cache(lambda name: windows.file(f"history-{name.replace(' ', '-')}", made(name)))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_one_request_says_nothing_and_fits_every_width(windows: Windows, address: Any, name: str) -> None:
    window = windows.at(address(name))
    assert window.requests == [address(name)]
    assert window.noise() == []
    assert [one for width in looking.WIDTHS for one in looking.overflow(window.page, width)] == []


@pytest.mark.parametrize("media", [{}, {"color_scheme": "dark"}, {"media": "print"}], ids=["light", "dark", "print"])
def test_axe_finds_nothing(windows: Windows, address: Any, media: dict[str, Any]) -> None:
    shown = windows.at(address("five days")).page
    shown.set_viewport_size({"width": 390 if media else 1200, "height": looking.HEIGHT})
    shown.emulate_media(**media)
    assert looking.accessibility(shown) == []
