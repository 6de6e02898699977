"""The control that goes from call to call: by keyboard, by pointer, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.shown import shown

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Windows


class Scrubber:
    """The control of one page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.range: Locator = page.get_by_role("slider")
        self.back: Locator = page.get_by_role("button", name="Back")
        self.next: Locator = page.get_by_role("button", name="Next")
        self._status: Locator = page.get_by_role("status")

    @property
    def at(self) -> int:
        return int(self.range.input_value())

    @property
    def last(self) -> int:
        return int(self.range.get_attribute("max") or 0)

    @property
    def said(self) -> str:
        """What is read out; the slider says the same as the status."""
        told = self._status.inner_text().strip()
        assert self.range.get_attribute("aria-valuetext") == told
        return told


@pytest.fixture
def scrubber(windows: Windows) -> Scrubber:
    from reconciler.report.page.html import page

    return Scrubber(windows.fresh(windows.file("scrubbed", page(shown("plan")))).page)


def states() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shown("plan")["lanes"]["states"]
    return found


def test_it_begins_with_the_network_as_it_is(scrubber: Scrubber) -> None:
    assert scrubber.range.is_visible()
    assert scrubber.last == len(states()) - 1
    assert scrubber.at == 0
    assert scrubber.said


def test_after_an_apply_it_begins_with_the_network_as_it_is_now(windows: Windows) -> None:
    from reconciler.report.page.html import page

    scrubber = Scrubber(windows.fresh(windows.file("scrubbed-apply", page(shown("apply")))).page)
    assert scrubber.at == scrubber.last == len(shown("apply")["lanes"]["states"]) - 1
    assert scrubber.said


def test_the_keyboard_moves_it_state_by_state(scrubber: Scrubber) -> None:
    scrubber.range.focus()
    said = [scrubber.said]
    for number in range(1, scrubber.last + 1):
        scrubber.page.keyboard.press("ArrowRight")
        assert scrubber.at == number
        said.append(scrubber.said)
    assert len(set(said)) == len(states())
    scrubber.page.keyboard.press("Home")
    assert (scrubber.at, scrubber.said) == (0, said[0])
    scrubber.page.keyboard.press("End")
    assert (scrubber.at, scrubber.said) == (scrubber.last, said[-1])


def test_back_and_next_move_it_and_stop_at_the_ends(scrubber: Scrubber) -> None:
    scrubber.next.focus()
    scrubber.page.keyboard.press("Enter")
    scrubber.page.keyboard.press("Space")
    assert scrubber.at == 2
    said = scrubber.said
    scrubber.next.click()
    assert scrubber.said != said
    scrubber.back.click()
    assert (scrubber.at, scrubber.said) == (2, said)
    for _ in range(scrubber.last + 2):
        if scrubber.next.is_enabled():
            scrubber.next.click()
    assert scrubber.at == scrubber.last


def test_the_pointer_moves_it(scrubber: Scrubber) -> None:
    box = scrubber.range.bounding_box()
    assert box is not None
    scrubber.range.scroll_into_view_if_needed()
    box = scrubber.range.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    scrubber.page.mouse.click(box["x"] + box["width"] - 2, middle)
    assert scrubber.at == scrubber.last
    scrubber.page.mouse.move(box["x"] + box["width"] - 2, middle)
    scrubber.page.mouse.down()
    scrubber.page.mouse.move(box["x"] + box["width"] / 2, middle, steps=3)
    scrubber.page.mouse.up()
    assert 0 < scrubber.at < scrubber.last


def test_it_shows_where_it_stands(scrubber: Scrubber) -> None:
    """Each step changes what is seen, and going back brings the same picture back."""
    lanes = scrubber.page.locator("svg").filter(visible=True)
    assert lanes.count()
    scrubber.range.focus()
    scrubber.page.keyboard.press("Home")
    begun = marks(scrubber.page)
    scrubber.page.keyboard.press("ArrowRight")
    moved = marks(scrubber.page)
    scrubber.page.keyboard.press("ArrowLeft")
    assert begun != moved
    assert marks(scrubber.page) == begun


def test_what_was_asked_for_and_not_seen_yet_is_under_way_at_the_arrows(scrubber: Scrubber) -> None:
    flows = shown("plan")["lanes"]["flows"]
    scrubber.range.focus()
    seen = []
    for number in range(scrubber.last + 1):
        shown_now = scrubber.page.locator(".arrows .w-wait").filter(visible=True).count()
        seen.append(shown_now)
        assert shown_now == sum(number in flow["under_way"] for flow in flows)
        scrubber.page.keyboard.press("ArrowRight")
    assert any(seen)


def marks(page: Page) -> str:
    """Everything that script can have set on the elements of the page."""
    return str(
        page.evaluate(
            """["class", "style", "x", "x1", "transform", "aria-current", "hidden"].map(name =>
                [...document.querySelectorAll("main *")].map(one => one.getAttribute(name)).join()).join("|")"""
        )
    )
