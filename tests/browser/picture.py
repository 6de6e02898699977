"""`make picture`: the top of a page as the picture with which the README begins.

python -m tests.browser.picture PAGE.html PICTURE.png
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support import chromium

WIDTH, HEIGHT = 1200, 1500
LARGEST = 200_000
"""Bytes: whoever opens the README loads it."""


def take(page: Path, picture: Path) -> None:
    """Ends the program with a sentence where there is no browser, or if the picture is too large."""
    found = chromium.find()
    if found is None:
        sys.exit(chromium.MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.resolve().as_uri())
        taken = tab.screenshot(animations="disabled")
        browser.close()
    if len(taken) >= LARGEST:
        sys.exit(
            f"{picture}: {len(taken)} bytes, and the README's picture has less than {LARGEST}: show less of the page"
        )
    picture.write_bytes(taken)


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]))
