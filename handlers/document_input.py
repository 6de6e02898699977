"""Documents that a command is given: files, or `-` for stdin."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from desired_state.load import DocumentError, load
from desired_state.sources import read_file
from desired_state.strict_json import MAX_BYTES
from handlers.refusal import Kind, Refused, refusing
from handlers.trace import Trace

if TYPE_CHECKING:
    from desired_state.document import Document

STDIN = Path("-")


def is_stdin(path: Path) -> bool:
    """Whether this stands for stdin."""
    return path == STDIN


def origin(path: Path) -> str:
    """What messages call it."""
    return "stdin" if is_stdin(path) else str(path)


def data(path: Path, trace: Trace | None = None) -> bytes:
    """The bytes of a document, at most one more than it may have. Raises DocumentError, and Refused without a stdin."""
    trace = trace or Trace()
    trace.tell(f"reading {origin(path)}")
    read = _stdin() if is_stdin(path) else read_file(path)
    trace.tell(f"read {len(read):,} bytes, sha256 {hashlib.sha256(read).hexdigest()}")
    return read


def document(path: Path, trace: Trace | None = None) -> Document:
    """The document. Raises Refused."""
    return refusing(DocumentError, Kind.DOCUMENT, lambda: load(data(path, trace), origin(path)))


def check_stdin(paths: list[Path]) -> None:
    """Refuse `-` more than once: stdin can be read once."""
    if sum(map(is_stdin, paths)) > 1:
        raise Refused("- stands for stdin, which can be read once: give one document by it")


def _stdin() -> bytes:
    if sys.stdin is None:  # closed by whoever started the command
        raise Refused("stdin: it is closed, and - reads the document from it; pipe the document in", Kind.DOCUMENT)
    try:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: closed in this process
        raise Refused(f"stdin: it cannot be read: {error}; pipe the document in", Kind.DOCUMENT) from error
