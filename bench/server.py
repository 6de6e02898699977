"""Replays AWS's answers: an HTTP server on 127.0.0.1 in its own process.

`python -m bench.server FOLDER [CERTIFICATE]` serves the worlds in FOLDER (`worlds.py`), each under its folder's name,
prints its port on stdout, and exits at the end of its stdin, so that it does not outlive its parent. Every POST is
answered after LATENCY seconds and counted, with its number in place of CHANGES; GET /<world>/calls returns the counts
and resets them. With a certificate (and its key, in one file) it uses TLS.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs

CHANGES = b"__CHANGES__"
"""Stands in an answer for what is never the same twice."""
_NARROWING = ("GroupId.1", "VpcId", "Filter.1.Value.1")
"""Parameters by which a world may have an answer of its own, as the last part of its file's name."""
LATENCY = 0.05
"""Seconds that AWS takes for an answer; an assumption, the same for both sides of every ratio."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    worlds: ClassVar[dict[str, dict[str, bytes]]] = {}
    counts: ClassVar[defaultdict[str, Counter[str]]] = defaultdict(Counter)
    numbers: ClassVar[Iterator[int]] = count()
    lock: ClassVar = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = parse_qs(body.decode())
        world, operation = self.path.strip("/"), asked["Action"][0]
        with self.lock:
            self.counts[world][operation] += 1
            number = next(self.numbers)
        name = f"{operation}.{asked['Attribute'][0]}" if operation == "DescribeVpcAttribute" else operation
        time.sleep(LATENCY)
        narrowed = (f"{name}.{asked[one][0]}" for one in _NARROWING if one in asked)
        answer = next(filter(None, map(self.worlds[world].get, (*narrowed, name))), None)
        if answer is None:
            self._send(400, "text/xml", b"<Response/>")
        else:
            self._send(200, "text/xml", answer.replace(CHANGES, b"%d" % number) if CHANGES in answer else answer)

    def do_GET(self) -> None:
        with self.lock:
            counts = self.counts.pop(self.path.strip("/").partition("/")[0], Counter())
        self._send(200, "application/json", json.dumps(counts).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        head = f"HTTP/1.1 {status} Replayed\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.wfile.write(head.encode() + body)  # in one piece: a second packet would wait for the first one's receipt

    def log_message(self, *_: object) -> None:
        """Quiet: the table is all that is printed."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@contextmanager
def replaying(folder: Path, certificate: Path | None = None) -> Iterator[str]:
    """The URL under which the worlds in `folder` are replayed by a process of its own."""
    with serving("-m", "bench.server", str(folder), *([str(certificate)] if certificate else [])) as port:
        yield f"http{'s' if certificate else ''}://127.0.0.1:{port}"


@contextmanager
def serving(*arguments: str) -> Iterator[int]:
    """The port on which a process of this Python serves, which it prints first. It is ended at the end."""
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline())
        finally:
            server.terminate()
            server.wait(10)


def counted(url: str) -> dict[str, int]:
    """The calls that the world at `url` has answered since it was last asked, by operation."""
    assert url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(f"{url}/calls") as answer:  # noqa: S310 (the server above)
        counts: dict[str, int] = json.load(answer)
    return counts


def main() -> None:
    folder, *certificate = map(Path, sys.argv[1:])
    _Handler.worlds = {
        world.name: {file.stem: file.read_bytes() for file in world.glob("*.xml")} for world in folder.iterdir()
    }
    server = _Server(("127.0.0.1", 0), _Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate[0])
        # Each connection shakes hands in its own thread, not before the next one is taken.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
