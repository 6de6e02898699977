"""Mistakes of our own: a test looks at every call that is made, and raises in one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def mistaken(mistake: Callable[[FrameType, str, object], None]) -> Iterator[None]:
    """Have `mistake` called for every call and return of a function, as by `sys.setprofile`."""
    before = sys.getprofile()
    sys.setprofile(mistake)
    try:
        yield
    finally:
        sys.setprofile(before)
