"""`python -m artefact`: what `make artefact` and SAM's `make build-<function>` start; prints the sizes."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from artefact.assemble import Recipe, assembled, pack, sizes


def main() -> None:
    """Assembles what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m artefact", description="Assemble the Lambda artefact.")
    parser.add_argument("--architecture", choices=["arm64", "x86_64"], default="arm64")
    parser.add_argument("--stock", action="store_true", help="leave botocore's data and certificates as they come")
    parser.add_argument("--into", type=Path, help="copy the artefact into this folder instead of packing it")
    asked = parser.parse_args()
    wheels = {"arm64": "aarch64"}.get(asked.architecture, asked.architecture)
    folder = assembled(Recipe(wheels, stock=asked.stock))
    if asked.into:
        shutil.copytree(folder, asked.into, dirs_exist_ok=True)
        return
    archive = folder.parent / "setpoint.zip"
    pack(folder, archive)
    told = sizes(folder, archive)
    print(  # noqa: T201 (a command's answer)
        f"{archive.relative_to(Path.cwd())}: {told.zipped / 1e6:.1f} MB, "
        f"unzipped {told.unzipped / 1e6:.1f} MB in {told.files} files, for {folder.name}"
    )


if __name__ == "__main__":
    main()
