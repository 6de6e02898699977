"""No property is forgotten: each one that a document may give has a case, and each case ends as its table says."""

from __future__ import annotations

import pytest

from desired_state.document import FORMAT
from desired_state.resource import SECTIONS
from reconciler.kinds import REGISTRY
from reconciler.model import Outcome
from tests.support.cases import CASES, Case, both, built, ended, left, mended, told
from tests.support.runs import Network, document
from tests.support.sampling import sampled

PROPERTIES = [(kind, field) for kind, model in SECTIONS.items() for field in model.described()]


def test_the_models_and_the_kinds_are_the_same_eight_of_format_1() -> None:
    assert FORMAT == 1
    assert set(SECTIONS) == set(REGISTRY)
    assert len(SECTIONS) == 8


@pytest.mark.parametrize(("kind", "field"), PROPERTIES)
def test_a_property_of_the_document_has_a_case_that_drifts_it(kind: str, field: str) -> None:
    assert [case for case in CASES if (case.kind, case.field) == (kind, field)]


def test_no_case_is_about_a_property_that_no_document_can_give() -> None:
    assert {(case.kind, case.field) for case in CASES} == set(PROPERTIES)


@pytest.mark.parametrize("case", sampled(CASES, 3, seed="cases", ids=list(map(str, CASES))))
def test_a_drifted_property_ends_as_the_table_says(net: Network, case: Case) -> None:
    wanted = built(net, case.start, from_clean=True)
    if case.wanted:
        adopt = {case.address: case.adopt(net)} if case.adopt else {}
        wanted = document(both(case.wanted, lambda written: written.update(adopt=adopt)))
    if case.outcome is Outcome.CORRECTED:
        report = mended(net, case.deed, wanted, case.policy, anew=case.wanted is not None)
        assert ended(report, case.address, case.field) == {Outcome.CORRECTED}, told(report)
    else:
        case.deed(net)
        left(net, case.address, case.field, case.outcome, case.why, wanted, case.policy)
