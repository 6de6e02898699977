"""What goes wrong between us and AWS: refused, throttled, lost, stale. Nothing is lost, nothing is guessed, the rest
is served.

Every write of the registry fails in a world that makes it: the reference network after one of the deeds of
`tests/support/deeds.py` and one drift beside it. Each such world is made once and put back for every test. In the gate
each write meets one of the three faults, in the long suite all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

import pytest
from botocore.parsers import ResponseParserError

from artefact.permissions import read_permissions
from desired_state.document import Document
from lab.drifts import DRIFTS
from lab.faults import FOR_EVER
from lab.strict_aws import Call
from lab.world import World
from reconciler.aws.client import WRITE_ATTEMPTS
from reconciler.engine.observe import ObserveError
from reconciler.engine.result import Report
from reconciler.model import Ended, Outcome, Policy, Reason
from tests.support.cases import carrying, told
from tests.support.deeds import NEEDS, OPERATIONS, OPTIONAL_READS, READ_NEEDS, Need, Somebody, code_of
from tests.support.packets import State, violations
from tests.support.runs import Network, document
from tests.support.sampling import dealt, sampled

READS = sorted(one.partition(":")[2] for one in read_permissions().actions)
EVERYTHING = Need(Somebody.every_drift, beside="")
LOST_ANSWERS = {"ReadTimeoutError", "ConnectionClosedError"}
"""What the laboratory says of a call that was carried out and whose answer never came."""


@dataclass(frozen=True)
class Scene:
    """A world that makes an operation necessary: what is wanted there, and its packets."""

    world: World
    need: Need
    wanted: Document
    before: State

    def run(self, net: Network) -> Report:
        return net.run(self.wanted, self.need.policy)


def writes(net: Network) -> list[Call]:
    return [call for call in net.lab.calls if call.kind == "write"]


def carried_out(net: Network) -> list[Call]:
    """The writes that AWS carried out, whether its answer came or not."""
    return [call for call in writes(net) if call.error is None or call.error in LOST_ANSWERS]


def _makes(names: Iterable[str]) -> Counter[str]:
    inside = {"CreateTags", "CreateRoute", "CreateNetworkAclEntry"}
    return Counter(name for name in names if name.startswith("Create") and name not in inside)


def created(net: Network) -> Counter[str]:
    """How many resources of each kind AWS made."""
    return _makes(call.operation for call in carried_out(net))


def to_create(report: Report) -> Counter[str]:
    """How many resources of each kind were missing when a run began."""
    return _makes(action.operation.name for action in report.plan.actions)


def until_calm(run: Callable[[], Report], net: Network) -> None:
    """Runs until one has nothing to write, three at most: the first may end while the database is still changing."""
    report = run()
    for _ in range(2):
        if report.in_sync and not report.writes:
            break
        net.lab.settle()
        report = run()
    assert (report.in_sync, report.writes) == (True, 0), told(report)


@pytest.fixture(scope="session")
def scenes() -> dict[str, Scene]:
    """The worlds made so far, by the operation."""
    return {}


@pytest.fixture
def scene(net: Network, operation: str, scenes: dict[str, Scene]) -> Scene:
    """The world in which a run makes `operation`, as it was before that run."""
    return _put(net, scenes, operation, NEEDS[operation])


@pytest.fixture
def drifted(net: Network, scenes: dict[str, Scene]) -> Scene:
    """All drifts of the laboratory at once."""
    return _put(net, scenes, "", EVERYTHING)


def _made(net: Network, need: Need) -> Scene:
    """Do the deed and the drift beside it."""
    somebody = Somebody(net.lab, net.hands, net.live)
    need.deed(somebody)
    if need.beside:
        somebody.drift(need.beside)
    net.lab.settle()
    return Scene(net.lab.save(), need, document(need.revised), net.state())


def _put(net: Network, scenes: dict[str, Scene], name: str, need: Need) -> Scene:
    """Put the world of that name, made once, and forget the calls that led to it."""
    if name not in scenes:
        scenes[name] = _made(net, need)
    net.lab.restore(scenes[name].world)
    net.lab.calls.clear()
    return scenes[name]


def finished(net: Network, scene: Scene, operation: str, missing: Counter[str], states: list[State]) -> None:
    """What must hold once the fault is over: all is put right, nothing was made twice, and no packet paid for it."""
    net.lab.faults.clear()
    net.lab.settle()
    until_calm(lambda: scene.run(net), net)
    assert created(net) == missing
    assert operation in {call.operation for call in carried_out(net)}
    assert violations(scene.before, net.state(), states) == []


def beside(report: Report, scene: Scene, operation: str) -> None:
    """What has nothing to do with the operation was corrected. The other document of `CreateVpc` has nothing else."""
    stopped = {one.action.address for one in report.action_results if one.cause}
    served = [drift for drift in report.drifts if drift.address not in stopped]
    assert {drift.outcome for drift in served} <= {Outcome.CORRECTED}, told(report)
    does = [one for one in report.action_results if one.action.operation.name == scene.need.does and not one.cause]
    assert served or operation == "CreateVpc"
    assert does or operation == "CreateVpc"


def test_every_write_of_the_registry_has_a_deed_that_makes_it_necessary() -> None:
    assert NEEDS.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("operation", dealt(sorted(NEEDS), 0, 3))
def test_a_write_that_is_refused_costs_nothing_else(net: Network, scene: Scene, operation: str) -> None:
    with net.watched() as states:
        net.lab.faults.refuse(operation)
        report = scene.run(net)
        assert {call.error for call in writes(net) if call.operation == operation} == {code_of(operation)}
        failed = [drift.cause for drift in report.drifts if drift.outcome is Outcome.FAILED]
        failed += [one.cause for one in report.orphaned if one.outcome is Outcome.FAILED]
        assert failed
        assert {(one and one.reason, one and one.code) for one in failed} == {(Reason.REFUSED, code_of(operation))}
        assert all(one and operation in one.message for one in failed), failed
        beside(report, scene, operation)
        finished(net, scene, operation, to_create(report), states)


@pytest.mark.parametrize("operation", dealt(sorted(NEEDS), 1, 3))
def test_a_lost_answer_is_judged_by_looking_again(net: Network, scene: Scene, operation: str) -> None:
    with net.watched() as states:
        net.lab.faults.lose_answer(operation)
        report = scene.run(net)
        met = [call for call in writes(net) if call.operation == operation and call.error in LOST_ANSWERS]
        assert len(met) == 1
        assert not report.failed, told(report)
        beside(report, scene, operation)
        finished(net, scene, operation, to_create(report), states)
    assert Counter((call.operation, str(call.params)) for call in carried_out(net)).most_common(1)[0][1] == 1


@pytest.mark.parametrize("operation", dealt(sorted(NEEDS), 2, 3))
def test_a_storm_of_throttles_ends_the_call_and_nothing_else(net: Network, scene: Scene, operation: str) -> None:
    with net.watched() as states:
        net.lab.faults.throttle(operation, times=FOR_EVER)
        report = scene.run(net)
        met = [call for call in writes(net) if call.operation == operation]
        assert {call.error for call in met} == {
            "Throttling" if OPERATIONS[operation].service == "rds" else "RequestLimitExceeded"
        }
        assert {*Counter(str(call.params) for call in met).values()} == {WRITE_ATTEMPTS}
        waiting = [one for one in report.action_results if one.cause and one.cause.reason is Reason.THROTTLED]
        assert {one.action.operation.name for one in waiting} == {operation}
        assert (report.failed, report.in_sync) == (False, False)
        beside(report, scene, operation)
        finished(net, scene, operation, to_create(report), states)


def test_throttled_writes_are_sent_again_and_end_well(net: Network, drifted: Scene) -> None:
    net.lab.faults.throttle("RevokeSecurityGroupIngress", times=2)
    until_calm(net.run, net)
    assert [call.error for call in writes(net)].count("RequestLimitExceeded") == 2
    assert net.clock.at > net.started


# Without the VPC nothing is read; the interfaces are no resources, and these worlds have no intents.
@pytest.mark.parametrize(
    "operation",
    sampled(sorted(set(READS) - OPTIONAL_READS - {"DescribeVpcs", "DescribeNetworkInterfaces"}), 3, seed="read"),
)
def test_a_read_that_is_refused_never_counts_as_absent(net: Network, operation: str, scenes: dict[str, Scene]) -> None:
    """In a world that makes the read: a calm run does without some."""
    need = READ_NEEDS.get(operation, EVERYTHING)
    scene = _put(net, scenes, operation if need is not EVERYTHING else "", need)
    net.lab.faults.refuse(operation)
    report = scene.run(net)
    assert {call.error for call in net.lab.calls if call.operation == operation} == {code_of(operation)}
    assert report.failed
    assert created(net) == {}
    net.lab.faults.clear()
    first = scene.run(net)
    net.lab.settle()
    until_calm(lambda: scene.run(net), net)
    assert created(net) == to_create(first)


def test_when_the_vpc_cannot_be_read_nothing_is_written(net: Network, drifted: Scene) -> None:
    net.lab.faults.refuse("DescribeVpcs")
    with pytest.raises(ObserveError, match="DescribeVpcs: UnauthorizedOperation"):
        net.run()
    assert writes(net) == []


BUILDING = sorted({name for name in OPERATIONS if name.startswith("Create")} - {"CreateTags", "CreateRoute"})


@pytest.mark.parametrize("operation", sampled(BUILDING, 3, seed="building"))
def test_a_lost_answer_while_building_makes_nothing_twice(net: Network, operation: str) -> None:
    net.lab.restore(net.empty)
    net.lab.faults.lose_answer(operation)
    policy = Policy(create_databases=True)
    first = net.run(policy=policy)
    assert [call.error in LOST_ANSWERS for call in writes(net) if call.operation == operation][:1] == [True]
    net.lab.settle()
    report = net.run(policy=policy)
    net.lab.settle()
    assert report.in_sync, told(report)
    assert created(net) == to_create(first)


LAGS = [*product([one for one in READS if one not in READ_NEEDS], (1, 3, 9), (0, 1))]
"""A Describe call, how many of its answers are old after every write, and after how many that are not."""


@pytest.mark.parametrize(("operation", "reads", "after"), sampled(LAGS, 28, seed="lag"))
def test_a_call_that_lags_behind_every_write_causes_no_second_one(
    net: Network, drifted: Scene, operation: str, reads: int, after: int
) -> None:
    with net.watched() as states:
        net.lab.faults.lag(operation, reads, after)
        report = net.run()
        assert operation in [call.operation for call in net.lab.calls]
        assert not report.failed, told(report)
        net.lab.faults.clear()
        net.lab.settle()
        if not report.in_sync:
            until_calm(net.run, net)
    assert violations(drifted.before, net.state(), states) == []
    assert Counter((call.operation, str(call.params)) for call in writes(net)).most_common(1)[0][1] == 1


WITHOUT_TOKEN = {"CreateVpc", "CreateInternetGateway"}
"""What AWS makes as often as it is asked, and lets nothing tell from a first one: a run is told of what may have been
made (`tests/doors/test_vpc_made_once.py`), or tells of two (`test_made_twice.py`).
"""


@pytest.mark.parametrize(
    ("operation", "reads", "after"), sampled([*product(sorted(NEEDS), (1, 3), (0, 1))], 48, seed="lags")
)
def test_where_every_call_lags_nothing_is_made_twice(
    net: Network, scene: Scene, operation: str, reads: int, after: int
) -> None:
    """In the world that makes the write necessary: whatever is written is missing from some looks, in two runs."""
    with net.watched() as states:
        for read in READS:
            net.lab.faults.lag(read, reads, after)
        report = scene.run(net)
        assert not report.failed, told(report)
        assert created(net) == to_create(report)
        net.lab.settle()
        if operation not in WITHOUT_TOKEN:
            assert not scene.run(net).failed
        net.lab.faults.clear()
        net.lab.settle()
        until_calm(lambda: scene.run(net), net)
    assert violations(scene.before, net.state(), states) == []
    assert {name: ids for name, ids in carrying(net).items() if len(ids) > 1} == {}


@pytest.mark.parametrize("operation", ["DescribeSecurityGroups", "DescribeVpcs"])
def test_nothing_counts_as_corrected_that_the_second_look_could_not_see(net: Network, operation: str) -> None:
    DRIFTS[0].apply(net.hands, net.live)
    net.lab.calls.clear()
    net.lab.after_write = lambda call: net.lab.faults.refuse(operation)
    report = net.run()
    assert [call.operation for call in writes(net)] == ["RevokeSecurityGroupIngress"]
    assert [(one.outcome, one.cause and one.cause.reason) for one in report.drifts] == [
        (Outcome.WAITING, Reason.UNVERIFIED)
    ]
    assert report.failed
    assert [result.ended for result in report.action_results] == [Ended.DONE]


def test_an_answer_that_is_no_xml_is_a_failed_read_and_nothing_is_made_for_it(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def garbled(*_: object, **__: object) -> None:
        raise ResponseParserError("invalid XML received")

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", garbled)
    with pytest.raises(ObserveError, match="AnswerLost"):
        net.run()
