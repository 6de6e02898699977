"""PostgreSQL versions as RDS writes them: a total order over their grammar, and no text that raises an error."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desired_state.database import DbInstance
from desired_state.fields import Address
from desired_state.versions import Version, covers, declarable, is_later, parse, same, same_major, upgraded
from reconciler.kinds.db_instance.refused import impossible
from reconciler.kinds.db_instance.settings import Facts
from reconciler.model import Difference, Observed

IN_ORDER = (
    *("9.5.25", "9.6", "9.6.1", "9.6.20", "10.1", "10.18", "10.18-R1", "10.23", "10.23-R9999", "10.23-rds.1", "11.22"),
    *("11.22-rds.20240418", "11.22-rds.20241121", "12.22", "12.22-rds.20250508", "12.22-rds.20250814", "16.4", "17.2"),
)


@st.composite
def versions(draw: Any) -> str:
    """A text of RDS's grammar."""
    major = draw(st.sampled_from(["9.5", "9.6", "10", "12", "16", "17", "100"]))
    minor = draw(st.integers(0, 40))
    suffix = draw(st.sampled_from(["", "-R1", "-R2", "-rds.20240418", "-RDS.20250814"]))
    return f"{major}.{minor}{suffix}"


@pytest.mark.parametrize(("earlier", "later"), list(itertools.pairwise(IN_ORDER)))
def test_each_is_later_than_the_one_before(earlier: str, later: str) -> None:
    assert (is_later(later, earlier), is_later(earlier, later)) == (True, False)


def test_below_ten_the_major_version_is_two_numbers() -> None:
    assert parse("9.6.20") == Version((9, 6), 20)
    assert parse("12.22-rds.20250814") == Version((12,), 22, 20250814, extended=True)
    assert same_major("9.6.20", "9.6.1")
    assert not same_major("9.6.20", "9.5.20")
    assert covers("9.6", "9.6.20")
    assert not covers("9.6", "9.5.20")


@given(versions(), versions(), versions())
def test_the_order_is_total_and_regardless_of_case(one: str, two: str, three: str) -> None:
    assert is_later(one, one.upper()) is False
    assert same(one, one.upper())
    assert (is_later(one, two), is_later(two, one)) in {(True, False), (False, True), (False, False)}
    assert same(one, two) == (not is_later(one, two) and not is_later(two, one))
    if is_later(one, two) and is_later(two, three):
        assert is_later(one, three)


@given(versions(), versions(), st.booleans())
def test_only_a_later_minor_version_of_the_same_major_one_is_an_upgrade_of_aws(
    declared: str, found: str, automatically: bool
) -> None:
    by_itself = upgraded(declared, found, automatically=automatically)
    assert by_itself == (
        same_major(declared, found) and not is_later(declared, found) and (automatically or "-rds." in found.lower())
    )


@given(versions())
def test_every_version_of_rds_can_be_declared(version: str) -> None:
    assert declarable(version)
    assert same(str(DbInstance(engine_version=version).engine_version), version)


def _odd() -> st.SearchStrategy[str]:
    near = st.text("0123456789.-rRds²٣ \n", max_size=12)
    return st.one_of(st.text(max_size=20), near, versions(), st.just("9" * 5000), st.just("12.22-rds." + "9" * 5000))


@given(_odd(), _odd(), st.booleans())
def test_no_text_raises_an_error(declared: str, found: str, automatically: bool) -> None:
    """Neither in the comparison, nor where a change is planned."""
    want = DbInstance.model_construct(engine_version=declared, auto_minor_version_upgrade=automatically)
    have = DbInstance.model_construct(engine_version=found)
    agrees = DbInstance.agrees["engine_version"](want, have)
    assert agrees or declared != found
    seen = Observed("db", have, Facts({"engine_version": found}, frozenset(), "available", "vpc", "vpc"))
    problem = impossible(Difference(Address("db_instance/db"), "engine_version", None, declared, found), seen, ())
    assert agrees or problem or is_later(declared, found)


@pytest.mark.parametrize(
    ("declared", "found", "automatically", "drift"),
    [
        ("12.22", "12.22-rds.20250814", True, False),
        ("12.22", "12.22-rds.20250814", False, False),
        ("12.22-rds.20250508", "12.22-RDS.20250814", False, False),
        ("12.22-rds.20250814", "12.22", True, True),
        ("9.6.20", "9.6.22", True, False),
        ("9.6.20", "9.6.22", False, True),
        ("9.6.20", "9.5.25", True, True),
        ("10.23", "10.23-R2", False, True),
        ("10.23", "10.23-R2", True, False),
        ("16", "16.4", False, False),
        ("16", "17.2", True, True),
        ("1", "16.4", True, True),
    ],
)
def test_what_counts_as_drift(declared: str, found: str, automatically: bool, drift: bool) -> None:
    want = DbInstance(engine_version=declared, auto_minor_version_upgrade=automatically)
    have = DbInstance.model_construct(engine_version=found)
    assert DbInstance.agrees["engine_version"](want, have) is not drift
