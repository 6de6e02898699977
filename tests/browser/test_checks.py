"""Every check of tests/browser fails where it should: on a page that is spoiled in one way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import looking
from tests.support.standin import standin

if TYPE_CHECKING:
    from tests.browser.conftest import Server, Windows


def test_nothing_is_wrong_with_the_page_that_is_spoiled_below(windows: Windows) -> None:
    window = windows.fresh(windows.file("good", standin()))
    assert window.noise() == []
    assert looking.accessibility(window.page) == []
    assert [one for width in looking.WIDTHS for one in looking.overflow(window.page, width)] == []
    window.page.emulate_media(forced_colors="active")
    assert looking.invisible(window.page) == []


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("console.log('here')", "log: here"),
        ("console.error('there')", "error: there"),
        ("throw new Error('lost')", "error: lost"),
        ("alert('hello')", "alert: hello"),
    ],
)
def test_console_lines_errors_and_dialogs_are_heard(windows: Windows, script: str, what: str) -> None:
    assert windows.fresh(windows.file("noise", standin(script=f";{script}"))).noise() == [what]


@pytest.mark.parametrize(
    "body",
    [
        '<img alt="" src="http://127.0.0.1:9/x.png">',
        '<p style="color: red">inline</p>',
        '<button onclick="x()">inline</button>',
        "<script>x()</script>",
        "<style>p { color: red }</style>",
    ],
)
def test_what_the_policy_refuses_leaves_a_line(windows: Windows, body: str) -> None:
    assert "Content Security Policy" in "".join(windows.fresh(windows.file("refused", standin(body))).noise())


def test_a_request_is_seen(windows: Windows, server: Server) -> None:
    picture = f"{server.url}/picture.png"
    window = windows.fresh(windows.file("request", standin(f'<img alt="" src="{picture}">', policy=False)))
    assert f"request: {picture}" in window.noise()
    assert "/picture.png" in server.asked


def test_no_name_leads_out_of_this_machine(windows: Windows) -> None:
    window = windows.fresh(windows.file("out", standin('<img alt="" src="http://example.com/x.png">', policy=False)))
    assert "ERR_NAME_NOT_RESOLVED" in "".join(window.lines)


@pytest.mark.parametrize(
    ("body", "style", "complaint"),
    [
        ('<table><tr><td class="wide">wide</td></tr></table>', ".wide { min-width: 700px }", "ends at"),
        (f"<p>{'sg0123456789abcdef0' * 9}</p>", "", "the page is"),
        (f'<p class="cut">{"a long name " * 20}</p>', ".cut { white-space: nowrap; overflow: hidden }", "is cut"),
    ],
)
def test_what_stands_out_or_is_cut_is_found(windows: Windows, body: str, style: str, complaint: str) -> None:
    window = windows.fresh(windows.file("overflow", standin(body, style=style)))
    assert complaint in "".join(looking.overflow(window.page, 640))


@pytest.mark.parametrize(
    ("body", "style", "rule"),
    [
        ('<p class="pale">pale</p>', ".pale { color: #aaa }", "color-contrast"),
        ('<img src="data:,">', "", "image-alt"),
        ('<p id="a">1</p><button aria-labelledby="none"></button>', "", "button-name"),
        ("<h4>too deep</h4>", "", "heading-order"),
    ],
)
def test_what_axe_objects_to_is_told(windows: Windows, body: str, style: str, rule: str) -> None:
    page = windows.fresh(windows.file("axe", standin(body, style=style))).page
    assert {one.partition(":")[0] for one in looking.accessibility(page)} == {rule}


def test_contrast_is_judged_in_the_scheme_that_shows(windows: Windows) -> None:
    only_dark = "@media (prefers-color-scheme: dark) { h1 { color: #333 } }"
    page = windows.fresh(windows.file("dark", standin(style=only_dark))).page
    assert looking.accessibility(page) == []
    page.emulate_media(color_scheme="dark")
    assert "color-contrast: h1" in "".join(looking.accessibility(page))


def test_the_text_is_the_same_without_script_but_for_what_script_writes(windows: Windows) -> None:
    url = windows.file("told", standin())
    with_script, without = windows.fresh(url), windows.fresh(url, script=False)
    assert looking.told(with_script.page, ".control") == looking.told(without.page, ".control")
    assert looking.told(with_script.page) != looking.told(without.page)
    assert "tcp 5432 from 0.0.0.0/0" in looking.told(without.page)
    url = windows.file("told-by-script", standin('<p id="late"></p>', script=";document.all.late.textContent = 'late'"))
    assert "late" in looking.told(windows.fresh(url).page)
    assert "late" not in looking.told(windows.fresh(url, script=False).page)


@pytest.mark.parametrize("script", [True, False])
def test_the_pdf_holds_what_is_closed_on_the_screen(windows: Windows, script: bool) -> None:
    page = windows.fresh(windows.file("printed", standin()), script=script).page
    assert looking.compact("tcp 5432 from 0.0.0.0/0") in looking.printed(page)
    kept_shut = "@media print { details { display: none } }"
    page = windows.fresh(windows.file("shut", standin(style=kept_shut)), script=script).page
    assert looking.compact("tcp 5432 from 0.0.0.0/0") not in looking.printed(page)


def test_what_the_readers_own_colours_make_invisible_is_found(windows: Windows) -> None:
    drawn = '<svg width="40" height="20" aria-hidden="true"><line x1="0" y1="9" x2="40" y2="9" stroke="#fff"/></svg>'
    stubborn = ".own { forced-color-adjust: none; color: #fff; background: #fff }"
    page = windows.fresh(windows.file("forced", standin(drawn + '<p class="own">gone</p>', style=stubborn))).page
    page.emulate_media(forced_colors="active")
    assert len(looking.invisible(page)) == 2
