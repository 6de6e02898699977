"""`make picture`: what the README begins with, out of the page of the demo.

python -m tests.browser.picture PAGE.html PICTURE.png
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from tests.support import chromium

WIDTH = 1200
LARGEST = 200_000
"""Bytes: whoever opens the README loads them."""
COLOURS = 128
LEFT_OUT = ("days", "network")
"""Parts of the page between the verdict and the lanes, so that both are in one picture."""
STEPS, LANES = 5, 4
"""The state that is shown, in which some doors are shut already, and the lanes of which it shows how they go on."""


def take(page: Path, picture: Path) -> None:
    """Ends the program with a sentence where there is no browser, or if the picture is too large."""
    found = chromium.find()
    if found is None:
        sys.exit(chromium.MISSING)
    small = reduced(seen(page, found))
    if len(small) >= LARGEST:
        sys.exit(f"{picture}: {len(small)} bytes, but the README's picture must have less than {LARGEST}")
    picture.write_bytes(small)
    sys.stdout.write(f"{picture}: {len(small) / 1000:.0f} KB\n")


def seen(page: Path, browser: str) -> bytes:
    """The top of the page, with the lanes right below the verdict."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser)
        tab = launched.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        tab.goto(page.resolve().as_uri())
        for part in LEFT_OUT:
            tab.locator(f"#{part}").evaluate("part => { part.hidden = true; }")
        for _ in range(STEPS):
            tab.get_by_role("button", name="Next").click()
        tab.evaluate("document.activeElement.blur()")
        tab.mouse.move(0, 0)
        last = (
            tab.locator("#reach tbody tr")
            .nth(LANES - 1)
            .evaluate("row => row.getBoundingClientRect().bottom + scrollY")
        )
        tab.evaluate("scrollTo(0, 0)")
        taken = tab.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": last})
        launched.close()
    return taken


def reduced(taken: bytes) -> bytes:
    """The same picture with a palette, which halves it and cannot be seen in text and lines."""
    with Image.open(io.BytesIO(taken)) as picture, io.BytesIO() as small:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
        return small.getvalue()


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]))
