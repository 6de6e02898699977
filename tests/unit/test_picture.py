"""The picture with which the README begins."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
LARGEST = 200_000


def test_the_readme_begins_with_the_picture_and_says_what_it_shows() -> None:
    said = re.match(r"# Setpoint\n\n!\[([^\]]+)\]\(([^)]+)\)\n", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert said is not None
    assert said[2] == "docs/page.png"
    assert len(said[1].split()) >= 20


def test_the_picture_is_a_small_png() -> None:
    path = ROOT / "docs" / "page.png"
    assert path.stat().st_size < LARGEST
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert 1000 <= picture.width <= 1200
        assert len(picture.convert("RGB").getcolors(maxcolors=1 << 24) or ()) > 8, "it shows something"
