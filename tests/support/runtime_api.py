"""Lambda on this machine: AWS's own runtime client runs an artefact, and is answered as the Runtime API answers it.

The function's process sees the artefact, the runtime client and Python's library, nothing of the environment that the
tests run in: what the artefact lacks is missing here as it is on AWS (Lambda developer guide, Runtime API).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Self

ACCOUNT, REGION = "123456789012", "ap-northeast-2"


@dataclass(frozen=True)
class Answer:
    """What an invocation came to: a payload, or Lambda's description of the error; and what was logged meanwhile."""

    payload: Any
    error: Mapping[str, Any] | None
    log_lines: tuple[str, ...]
    seconds: float


@dataclass
class Lambda:
    """A function; its process starts with the block and ends with it, or when an invocation takes too long.

    `handler` is spelled as in the template, `runtime` is the folder of AWS's client, `env` adds to what Lambda sets.
    The first answer includes the start: its time, its lines, its error if the function cannot be loaded.
    """

    artefact: Path
    handler: str
    runtime: Path
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    memory: int = 512
    _events: SimpleQueue[tuple[float, bytes] | None] = field(default_factory=SimpleQueue)
    _answers: SimpleQueue[tuple[bool, bytes]] = field(default_factory=SimpleQueue)
    _logged: int = 0

    def __enter__(self) -> Self:
        self._api = _Server(("127.0.0.1", 0), _api(self))
        Thread(target=self._api.serve_forever, args=(0.01,), daemon=True).start()
        self._begun = time.monotonic()
        command = [sys.executable, "-S", "-m", "awslambdaric", self.handler]  # -S: without site-packages
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self.artefact, env=self._environment(), stdout=log, stderr=subprocess.STDOUT
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(10)
        self._events.put(None)
        self._api.shutdown()
        self._api.server_close()

    @property
    def name(self) -> str:
        """What the template calls it: `setpoint-worker`."""
        return f"setpoint-{self.handler.split('.')[-2]}"

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.name}"

    def invoke(self, event: Any, *, deadline_ms: int = 300_000) -> Answer:
        """The function's answer to `event`. One that comes too late is killed for it, as Lambda does."""
        begun, self._begun = self._begun or time.monotonic(), 0.0
        deadline = time.time() + deadline_ms / 1000
        self._events.put((deadline, json.dumps(event).encode()))
        good, body = self._answered(deadline)
        lines = self.log.read_bytes()[self._logged :]
        self._logged += len(lines)
        told = json.loads(body)
        text = tuple(lines.decode().splitlines())
        return Answer(told if good else None, None if good else told, text, time.monotonic() - begun)

    def _answered(self, deadline: float) -> tuple[bool, bytes]:
        ended = None
        while time.time() < deadline and ended is None:
            ended = self._process.poll()  # before the look: what it answered last is there when it has ended
            try:
                return self._answers.get(timeout=0.05)
            except Empty:
                continue
        self._process.kill()
        error = "Sandbox.Timedout" if ended is None else "Runtime.ExitError"
        return False, json.dumps({"errorType": error, "errorMessage": f"{self.name} ended: {ended}"}).encode()

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": f"{self.artefact}:{self.runtime}",
            "LAMBDA_TASK_ROOT": str(self.artefact),
            "_HANDLER": self.handler,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.server_port}",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_SESSION_TOKEN": "testing",
            **self.env,
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a function that was killed leaves its connection so
            super().handle_error(request, client_address)


def _api(function: Lambda) -> type[BaseHTTPRequestHandler]:
    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for the client's acknowledgement

        def do_GET(self) -> None:
            event = function._events.get()
            if event is None:
                self.close_connection = True
                return
            deadline, body = event
            self._send(200, body, Deadline_Ms=int(deadline * 1000), Aws_Request_Id=uuid.uuid4())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            function._answers.put((self.path.endswith("/response"), body))
            self._send(202, b"")

        def _send(self, status: int, body: bytes, **about: object) -> None:
            self.send_response(status)
            for name, value in {**about, "Invoked_Function_Arn": function.arn}.items():
                self.send_header("Lambda-Runtime-" + name.replace("_", "-"), str(value))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet: what the function logs is what counts."""

    return Api
