"""`python -m artefact`, for `make artefact` and SAM's `make build-<function>`; prints the sizes."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from artefact.assemble import Recipe, assembled, pack, sizes


def main() -> None:
    """Builds the artefact that the arguments describe."""
    parser = argparse.ArgumentParser(prog="python -m artefact", description="Assemble the Lambda artefact.")
    parser.add_argument("--architecture", choices=["arm64", "x86_64"], default="arm64")
    parser.add_argument("--stock", action="store_true", help="keep all of botocore's data and certificates")
    parser.add_argument("--into", type=Path, help="copy the artefact into this folder instead of packing it")
    options = parser.parse_args()
    wheels = {"arm64": "aarch64"}.get(options.architecture, options.architecture)
    folder = assembled(Recipe(wheels, stock=options.stock))
    if options.into:
        shutil.copytree(folder, options.into, dirs_exist_ok=True)
        return
    archive = folder.parent / "setpoint.zip"
    pack(folder, archive)
    size = sizes(folder, archive)
    print(  # noqa: T201 (a command's output)
        f"{archive.relative_to(Path.cwd())}: {size.zipped / 1e6:.1f} MB, "
        f"unzipped {size.unzipped / 1e6:.1f} MB in {size.files} files, for {folder.name}"
    )


if __name__ == "__main__":
    main()
