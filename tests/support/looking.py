"""What a browser can tell about a page: each check answers with a list of complaints, empty if all is well.

`Window` is one tab and everything that its page did. tests/browser/test_checks.py shows that every check can fail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page, Request

WIDTHS = (320, 390, 640, 768, 1024, 1200)
HEIGHT = 900

_ASKED = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


@dataclass
class Window:
    """One tab: what its page asked for, what it wrote to the console, and the dialogs that it opened."""

    page: Page
    requests: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", self._asked)
        self.page.on("console", lambda line: self.lines.append(f"{line.type}: {line.text}"))
        self.page.on("pageerror", lambda error: self.lines.append(f"error: {error}"))
        self.page.on("dialog", self._opened)

    def _asked(self, request: Request) -> None:
        self.requests.append(request.url)

    def _opened(self, dialog: Dialog) -> None:
        self.dialogs.append(f"{dialog.type}: {dialog.message}")
        dialog.dismiss()

    def load(self, url: str) -> Window:
        """Another page in this tab, as on a desktop; nothing of the one before is remembered."""
        self.page.goto("about:blank")
        self.as_first_seen()
        for heard in (self.requests, self.lines, self.dialogs):
            heard.clear()
        self.page.goto(url)
        return self

    def as_first_seen(self) -> Window:
        """The same page on a desktop, light, from its top: no test sees what another has set.

        The medium `null` is a screen, and paper when it is printed; with `screen` the PDF would be of the screen.
        """
        self.page.emulate_media(media="null", color_scheme="light", forced_colors="none")
        self.page.set_viewport_size({"width": 1200, "height": HEIGHT})
        self.page.evaluate("scrollTo(0, 0)")
        return self

    def noise(self) -> list[str]:
        """All but the one request: further requests, console lines, dialogs."""
        return [*(f"request: {url}" for url in self.requests[1:]), *self.lines, *self.dialogs]


def _ask(page: Page, what: str, about: object = None) -> Any:
    return page.evaluate(f"{_ASKED}.{what}", about)


def overflow(page: Page, width: int) -> list[str]:
    """What stands out to the right at this width, or is cut there."""
    page.set_viewport_size({"width": width, "height": HEIGHT})
    return [f"{width}: {one}" for one in _ask(page, "overflow", width)]


COLOURS = ("color-contrast", "link-in-text-block")
"""axe's rules about colours: four fifths of its time."""


def accessibility(page: Page, without: str = "", *, colours: bool | None = None) -> list[str]:
    """axe-core's violations, a line for each element, without looking at what the selector names; by its rules about
    colours alone, by all others, or by all (None).
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE_SCRIPT)
    about = {"include": [["html"]], "exclude": [[without]] if without else []}
    how: dict[str, Any] = {"resultTypes": ["violations"]}
    if colours:
        how["runOnly"] = {"type": "rule", "values": COLOURS}
    elif colours is not None:
        how["rules"] = {rule: {"enabled": False} for rule in COLOURS}
    answer = page.evaluate("([about, how]) => axe.run(about, how)", [about, how])
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}: {_reason(node)}"
        for rule in answer["violations"]
        for node in rule["nodes"]
    ]


def _reason(node: dict[str, Any]) -> str:
    return "; ".join(str(one["message"]) for how in ("all", "any", "none") for one in node[how])


def told(page: Page, without: str = "") -> list[str]:
    """All text of the page in order, also of what is closed, but for what the selector names.

    It is read from the nodes, so that no style changes it. What has the attribute `hidden` is not told.
    """
    lines = str(_ask(page, "told", without or "#nothing-has-this-id")).split("\0")
    return [" ".join(line.split()) for line in lines if line.strip()]


def invisible(page: Page) -> list[str]:
    """Text and drawings that the colours in force have made one with what is behind them."""
    return [str(one) for one in _ask(page, "invisible")]


def compact(text: str) -> str:
    """Without what setting in lines and pages adds: white space and the marks of hyphenation."""
    return re.sub(r"[\s\u00ad\u0002\ufffe\u200b]+", "", text)


def printed(page: Page, paper: str = "A4") -> str:
    """The text of the page's PDF, compact."""
    return compact("".join(pages_of(page.pdf(format=paper))))


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page of a PDF."""
    import pypdfium2

    with pypdfium2.PdfDocument(pdf) as read:
        return [one.get_textpage().get_text_range() for one in read]
