"""One browser for each test process, and the pages that it has open; no test in here reaches a network.

Every test gets the marker `browser`. Chromium is this machine's own (tests/support/chromium.py): Playwright is told
where it is, and downloads none. A page stays open for the tests that only look at it (`Windows.at`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, override

import pytest

from tests.support import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.looking import Window

HERE = Path(__file__).parent
NOWHERE = ("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-background-networking")
"""No name leads anywhere: a page that asked for one would be seen to ask, and nobody else would hear of it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = {path for path in {item.path for item in items} if HERE in path.parents}
    for item in items:
        if item.path in here:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = chromium.find()
    if found is None:
        pytest.fail(chromium.MISSING, pytrace=False)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=NOWHERE)
        yield browser
        browser.close()


@dataclass
class Windows:
    """The pages that are open, by address and by whether script runs in them."""

    browser: Browser
    folder: Path
    _open: dict[tuple[str, bool], Window] = field(default_factory=dict)

    def fresh(self, url: str, *, script: bool = True) -> Window:
        """The page at this address, loaded just now, in a tab that shows it until the next is loaded."""
        if ("", script) not in self._open:
            self._open["", script] = self._tab(script=script)
        return self._open["", script].load(url)

    def at(self, url: str, *, script: bool = True) -> Window:
        """The page that is open there, in a tab of its own, as it was when it was loaded: for tests that only look."""
        if (url, script) not in self._open:
            self._open[url, script] = self._tab(script=script).load(url)
        return self._open[url, script].as_first_seen()

    def _tab(self, *, script: bool) -> Window:
        from tests.support.looking import Window

        context = self.browser.new_context(java_script_enabled=script, locale="en-GB", timezone_id="UTC")
        return Window(context.new_page())

    def file(self, name: str, html: str) -> str:
        """The address of a file with this page."""
        path = self.folder / f"{name}.html"
        path.write_text(html, encoding="utf-8", errors="surrogatepass")
        return path.as_uri()


@pytest.fixture(scope="session")
def windows(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Windows:
    return Windows(browser, tmp_path_factory.mktemp("pages"))


class Server(ThreadingHTTPServer):
    """Serves pages on 127.0.0.1, each below its own path, and remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.asked: list[str] = []
        self._pages: dict[str, tuple[bytes, str]] = {}

    def page(self, name: str, html: str, policy: str = "") -> str:
        """The address of this page, served under this Content-Security-Policy."""
        self._pages[f"/{name}"] = (html.encode("utf-8", "surrogatepass"), policy)
        return f"{self.url}/{name}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, path: str) -> tuple[bytes, str] | None:
        self.asked.append(path)
        return self._pages.get(path)


class _Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        answer = self.server.answer(self.path)
        body, policy = answer or (b"", "")
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """What was asked stands in `Server.asked`."""


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
