"""The page as a reader gets it: five of them, opened as files and served, looked at in Chromium."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import looking
from tests.support.sampling import sampled
from tests.support.shown import HOSTILE, NAMES, past, shown, turns

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Server, Windows

CONTROL = "#scrub"
"""What is there with script only."""
REPEATED = ":is(.entry, .call, .card, .lane-table tr, .intents tr):nth-child(n + 6)"
"""Of many things of one make five are enough in every medium, since all are looked at in one: axe takes its time."""
MEDIA: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {},
    "print": {"media": "print"},
}
SIZES = {"phone": 390, "print": 794}
"""Pixels in width, where it is not a desktop's 1200; paper of A4 has 794."""


@pytest.fixture(scope="session")
def html() -> Any:
    """The page of each receipt, made once; two know of the last 30 days."""
    from functools import cache

    from reconciler.report.page.html import page

    with_history = {"apply": past(), "hostile": past(turns())}
    return cache(lambda name: page(shown(name), history=with_history.get(name)))


@pytest.fixture(scope="session")
def address(windows: Windows, html: Any) -> Any:
    """The address of each page, as a file."""
    from functools import cache

    return cache(lambda name: windows.file(name, html(name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_one_request_and_says_nothing_to_the_console(windows: Windows, address: Any, name: str) -> None:
    window = windows.at(address(name))
    assert window.requests == [address(name)]
    assert window.noise() == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_every_width(windows: Windows, address: Any, name: str) -> None:
    page = windows.at(address(name)).page
    assert [one for width in looking.WIDTHS for one in looking.overflow(page, width)] == []


LOOKS = [*product(NAMES, ("light",)), *sampled([*product(NAMES, ("dark", "phone", "print"))], 6, seed="axe")]
"""Every page in light; in each other medium the gate shows some, and the long suite all."""


@pytest.mark.parametrize(("name", "medium"), LOOKS)
def test_axe_finds_nothing(windows: Windows, address: Any, name: str, medium: str) -> None:
    """All rules on all there is in one medium; then the colours of dark and of paper, and the layout of a phone."""
    page = shown_in(medium, windows.at(address(name)).page)
    if medium == "light":
        assert looking.accessibility(page) == []
    elif medium == "phone":
        assert looking.accessibility(page, colours=False) == []
    else:
        assert looking.accessibility(page, REPEATED, colours=True) == []


@pytest.mark.long
@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing_by_any_rule_in_any_medium(windows: Windows, address: Any, name: str, medium: str) -> None:
    assert looking.accessibility(shown_in(medium, windows.at(address(name)).page)) == []


def shown_in(medium: str, page: Page) -> Page:
    page.emulate_media(**MEDIA[medium])
    page.set_viewport_size({"width": SIZES.get(medium, 1200), "height": looking.HEIGHT})
    return page


@pytest.mark.parametrize("name", NAMES)
def test_without_script_nothing_is_missing_but_the_control(windows: Windows, address: Any, name: str) -> None:
    with_script, without = windows.at(address(name)), windows.at(address(name), script=False)
    assert looking.told(with_script.page, CONTROL) == looking.told(without.page, CONTROL)
    assert not without.page.locator("input[type=range]").is_visible()


@pytest.mark.parametrize(
    ("name", "script"), [*((name, True) for name in NAMES), *((name, False) for name in ("plan", "wide"))]
)
def test_the_printed_page_holds_every_difference_and_every_call(
    windows: Windows, address: Any, name: str, script: bool
) -> None:
    text = looking.printed(windows.fresh(address(name), script=script).page)
    missing = [one for one in must_be_told(name) if looking.compact(one) not in text]
    assert missing == []


def must_be_told(name: str) -> set[str]:
    """Of each difference the address and the values that are text; of each call the operation and the address."""
    receipt = shown(name)
    facts = {one["address"] for one in (*receipt["drifted"], *receipt["actions"])}
    facts |= {one["operation"].partition(":")[2] for one in receipt["actions"]}
    values = {one[side] for one in receipt["drifted"] for side in ("want", "have") if isinstance(one[side], str)}
    return facts | (values - set(HOSTILE))


INJECTED = {
    "script": "<script>document.title = 'broken in'</script>",
    "handler": "<img alt='' src='data:,' onerror=\"document.title = 'broken in'\">",
    "style": "<style>h1 { display: none !important }</style>",
    "style of an element": "<p style='position: fixed; inset: 0'>over all</p>",
    "image": "<img alt='' src='{server}/injected.png'>",
    "frame": "<iframe title='x' src='{server}/injected.html'></iframe>",
    "another base": "<base href='{server}/injected/'>",
}


@pytest.mark.parametrize("what", INJECTED)
def test_what_is_injected_is_refused(windows: Windows, server: Server, html: Any, what: str) -> None:
    server.asked.clear()
    injected = INJECTED[what].replace("{server}", server.url)
    spoiled = html("plan").replace("</main>", f"{injected}</main>", 1)
    assert injected in spoiled
    window = windows.fresh(windows.file("injected", spoiled))
    assert "Content Security Policy" in "".join(window.lines)
    assert harm(window.page) == []
    assert server.asked == []


@pytest.mark.parametrize("what", INJECTED)
def test_what_is_injected_would_do_harm_without_the_policy(windows: Windows, server: Server, what: str) -> None:
    from tests.support.standin import standin

    server.asked.clear()
    injected = INJECTED[what].replace("{server}", server.url)
    window = windows.fresh(windows.file("harmed", standin(injected, policy=False)))
    assert harm(window.page) or server.asked


def harm(page: Page) -> list[str]:
    """What an injection has brought about."""
    found = {
        "script ran": page.title() == "broken in",
        "the heading is hidden": not page.locator("h1").first.is_visible(),
        "something lies over all": page.evaluate(
            "[...document.querySelectorAll('p')].some(one => getComputedStyle(one).position === 'fixed')"
        ),
        "links lead elsewhere": not page.evaluate("document.baseURI === location.href"),
    }
    return [what for what, so in found.items() if so]


def test_hostile_words_make_no_element_and_no_link(windows: Windows, address: Any) -> None:
    plain, hostile = (windows.at(address(name)) for name in ("plan", "hostile"))
    kinds = "[...new Set([...document.querySelectorAll('*')].map(one => one.tagName.toLowerCase()))].sort()"
    more = set(hostile.page.evaluate(kinds)) - set(plain.page.evaluate(kinds))
    assert more <= {"dl", "dt", "dd", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"}
    links = hostile.page.evaluate("[...document.links].map(one => one.href)")
    assert [one for one in links if "198.51.100.9" in one or not one.startswith(("file:", "https://"))] == []
    assert hostile.page.title() == plain.page.title()


@pytest.mark.parametrize("name", sampled(NAMES, 3, seed="served"))
def test_served_as_ci_serves_it_a_page_is_complete_and_in_order(
    windows: Windows, server: Server, html: Any, address: Any, name: str
) -> None:
    url = server.page(name, html(name), policy="default-src 'none'")
    server.asked.clear()
    window = windows.fresh(url)
    assert server.asked == [f"/{name}"]
    assert looking.told(window.page, CONTROL) == looking.told(windows.at(address(name)).page, CONTROL)
    assert window.page.evaluate("document.styleSheets.length") == 0
    assert not window.page.locator("input[type=range]").is_visible()


def test_without_style_the_drawings_keep_their_colours(windows: Windows, server: Server, html: Any) -> None:
    window = windows.fresh(server.page("drawn", html("plan"), policy="default-src 'none'"))
    colours = window.page.evaluate(
        """[...new Set([...document.querySelectorAll("svg *")].flatMap(one => {
            const style = getComputedStyle(one);
            return [style.fill, style.stroke];
        }).filter(one => one.startsWith("rgb") && one !== "rgb(0, 0, 0)"))]"""
    )
    assert len(colours) >= 3
    assert looking.invisible(window.page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["plan", "apply"])
def test_with_the_readers_own_colours_nothing_disappears(
    windows: Windows, address: Any, name: str, scheme: Any
) -> None:
    page = windows.at(address(name)).page
    page.emulate_media(color_scheme=scheme, forced_colors="active")
    assert looking.invisible(page) == []
