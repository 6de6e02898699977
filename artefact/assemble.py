"""Builds the artefact: a folder with everything that Lambda gets, and the zip of it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from artefact import dependencies, own_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from artefact.prune import Calls

TASK_ROOT = "/var/task"
"""Where Lambda unpacks the artefact; tracebacks name files by it."""
BUILD = own_code.ROOT / "build"
_ASSEMBLY = sorted(Path(__file__).parent.glob("*.py"))


@dataclass(frozen=True)
class Recipe:
    """`architecture`: `aarch64` or `x86_64`, with Lambda's wheels from the index; empty: this machine's, with what the
    current environment has installed. `stock`: all of botocore's and boto3's data, and all certificates.
    """

    architecture: str = ""
    stock: bool = False

    @property
    def name(self) -> str:
        return (self.architecture or "here") + ("-stock" if self.stock else "")


class Sizes(NamedTuple):
    """Bytes of the files, bytes of the zip, number of files."""

    unzipped: int
    zipped: int
    files: int


def assembled(recipe: Recipe) -> Path:
    """The folder of the artefact, in BUILD; rebuilt only if an input has changed.

    The dependencies are cached separately, so that a change of Setpoint's code needs no index. A lock lets one process
    at a time work there, because parallel tests share it.
    """
    BUILD.mkdir(exist_ok=True)
    with _alone_in(BUILD):
        inputs = _inputs_of_dependencies(recipe)
        layer = cached(BUILD / f"{recipe.name}-dependencies", inputs, lambda folder: _dependencies(folder, recipe))

        def complete(folder: Path) -> None:
            shutil.copytree(layer, folder, copy_function=os.link)
            _own(folder)

        return cached(BUILD / recipe.name, inputs + fingerprint([*own_code.sources(), *_ASSEMBLY]), complete)


def assemble(folder: Path, recipe: Recipe) -> None:
    """Builds the artefact in `folder`, which must not exist yet, without the cache."""
    _dependencies(folder, recipe)
    _own(folder)


def cached(folder: Path, inputs: str, create: Callable[[Path], None]) -> Path:
    """`folder`, created again unless it was completed with the same inputs before."""
    note = folder.with_name(f"{folder.name}.inputs")
    if not (note.exists() and note.read_text() == inputs):
        note.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        create(folder)
        note.write_text(inputs)
    return folder


def _dependencies(folder: Path, recipe: Recipe) -> None:
    folder.mkdir(parents=True)
    if recipe.architecture:
        _check_interpreter()
        dependencies.install(folder, recipe.architecture)
    else:
        dependencies.copy_installed(folder)
    dependencies.clean(folder)
    if not recipe.stock:
        from artefact.prune import prune

        prune(folder, calls())
    compile_all(folder)


def _own(folder: Path) -> None:
    own_code.copy(folder)
    compile_all(folder, *own_code.PACKAGES)


def _inputs_of_dependencies(recipe: Recipe) -> str:
    called = "" if recipe.stock else sorted((service, sorted(operations)) for service, operations in calls().items())
    python = sys.version if recipe.architecture else sys.version + sys.prefix
    return f"{recipe} {called} {python} " + fingerprint([dependencies.LOCK, *_ASSEMBLY])


def calls() -> Calls:
    """Every operation that the product calls."""
    from artefact import permissions

    return permissions.calls()


def _check_interpreter() -> None:
    if sys.version_info[:2] != dependencies.LAMBDA_PYTHON:
        required, current = ".".join(map(str, dependencies.LAMBDA_PYTHON)), sys.version.split()[0]
        raise SystemExit(
            f"The artefact is byte-compiled for Lambda's Python {required}, and this is {current}:\n"
            f"  make clean; make artefact PYTHON=/path/to/python{required}"
        )


def compile_all(folder: Path, *parts: str) -> None:
    """Byte code for every module: Lambda cannot write it, and without it a cold start takes 50 % longer.

    It is not checked against its source, because the zip has no modification times. A separate process compiles, so
    that the bytes do not depend on what this one did before. `parts`: only these folders.
    """
    command = [sys.executable, "-I", "-S", "-m", "compileall", "-q", "-f", "--invalidation-mode=unchecked-hash"]
    command += ["-s", str(folder), "-p", TASK_ROOT, *(str(folder / part) for part in parts or [""])]
    subprocess.run(command, check=True)  # noqa: S603 (fixed arguments)


def fingerprint(files: Iterable[Path]) -> str:
    """A digest of the names and contents of project files."""
    digest = hashlib.sha256()
    for file in sorted(files):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(own_code.ROOT)} {len(content)} ".encode() + content)
    return digest.hexdigest()


def pack(folder: Path, archive: Path) -> None:
    """The zip of `folder`, reproducible: times, owners and the order on disk do not matter."""
    partial = archive.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in _files(folder):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())  # with the earliest time of a zip, 1980
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            packed.writestr(entry, file.read_bytes())
    partial.replace(archive)


def sizes(folder: Path, archive: Path) -> Sizes:
    """The sizes of the artefact."""
    files = _files(folder)
    return Sizes(sum(file.stat().st_size for file in files), archive.stat().st_size, len(files))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def _alone_in(build: Path) -> Iterator[None]:
    with (build / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
