"""This machine's browser for tests/browser: Debian's chromium, or an installed Chrome. Nothing is ever downloaded.

`python -m tests.support.chromium` ends with 1 and says what to install where there is none: the gate leaves the browser
tests out then, and in CI it fails.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "SETPOINT_CHROMIUM"
"""Names the executable where it has another name or place than these."""
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
MISSING = (
    "The browser tests need Chromium, and this machine has none: install the package chromium (Debian: apt-get install "
    f"chromium; macOS: brew install --cask chromium; an installed Google Chrome does too, {VARIABLE}=/path/to/it names "
    "one elsewhere)."
)


def find(environment: Mapping[str, str] = os.environ, places: tuple[str, ...] = PLACES) -> str | None:
    """The executable; None where there is none, also where the one that was named does not exist."""
    named = environment.get(VARIABLE)
    if named:
        return shutil.which(named)
    found = (shutil.which(name, path=environment.get("PATH", "")) for name in NAMES)
    return next(filter(None, found), None) or next((place for place in places if Path(place).is_file()), None)


if __name__ == "__main__":
    sys.exit(None if find() else MISSING)
