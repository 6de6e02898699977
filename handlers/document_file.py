"""Writes documents to files: a new one never replaces anything, and one that is added to is replaced as a whole.

The bytes are complete and on the disk before the file has its name, so that nobody ever reads half a document, whatever
happens meanwhile.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from desired_state.sanitize import sanitize


class FileRefused(Exception):
    """A file that cannot be written, and why. Nothing was written."""


def check_new(path: Path, *, makes_folder: bool = False) -> None:
    """Refuse, before any work, a place where no new file can be; its folder may be missing if `makes_folder`. Raises
    FileRefused.
    """
    shown = sanitize(str(path))
    if os.path.lexists(path):
        raise FileRefused(_exists(path))
    if not path.parent.is_dir() and not makes_folder:
        raise FileRefused(f"{shown}: the folder does not exist: create it, or give another --out")


def make_folder(path: Path) -> None:
    """Make the folder of several documents, if it does not exist. Raises FileRefused."""
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise FileRefused(_cannot(path, error)) from error


def create(path: Path, data: bytes) -> None:
    """Write a new file. Raises FileRefused, also if the file has come to exist meanwhile."""
    with _complete(path, data) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError as error:
            raise FileRefused(_exists(path)) from error
        except OSError:  # a file system without hard links
            _create_exclusively(path, data)
        _sync_folder(path)


def replace(path: Path, data: bytes, before: bytes) -> None:
    """Write a file in place of the one that had the bytes `before`. Raises FileRefused if it has others now."""
    path = Path(os.path.realpath(path))  # a link to a document stays a link
    try:
        mode = path.stat().st_mode & 0o7777
        current = path.read_bytes()
    except OSError as error:
        raise FileRefused(_cannot(path, error)) from error
    if current != before:
        raise FileRefused(f"{sanitize(str(path))} has changed meanwhile: run it again")
    with _complete(path, data) as temporary:
        try:
            temporary.chmod(mode)
            temporary.replace(path)
        except OSError as error:
            raise FileRefused(_cannot(path, error)) from error
        _sync_folder(path)


@contextmanager
def _complete(path: Path, data: bytes) -> Iterator[Path]:
    """All bytes in a temporary file in the folder of `path`; removed at the end if it is still there."""
    temporary = None
    try:
        try:
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            temporary = Path(name)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
        except OSError as error:
            raise FileRefused(_cannot(path, error)) from error
        yield temporary
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _create_exclusively(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise FileRefused(_exists(path)) from error
    except OSError as error:
        raise FileRefused(_cannot(path, error)) from error


def _umask() -> int:
    """The process's mask for new files: `mkstemp` makes files that nobody else may read."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(path: Path) -> None:
    """Make the file's name last, where a folder can be synced."""
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _exists(path: Path) -> str:
    shown = sanitize(str(path))
    return f"{shown} exists: give --into {shown} to add to it, or another --out"


def _cannot(path: Path, error: OSError) -> str:
    return f"{sanitize(str(path))}: cannot be written: {error.strerror}; check the path"
