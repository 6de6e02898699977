"""Puts the locked dependencies in a folder: installed for Lambda's platform, or copied from the current environment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePath

from artefact.own_code import ROOT

LOCK = ROOT / "requirements.txt"
_UNUSED = (("aws_lambda_powertools", "event_handler"),)
"""Packages within a dependency that no function imports, and that are large: the framework for web APIs."""
LAMBDA_PYTHON = (3, 13)
_KEPT_METADATA = re.compile(r"METADATA|LICEN[CS]E.*|NOTICE.*|COPYING.*|licenses")
"""What `importlib.metadata` and vulnerability scanners read."""


def install(target: Path, architecture: str) -> None:
    """Installs requirements.txt from the index, as wheels for Lambda on `architecture` (aarch64 or x86_64)."""
    # Lambda's Python 3.13 runs on Amazon Linux 2023, which has glibc 2.34.
    platforms = [f"--platform={tag}_{architecture}" for tag in ("manylinux2014", "manylinux_2_28")]
    version = ".".join(map(str, LAMBDA_PYTHON))
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-qq"]
    command += ["--require-hashes", "--no-deps", "--only-binary=:all:", *platforms, "--implementation=cp"]
    command += [f"--python-version={version}", "--no-compile", f"--target={target}", f"--requirement={LOCK}"]
    subprocess.run(command, check=True)  # noqa: S603 (fixed arguments)


def copy_installed(target: Path, names: Iterable[str] = ()) -> None:
    """Copies requirements.txt from the current environment, by pip's lists of files; for tests, without an index.

    `names`: these packages instead, in any version.
    """
    for name, version in [(name, "") for name in names] or locked():
        found = _installed(name)
        if found is None or version not in {"", found.version}:
            installed = found.version if found else "none"
            raise SystemExit(f"{LOCK.name} locks {name} {version}, this environment has {installed}: run `make test`")
        for file in found.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                (target / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(found.locate_file(file)), target / file)


def locked() -> list[tuple[str, str]]:
    """(name, version) of each line of requirements.txt."""
    return re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", LOCK.read_text("utf-8"), re.MULTILINE)


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def clean(target: Path) -> None:
    """Removes what no function reads: stubs, tests, scripts, the installer's notes, and packages that none imports."""
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif _unread(path.relative_to(target)):
            path.unlink()


def _unread(file: PurePath) -> bool:
    if file.parts[0].endswith(".dist-info"):
        return not _KEPT_METADATA.fullmatch(file.parts[1])
    stub = file.suffix in {".c", ".h", ".pxd", ".pyc", ".pyi", ".pyx"} or file.name == "py.typed"
    return stub or file.parts[0] == "bin" or "tests" in file.parts[:-1] or file.parts[:2] in _UNUSED
