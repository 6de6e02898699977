"""What holds for every test: how hypothesis searches, and that all of them together use what the roles allow.

That no test leaves this machine stands in pyproject.toml (pytest-socket).
"""

import gc
import os
from collections.abc import Generator
from typing import Any

import pytest
from botocore.hooks import EventAliaser
from hypothesis import settings

from tests.support.exact_role import ExactRole

# The gate asks the same examples every time, so a red run is about the change and not about luck; `make long` looks for
# new ones, and prints what repeats a failure. Neither has a deadline: two test processes share the machine.
settings.register_profile("ci", max_examples=50, derandomize=True, deadline=None, print_blob=True)
settings.register_profile("long", max_examples=2_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# Each session and client of botocore finds out anew which aliases the names of its events have: most of the time that a
# session takes. The aliases are botocore's own everywhere, so one of them knows the names for all.
_aliaser: Any = EventAliaser
_aliaser._alias_event_name = _aliaser(None)._alias_event_name


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(ExactRole(config), "exact-role")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """What is collected stays until the end: a collection of garbage that looked through it would find nothing."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        gc.enable()
