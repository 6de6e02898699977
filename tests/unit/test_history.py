"""From receipts and day sheets to episodes, the strip and their figures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reconciler.history.episodes import Entry, What
from reconciler.history.history import History, history
from reconciler.history.recorded import NotAReceipt, recorded
from reconciler.history.words import lasted, what, who
from reconciler.model.network_state import NetworkState
from tests.support.recorded import at, entries, entry, receipt, rule, setting, sheet

SHEET = sheet(at(0), at(24))
ACTOR = {"who": "arn:aws:sts::123456789012:assumed-role/Reporting/metabase", "call": "AuthorizeSecurityGroupIngress"}


def told(*contents: dict[str, Any], hours: float = 24, **more: Any) -> History:
    return history("shop", entries(*contents), at(0), at(hours), **more)


def strip(found: History) -> list[tuple[float, float, str]]:
    """(from, to, state) of each segment, in minutes after the beginning."""
    start = at(0)
    return [
        ((span.start - start).total_seconds() / 60, (span.end - start).total_seconds() / 60, state.value)
        for span, state in found.segments
    ]


def test_a_corrected_opening_is_an_episode_from_the_call_that_made_it_to_the_end_of_the_run() -> None:
    corrected = receipt(
        at(4, 12),
        rule(),
        actors={"security_group/DBSG": ACTOR | {"at": "2026-11-20T04:10:00Z"}},
        exposed={"security_group/DBSG": 123},
        run="6f2c9a1e",
    )
    found = told(receipt(at(0), first=True), corrected, SHEET)
    (one,) = found.as_json()["episodes"]
    assert one == {
        "what": "difference",
        "from": "2026-11-20T04:10:00Z",
        "to": "2026-11-20T04:12:03Z",
        "seconds": 123,
        "severity": "critical",
        "revision": 7,
        "revision_before": None,
        "address": "security_group/DBSG",
        "text": "ingress: tcp 5432 from 0.0.0.0/0",
        "who": "Reporting/metabase",
        "outcome": "corrected, 1 call",
        "receipt": "6f2c9a1e",
        "opens": True,
        "open_s": 123,
    }
    assert strip(found) == [(0, 250, "sync"), (250, 252.05, "open"), (252.05, 1440, "sync")]
    assert found.share_as_declared == 1 - 123 / 86_400
    assert (found.open_seconds, found.longest, found.looks) == (123, 123, 288)


def test_a_held_drift_is_one_episode_over_all_its_day_sheets() -> None:
    held = rule(outcome="held", message="the plan takes away 34 live members")
    sheets = [
        sheet(at(24 * day), at(24 * day + 24), state=NetworkState.OPEN if day else NetworkState.SYNC)
        for day in range(5)
    ]
    found = told(receipt(at(0), first=True), receipt(at(10), held), *sheets, hours=120)
    (one,) = found.episodes
    assert (one.start, one.end, one.outcome) == (at(10), None, "held: the plan takes away 34 live members")
    assert strip(found) == [(0, 600, "sync"), (600, 7200, "open")]
    assert found.findings == ()
    assert found.open_seconds == 110 * 3600


def test_an_hour_in_which_nobody_looked_is_never_as_declared() -> None:
    found = told(receipt(at(0), first=True), sheet(at(0), at(24), gaps=[(at(2), at(3))]))
    assert strip(found) == [(0, 120, "sync"), (120, 180, "unseen"), (180, 1440, "sync")]
    (gap,) = found.episodes
    assert (gap.what, gap.start, gap.end, gap.text) == (What.UNWATCHED, at(2), at(3), "nobody looked")
    assert (found.differences, found.longest, found.longest_gap) == ((), None, 3600)


def test_what_cloudtrail_says_of_an_hour_in_which_nobody_looked_is_known() -> None:
    corrected = receipt(at(3), rule(), actors={"security_group/DBSG": ACTOR | {"at": "2026-11-20T02:20:00Z"}})
    found = told(receipt(at(0), first=True), corrected, sheet(at(0), at(24), gaps=[(at(2), at(3))]))
    assert strip(found)[1:4] == [(120, 140, "unseen"), (140, 180.05, "open"), (180.05, 1440, "sync")]


def test_a_held_opening_does_not_hide_that_nobody_looked() -> None:
    held = receipt(at(1), rule(outcome="held"))
    found = told(
        receipt(at(0), first=True), held, sheet(at(0), at(24), gaps=[(at(2), at(3))], state=NetworkState.OPEN), hours=24
    )
    assert strip(found) == [(0, 60, "sync"), (60, 120, "open"), (120, 180, "unseen"), (180, 1440, "open")]


def test_without_a_day_sheet_only_looks_close_to_each_other_prove_anything() -> None:
    found = told(receipt(at(0), first=True), receipt(at(0, 20), setting()), receipt(at(5), setting()), hours=6)
    assert strip(found) == [
        (0, 20, "sync"),
        (20, 20.05, "differs"),
        (20.05, 300, "unseen"),
        (300, 300.05, "differs"),
        (300.05, 360, "unseen"),
    ]


def test_a_missing_day_sheet_is_a_finding() -> None:
    sheets = [sheet(at(24 * day), at(24 * day + 24)) for day in (0, 1, 3)]
    found = told(receipt(at(0), first=True), *sheets, hours=96)
    assert found.findings == ("no day sheet of 22 Nov 2026: nothing proves that somebody looked",)
    assert strip(found) == [(0, 2880, "sync"), (2880, 4320, "unseen"), (4320, 5760, "sync")]


def test_a_day_on_which_nobody_looked_needs_no_sheet_of_its_own() -> None:
    first = sheet(at(0), at(51), gaps=[(at(23), at(51))])
    found = told(receipt(at(0), first=True), first, sheet(at(51), at(72)), hours=72)
    assert found.findings == ()
    assert strip(found) == [(0, 23 * 60, "sync"), (23 * 60, 51 * 60, "unseen"), (51 * 60, 4320, "sync")]


def test_a_gap_that_no_sheet_places_is_a_finding() -> None:
    found = told(receipt(at(0), first=True), sheet(at(0), at(24), longest=5400, gaps=None))
    assert found.findings == ("nobody looked for up to 1 h 30 min on 20 Nov 2026; when that was is not recorded",)


def test_nothing_is_known_after_the_last_look() -> None:
    found = told(receipt(at(0), first=True), SHEET, hours=48)
    assert strip(found)[-1] == (1440, 2880, "unseen")
    (finding,) = found.findings
    assert finding == (
        "no look is known since 2026-11-21T00:00:00Z; the looks since the last day sheet are in the ledger, which was "
        "not read"
    )


def test_the_looks_of_today_are_those_of_the_ledger() -> None:
    today = recorded(sheet(at(24), at(36), looks=144)).day
    found = told(receipt(at(0), first=True), SHEET, hours=36.25, today=today)
    assert strip(found) == [(0, 36.25 * 60, "sync")]
    assert found.looks == 432
    assert found.findings == ()


def test_a_rollout_is_one_episode_with_its_rollback() -> None:
    document = {
        "uploaded": {"who": "arn:aws:sts::123456789012:assumed-role/Deploy/ci", "at": "2026-11-20T10:01:57Z"},
        "rollback": {"to": 5, "reason": "wrong port"},
    }
    drifts = [rule(exposes=False, severity="low"), setting(severity="low"), setting(field="tags", severity="low")]
    put = receipt(at(10, 2), *drifts, revision=7, document=document, run="19aa0c33")
    found = told(receipt(at(0), first=True, revision=6), put, SHEET)
    (one,) = found.as_json()["episodes"]
    assert (one["from"], one["to"], one["seconds"]) == ("2026-11-20T10:01:57Z", "2026-11-20T10:02:03Z", 6)
    assert (one["what"], one["severity"], one["revision_before"], one["revision"]) == ("revision", "low", 6, 7)
    assert (one["text"], one["who"], one["outcome"], one["receipt"]) == (
        'put in force (rollback to r5: "wrong port")',
        "upload by Deploy/ci",
        "3 calls",
        "19aa0c33",
    )


def test_a_rollout_lasts_until_nothing_of_it_is_left() -> None:
    waiting = setting(outcome="waiting")
    first = receipt(at(10), rule(exposes=False), waiting, revision=8)
    found = told(receipt(at(0), first=True), first, receipt(at(11), revision=8), SHEET)
    (one,) = found.episodes
    assert (one.start, one.end, one.outcome) == (at(10), at(11, 0, 3), "1 call")


def test_a_change_of_somebody_else_beside_a_rollout_is_an_episode_of_its_own() -> None:
    actors = {"security_group/DBSG": ACTOR | {"at": "2026-11-20T09:50:00Z"}}
    put = receipt(at(10), rule(), setting(), revision=8, actors=actors)
    found = told(receipt(at(0), first=True), put, SHEET)
    assert [(one.what, one.text) for one in found.episodes] == [
        (What.DIFFERENCE, "ingress: tcp 5432 from 0.0.0.0/0"),
        (What.REVISION, "put in force"),
    ]


def test_a_difference_that_is_gone_without_a_call_ends_where_it_is_not_found_any_more() -> None:
    found = told(receipt(at(0), first=True), receipt(at(1), rule(outcome="held")), receipt(at(2)), SHEET)
    (one,) = found.episodes
    assert (one.end, one.outcome) == (at(2), "gone without a call of Setpoint: somebody undid it")


def test_a_waiting_correction_ends_as_corrected() -> None:
    waiting = receipt(
        at(1),
        setting(outcome="waiting"),
        actions=[{"ended": "done", "resolves_drifted": [0]}],
        state=NetworkState.DIFFERS,
    )
    found = told(receipt(at(0), first=True), waiting, receipt(at(1, 10)), SHEET)
    (one,) = found.episodes
    assert (one.start, one.end, one.outcome) == (at(1), at(1, 10), "corrected, 1 call")


def test_what_a_run_could_not_see_or_did_not_look_at_is_not_gone() -> None:
    held = receipt(at(1), rule(outcome="held"), setting(outcome="held"))
    blind = receipt(at(2), setting(outcome="held"), unseen=[{"kind": "security_group", "why": "AccessDenied"}])
    alone = receipt(at(3), rule(outcome="held"))
    alone["run"]["only"] = ["security_group/DBSG"]
    found = told(receipt(at(0), first=True), held, blind, alone, SHEET)
    assert [one.end for one in found.episodes] == [None, None]


def test_a_time_in_which_nothing_could_be_read_ends_no_difference() -> None:
    run = {"id": "0badc0de", "started": "2026-11-20T02:00:00Z", "ending": "unobservable", "problem": "Throttling"}
    blind = receipt(at(2), state=NetworkState.UNSEEN) | {"run": run}
    found = told(
        receipt(at(0), first=True), receipt(at(1), setting(outcome="held")), blind, receipt(at(4), setting()), SHEET
    )
    assert [(one.what, one.start, one.end, one.text) for one in found.episodes] == [
        (What.DIFFERENCE, at(1), at(4, 0, 3), "enable_dns_support: false instead of true"),
        (What.UNSEEN, at(2), at(4), "the network could not be read: Throttling"),
    ]
    assert strip(found) == [
        (0, 60, "sync"),
        (60, 120, "differs"),
        (120, 240, "unseen"),
        (240, 240.05, "differs"),
        (240.05, 1440, "sync"),
    ]


def test_a_deleted_document_ends_every_difference() -> None:
    deleted = receipt(at(2), state=NetworkState.DELETED)
    found = told(receipt(at(0), first=True), receipt(at(1), setting(outcome="held")), deleted, SHEET)
    assert [(one.what, one.start, one.end) for one in found.episodes] == [
        (What.DIFFERENCE, at(1), at(2)),
        (What.DELETED, at(2), None),
    ]
    assert strip(found) == [(0, 60, "sync"), (60, 120, "differs"), (120, 1440, "unseen")]


def test_how_long_it_stood_open_is_not_known_without_an_earlier_look() -> None:
    found = told(receipt(at(1), rule(), exposed_unknown=["security_group/DBSG"], first=False), SHEET)
    (one,) = found.as_json()["episodes"]
    assert (one["opens"], one["open_s"]) == (True, None)


def test_openings_at_the_same_time_count_once() -> None:
    two = [rule(outcome="held"), rule(ports=22, outcome="held")]
    found = told(receipt(at(0), first=True), receipt(at(1), *two), receipt(at(2)), SHEET)
    assert len(found.episodes) == 2
    assert found.open_seconds == 3600


def test_a_calm_receipt_need_not_be_opened() -> None:
    opened = entries(receipt(at(0), first=True), receipt(at(1), rule(outcome="held")), SHEET)
    found = history("shop", [*opened, entry(receipt(at(2)), opened=False)], at(0), at(24))
    assert [one.end for one in found.episodes] == [at(2)]
    assert found.findings == ()


def test_what_was_not_opened_is_counted() -> None:
    closed = entry(receipt(at(2), rule()), opened=False)
    found = history("shop", [*entries(receipt(at(0), first=True), SHEET), closed], at(0), at(24))
    assert found.findings == ("1 receipt not opened: the episodes in them are left out",)


def test_an_episode_that_began_before_the_time_is_told_with_its_beginning() -> None:
    found = history(
        "shop",
        entries(receipt(at(-48), rule(outcome="held")), sheet(at(-24), at(0), state=NetworkState.OPEN), SHEET),
        at(0),
        at(24),
    )
    assert [one.start for one in found.episodes] == [at(-48)]
    assert (found.whole.start, found.open_seconds) == (at(0), 86_400)


def test_no_time_counts_before_anything_was_recorded() -> None:
    found = history("shop", entries(receipt(at(0), first=True), SHEET), at(-240), at(24))
    assert found.whole.start == at(0)
    assert found.share_as_declared == 1


def test_nothing_recorded_is_not_known_rather_than_nothing() -> None:
    found = history("shop", [], at(0), at(24))
    assert (found.share_as_declared, found.longest, strip(found)) == (None, None, [(0, 1440, "unseen")])


def test_only_some_addresses_and_only_openings() -> None:
    found = told(receipt(at(0), first=True), receipt(at(1), rule(), setting()), SHEET)
    assert [one.address for one in found.only(["vpc/MyVPC"]).episodes] == ["vpc/MyVPC"]
    assert [one.address for one in found.only([], opened=True).episodes] == ["security_group/DBSG"]


@pytest.mark.parametrize(
    ("drift", "expected"),
    [
        (rule(), "security_group/DBSG ingress: tcp 5432 from 0.0.0.0/0"),
        (rule(have=None, want={"x": 1}, sign="add"), "security_group/DBSG ingress: no tcp 5432 from 0.0.0.0/0"),
        (rule(sign="change"), "security_group/DBSG ingress: the description of tcp 5432 from 0.0.0.0/0"),
        (
            rule(
                address="network_acl/A",
                key="100",
                have={"action": "deny", "protocol": "icmp", "icmp_type": 8, "icmp_code": 0, "source": "10.0.0.0/8"},
            ),
            "network_acl/A ingress: 100 deny icmp type 8 code 0 from 10.0.0.0/8",
        ),
        (
            rule(address="route_table/P", field="routes", key="0.0.0.0/0", want="igw", have="nat", sign="change"),
            "route_table/P routes: 0.0.0.0/0 = nat instead of igw",
        ),
        (
            rule(address="network_acl/A", field="subnets", key="subnet/A", have="subnet/A"),
            "network_acl/A subnets: subnet/A",
        ),
        (setting(), "vpc/MyVPC enable_dns_support: false instead of true"),
        (setting(field=None, want={"a": 1}, have=None), "vpc/MyVPC was missing"),
        (setting(have="password=hunter2\u202e"), "vpc/MyVPC enable_dns_support: password=[redacted] instead of true"),
    ],
)
def test_what_differed_is_said_in_words(drift: dict[str, Any], expected: str) -> None:
    (one,) = recorded(receipt(at(0), drift)).drifted
    assert what(one) == expected


def test_who_it_was_is_said_without_what_everybody_has() -> None:
    assert who("arn:aws:sts::123456789012:assumed-role/Deploy/ci") == "Deploy/ci"
    assert who("arn:aws:iam::123456789012:user/alice") == "alice"
    assert who("rds.amazonaws.com") == "rds.amazonaws.com"
    assert who("arn:aws:iam::123456789012:root") == "arn:aws:iam::123456789012:root"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (124, "2 min 4 s"),
        (360, "6 min"),
        (32_520, "9 h 2 min"),
        (7200, "2 h"),
        (2_541_600, "29 d 10 h"),
        (864_000, "10 d"),
    ],
)
def test_times_are_said_in_at_most_two_units(seconds: float, expected: str) -> None:
    assert lasted(seconds) == expected


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"state": "great"}, "state: "),
        ({"drifted": [{"field": "x"}]}, "drifted.0.address: "),
        ({"run": None}, "run: "),
        ({"drifted": [rule(severity="dire")]}, "drifted.0.severity: "),
        ({"exposed": {"a": "long"}}, "exposed.a: "),
        ({"actors": {"a": {"at": "yesterday"}}}, "actors.a.at: "),
        ({"day": {"since": "2026-11-20T00:00:00Z"}}, "day.until: "),
    ],
)
def test_a_receipt_of_another_form_is_refused_by_the_member(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(NotAReceipt, match=f"^{problem}"):
        recorded(receipt(at(0)) | change)


def test_null_means_not_known() -> None:
    names = ("drifted", "actions", "actors", "exposed", "exposed_unknown", "exceptions", "unseen", "account", "day")
    assert recorded(receipt(at(0)) | dict.fromkeys(names)).drifted == ()


def test_an_entry_ends_when_its_run_does() -> None:
    assert entry(receipt(at(1), seconds=90)).ended - at(1) == timedelta(seconds=90)
    assert isinstance(entry(receipt(at(1))), Entry)


def test_an_intent_that_no_difference_explains_is_an_episode() -> None:
    broken = [{"name": "nobody reaches the database", "status": "broken", "severity": "critical"}]
    opened = receipt(at(1), intents=broken, state=NetworkState.OPEN)
    both = receipt(at(2), rule(outcome="held"), intents=broken)
    found = told(receipt(at(0), first=True), opened, both, receipt(at(3)), SHEET)
    assert [(one.address, one.text, one.start, one.end, one.opens) for one in found.episodes] == [
        ("intent/nobody reaches the database", "an intent of the document is broken", at(1), at(3), True),
        ("security_group/DBSG", "ingress: tcp 5432 from 0.0.0.0/0", at(2), at(3), True),
    ]
    assert strip(found) == [(0, 60, "sync"), (60, 180, "open"), (180, 1440, "sync")]
    assert found.episodes[0].receipt == entry(both).summary.run


def test_an_intent_that_a_difference_breaks_is_told_by_the_difference() -> None:
    broken = [
        {"name": "nobody reaches the database", "status": "broken"},
        {"name": "the auditors may", "status": "broken", "tolerated_until": "2026-12-31"},
    ]
    found = told(receipt(at(0), first=True), receipt(at(1), rule(outcome="held"), intents=broken), SHEET)
    assert [one.address for one in found.episodes] == ["security_group/DBSG"]


def test_a_rollout_whose_revision_before_is_not_listed_is_one_all_the_same() -> None:
    found = told(receipt(at(10), setting(), revision=8, rollout={"from": 6}), SHEET)
    assert [(one.what, one.before, one.revision) for one in found.episodes] == [(What.REVISION, 6, 8)]


def test_a_deployment_that_looks_more_often_has_shorter_gaps() -> None:
    """Its sheets tell what is too long for it, whatever the reader takes for too long without a sheet."""
    found = told(receipt(at(0), first=True), sheet(at(0), at(24), gaps=[(at(2), at(2, 10))]))
    assert strip(found) == [(0, 120, "sync"), (120, 130, "unseen"), (130, 1440, "sync")]


def test_a_look_that_ends_a_gap_and_a_day_counts() -> None:
    found = told(receipt(at(0), first=True), sheet(at(0), at(24), gaps=[(at(23), at(24))]), hours=24.25)
    assert strip(found) == [(0, 1380, "sync"), (1380, 1440, "unseen"), (1440, 1455, "sync")]


def test_a_call_from_before_a_look_that_did_not_see_it_is_not_its_beginning() -> None:
    """The call was undone in between, or CloudTrail's clock is another one."""
    actors = {"security_group/DBSG": ACTOR | {"at": "2026-11-20T00:30:00Z"}}
    found = told(receipt(at(0), first=True), receipt(at(1)), receipt(at(2), rule(outcome="held"), actors=actors), SHEET)
    assert [one.start for one in found.episodes] == [at(2)]


def test_the_longest_that_it_can_have_stood_open_counts() -> None:
    first = receipt(at(2), rule(outcome="held"), exposed={"security_group/DBSG": 1803})
    last = receipt(at(3), rule(), exposed={"security_group/DBSG": 60})
    found = told(receipt(at(0), first=True), first, last, SHEET)
    assert found.open_seconds == 1803 + 3600


def test_what_somebody_undid_after_a_call_that_was_not_enough_is_not_told_as_corrected() -> None:
    tried = [{"ended": "done", "resolves_drifted": [0]}]
    failed = receipt(at(1), setting(outcome="failed", message="AWS refuses"), actions=tried)
    found = told(receipt(at(0), first=True), failed, receipt(at(2)), SHEET)
    assert [one.outcome for one in found.episodes] == ["gone without a call of Setpoint: somebody undid it"]


def test_what_ended_before_the_time_is_not_told() -> None:
    found = history("shop", entries(receipt(at(-5), rule()), sheet(at(-24), at(0)), SHEET), at(0), at(24))
    assert found.episodes == ()
