"""The figures of the page: how large, how fast it is made, and how fast a browser opens it.

Its baseline is the receipt from which it is made: its size, and the time that `json.dumps` takes for it. A page is
opened from a file, in the browser that the tests use; where there is none, the row says so.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from artefact import own_code
from bench.clock import cpu, in_turns
from bench.figures import Row
from tests.support import chromium
from tests.support.shown import shown, wide

if TYPE_CHECKING:
    from playwright.sync_api import Page


class _Measured(NamedTuple):
    """One page: the words for its network, its receipt, and what it may take (0: no target)."""

    said: str
    receipt: Mapping[str, Any]
    kilobytes: int
    zipped: int
    milliseconds: int
    opened: int


def pages(scratch: Path) -> Iterator[Row]:
    """All rows. `scratch` is an empty folder."""
    measured = [
        _Measured("the demo's drift", shown("plan"), 80, 20, 10, 0),
        _Measured("a calm network", shown("calm"), 45, 12, 5, 0),
        _Measured("200 groups, 149 differences", shown("wide"), 200, 25, 30, 0),
        _Measured("200 groups, 10,000 differences", wide(differences=10_000), 400, 0, 0, 1000),
    ]
    from reconciler.report.page.html import page

    files = dict[str, Path]()
    for number, one in enumerate(measured):
        html = page(one.receipt)
        files[one.said] = scratch / f"{number}.html"
        files[one.said].write_text(html, encoding="utf-8")
        yield from _sizes(one, html.encode())
        yield _made(one, lambda one=one: page(one.receipt))  # type: ignore[misc]
    yield _first(scratch, measured[0])
    yield from _opened(files, measured, scratch)


def _sizes(one: _Measured, html: bytes) -> Iterator[Row]:
    source = json.dumps(one.receipt).encode()
    for what, ours, plain, most in (
        (f"page of {one.said}", len(html), len(source), one.kilobytes),
        ("  gzipped", len(gzip.compress(html)), len(gzip.compress(source)), one.zipped),
    ):
        target, good = (f"<= {most} KB", ours <= most * 1000) if most else ("", None)
        yield Row(what, f"{ours / 1000:.0f} KB", f"receipt: {plain / 1000:.0f} KB", target, good)


def _made(one: _Measured, make: Callable[[], object]) -> Row:
    repetitions = 5 if one.opened else 15
    pairs = in_turns(partial(cpu, make), lambda: cpu(lambda: json.dumps(one.receipt)), repetitions)
    ours, plain = (median(side) * 1000 for side in zip(*pairs, strict=True))
    target, good = (f"<= {one.milliseconds} ms", ours <= one.milliseconds) if one.milliseconds else ("", None)
    name = f"  rendering, templates loaded, cpu (n={repetitions})"
    return Row(name, f"{ours:.1f} ms", f"json.dumps: {plain:.1f} ms", target, good)


_FIRST = """
import json, sys, time
receipt = json.load(open(sys.argv[1], encoding="utf-8"))
begun = time.process_time()
from reconciler.report.page.html import page
page(receipt)
print(time.process_time() - begun)
"""
_MOST_OF_A_FIRST_PAGE = 120


def _first(scratch: Path, one: _Measured) -> Row:
    """Import and first page in a process that has made none, with the templates as the artefact has them."""
    source, folder = scratch / "receipt.json", scratch / "artefact"
    source.write_text(json.dumps(one.receipt), encoding="utf-8")
    own_code.copy(folder)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder)], check=True)

    def fresh(code: str) -> float:
        command = [sys.executable, "-c", code, str(source)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder, timeout=60).stdout)

    beside = "import time; begun = time.process_time(); import jinja2; print(time.process_time() - begun)"
    pairs = in_turns(lambda: fresh(_FIRST), lambda: fresh(beside), 7)
    ours, plain = (median(side) * 1000 for side in zip(*pairs, strict=True))
    name = f"first page in a process, {one.said}, cpu (n={len(pairs)})"
    good = ours <= _MOST_OF_A_FIRST_PAGE
    return Row(name, f"{ours:.0f} ms", f"import jinja2: {plain:.0f} ms", f"<= {_MOST_OF_A_FIRST_PAGE} ms", good)


def _opened(files: Mapping[str, Path], measured: list[_Measured], scratch: Path) -> Iterator[Row]:
    """From the start of the navigation to the end of the load event, and to the second frame after it."""
    found = chromium.find()
    if found is None:
        for one in measured:
            yield Row(f"opening the page of {one.said}", "not found", "no browser on this machine", "", None)
        return
    from playwright.sync_api import sync_playwright

    empty = scratch / "empty.html"
    empty.write_text("<!doctype html><title>Empty</title>", encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        tab = browser.new_page(viewport={"width": 1200, "height": 900})
        for one in measured:
            pairs = in_turns(partial(_opening, tab, files[one.said]), partial(_opening, tab, empty), 7)
            ours, plain = (median(side) for side in zip(*pairs, strict=True))
            target, good = (f"<= {one.opened} ms", ours <= one.opened) if one.opened else ("", None)
            name = f"opening the page of {one.said} (n={len(pairs)})"
            yield Row(name, f"{ours:.0f} ms", f"empty page: {plain:.0f} ms", target, good)
        browser.close()


_PAINTED = (
    """() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"""
)


def _opening(tab: Page, file: Path) -> float:
    """Milliseconds until the page is laid out and painted."""
    tab.goto(file.as_uri())
    return float(tab.evaluate(_PAINTED))
