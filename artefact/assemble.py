"""Assembles the artefact: a folder whose content is all that Lambda gets, and the same bytes as a zip."""

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
"""Where Lambda puts the artefact; tracebacks name files by it."""
_ASSEMBLY = sorted(Path(__file__).parent.glob("*.py"))


@dataclass(frozen=True)
class Recipe:
    """What kind of artefact.

    `architecture`: `aarch64` or `x86_64`, with wheels of the index for Lambda; empty: for this machine, with what the
    running environment has installed. `stock`: botocore's and boto3's data as they come, and all certificates.
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


def assembled(recipe: Recipe, build: Path = own_code.ROOT / "build") -> Path:
    """The folder of the artefact, in `build`; assembled anew only if something that goes into it has changed.

    The dependencies are kept by themselves, so that a change of our code asks no index. Only one process at a time
    works in `build`: tests running side by side share what is there.
    """
    build.mkdir(exist_ok=True)
    with _alone_in(build):
        inputs = _inputs_of_dependencies(recipe)
        layer = kept(build / f"{recipe.name}-dependencies", inputs, lambda folder: _dependencies(folder, recipe))

        def complete(folder: Path) -> None:
            shutil.copytree(layer, folder, copy_function=os.link)
            _own(folder)

        return kept(build / recipe.name, inputs + fingerprint([*own_code.sources(), *_ASSEMBLY]), complete)


def assemble(folder: Path, recipe: Recipe) -> None:
    """The artefact in `folder`, which must not be there yet; nothing is kept."""
    _dependencies(folder, recipe)
    _own(folder)


def kept(folder: Path, inputs: str, make: Callable[[Path], None]) -> Path:
    """`folder` as it was made of equal inputs before, or made anew; what was not finished does not count."""
    note = folder.with_name(f"{folder.name}.inputs")
    if not (note.exists() and note.read_text() == inputs):
        note.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        make(folder)
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
    asked = "" if recipe.stock else sorted((service, sorted(operations)) for service, operations in calls().items())
    made_by = sys.version if recipe.architecture else sys.version + sys.prefix
    return f"{recipe} {asked} {made_by} " + fingerprint([dependencies.LOCK, *_ASSEMBLY])


def calls() -> Calls:
    """Every operation that the functions may call."""
    from artefact import permissions

    return permissions.calls()


def _check_interpreter() -> None:
    if sys.version_info[:2] != dependencies.LAMBDA_PYTHON:
        wanted, here = ".".join(map(str, dependencies.LAMBDA_PYTHON)), sys.version.split()[0]
        raise SystemExit(
            f"The artefact is byte-compiled for Lambda's Python {wanted}, and this is {here}:\n"
            f"  make clean; make artefact PYTHON=/path/to/python{wanted}"
        )


def compile_all(folder: Path, *parts: str) -> None:
    """Byte code beside every module: Lambda cannot write it, and without it a cold start takes half as long again.

    It is not checked against its source, whose time no zip keeps. A process of its own compiles in one order, so that
    the bytes do not depend on what this one has done before. `parts`: only these folders in it.
    """
    command = [sys.executable, "-I", "-S", "-m", "compileall", "-q", "-f", "--invalidation-mode=unchecked-hash"]
    command += ["-s", str(folder), "-p", TASK_ROOT, *(str(folder / part) for part in parts or [""])]
    subprocess.run(command, check=True)  # noqa: S603 (our own arguments)


def fingerprint(files: Iterable[Path]) -> str:
    """A digest of the names and contents of files of this project."""
    digest = hashlib.sha256()
    for file in sorted(files):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(own_code.ROOT)} {len(content)} ".encode() + content)
    return digest.hexdigest()


def pack(folder: Path, archive: Path) -> None:
    """The zip of `folder`: equal bytes for equal files, whatever their times, owners and order on disk."""
    partial = archive.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in _files(folder):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())  # with the earliest time a zip can say
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            packed.writestr(entry, file.read_bytes())
    partial.replace(archive)


def sizes(folder: Path, archive: Path) -> Sizes:
    """How large the artefact is."""
    files = _files(folder)
    return Sizes(sum(file.stat().st_size for file in files), archive.stat().st_size, len(files))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextmanager
def _alone_in(build: Path) -> Iterator[None]:
    with (build / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
