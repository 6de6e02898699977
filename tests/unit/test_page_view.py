"""What the page of a run says: the verdict, the map, the lanes, and what is told when something is not known."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.report.page.arrows import MOST as MOST_ARROWS
from reconciler.report.page.arrows import arrows
from reconciler.report.page.html import page
from reconciler.report.page.lanes import MARKS, SHOWN, lanes
from reconciler.report.page.markdown import markdown
from reconciler.report.page.past import history, sentence
from reconciler.report.page.redaction import short
from reconciler.report.page.view import Page, view
from reconciler.report.page.words import duration, moment, side
from tests.support.pages import Receipt, Told, aws_id, full

INTERNET: dict[str, Any] = {
    "kind": "internet",
    "name": "internet",
    "label": "the internet",
    "address": None,
    "subnets": [],
}
DATABASE = {"kind": "db_instance", "name": "db", "label": "db_instance/db", "address": "db_instance/db", "subnets": []}
API = {"kind": "workload", "name": "api", "label": "workload api", "address": None, "subnets": ["subnet/A"]}


def calm() -> Receipt:
    """A plan that found nothing."""
    receipt = full()
    flow = receipt["lanes"]["flows"][0] | {"class": "throughout", "on": [[0, 2]], "verdict": "arrives throughout"}
    receipt |= {name: [] for name in ("drifted", "actions", "findings", "pending", "openings", "unseen", "holds")}
    receipt["intents"] = [receipt["intents"][0] | {"status": "kept", "severity": None}]
    receipt["network"]["first"]["unread"] = {}
    receipt["lanes"] |= {"flows": [flow], "disagree": []}
    return receipt | {"exposed": {}, "actors": {}, "since": {}, "held_as_a_whole": None}


def with_flow(receipt: Receipt, source: Any, target: Any, kind: str, on: list[list[int]], **more: Any) -> Receipt:
    flow = full()["lanes"]["flows"][0] | {"from": source, "to": target, "class": kind, "on": on} | more
    return receipt | {"lanes": receipt["lanes"] | {"flows": [*receipt["lanes"]["flows"], flow]}}


def applied(receipt: Receipt, outcome: str = "corrected") -> Receipt:
    drifted = [one | {"outcome": outcome, "reason": None, "message": ""} for one in receipt["drifted"]]
    actions = [one | {"ended": "done", "reason": None, "message": ""} for one in receipt["actions"]]
    network = receipt["network"] | {"last": calm()["network"]["first"]}
    run = receipt["run"] | {"mode": "apply"}
    changed = {"wrote": True, "drifted": drifted, "actions": actions, "network": network, "run": run}
    return receipt | changed | {"held_as_a_whole": None, "openings": []}


def figure(page: Page, label: str) -> tuple[str, str]:
    return next((one.value, one.tone) for one in page.verdict.figures if label in one.label)


# --- The verdict: the worst first ---


def test_in_sync_is_said_with_how_many_resources() -> None:
    shown = view(calm())
    assert shown.verdict.heading == "In sync: 5 resources are as declared"
    assert shown.verdict.tone == "good"
    assert shown.verdict.steps == ()


def test_what_arrives_comes_before_everything_else() -> None:
    receipt = with_flow(full(), INTERNET, DATABASE, "undeclared", [[0, 0]])
    receipt["network"]["declared"]["db_instance/db"] = {}
    assert view(receipt).verdict.heading == "The database can be reached from the internet"
    receipt["network"]["declared"]["db_instance/other"] = {}
    assert view(receipt).verdict.heading == "db_instance/db can be reached from the internet"
    perhaps = with_flow(calm(), INTERNET, DATABASE, "undeclared", [[0, 0]], certain=False)
    assert view(perhaps).verdict.heading == "The database may be reached from the internet"


def test_a_broken_intent_comes_before_a_layer_and_a_layer_before_a_count() -> None:
    receipt = full() | {"lanes": None, "openings": []}
    assert view(receipt).verdict.heading == "An intent is broken: nobody outside"
    receipt["intents"] = []
    assert view(receipt).verdict.heading.startswith("security_group/Web lets in tcp 22 from anyone on the internet")
    receipt["drifted"][0] |= {"severity": "low", "consequence": None}
    assert view(receipt).verdict.heading == "1 difference"


def test_what_could_not_be_seen_is_in_the_heading_of_what_is_in_sync() -> None:
    receipt = calm() | {"unseen": [{"kind": "db_instance", "why": "AccessDenied"}]}
    shown = view(receipt)
    assert shown.verdict.heading == "In sync as far as could be seen; 1 thing could not"
    assert shown.verdict.tone == "warn"
    assert shown.verdict.unseen == ("db_instance: AccessDenied",)


def test_a_broken_rule_is_said_in_the_heading_and_at_the_lanes() -> None:
    receipt = with_flow(calm(), INTERNET, DATABASE, "broken", [[1, 1]])
    receipt["lanes"]["broken"] = True
    shown = view(receipt)
    assert "The rule was broken" in shown.verdict.heading
    assert shown.verdict.tone == "grave"
    assert shown.lanes.all[0].flow == "broken"
    assert "The rule was broken" in Told(page(receipt)).text.partition("Who reaches what")[2]


def test_after_an_apply_the_page_speaks_of_what_is_now() -> None:
    receipt = applied(full())
    receipt["lanes"]["flows"][0]["on"] = [[0, 0]]
    receipt["intents"][0]["status"] = "kept"
    receipt |= {"unseen": []}
    receipt["network"]["first"]["unread"] = {}
    shown = view(receipt)
    assert shown.verdict.heading == "Put right: 1 of 1"
    assert shown.verdict.tone == "good"
    assert shown.verdict.graves == ()
    assert shown.map.after_apply
    assert not any(one.state == "open" for one in shown.map.arrivals)
    told = Told(page(receipt)).text
    assert "What differed" in told
    assert "can reach api" not in told.replace("Until it was put right: TCP 22 can reach api.", "")


def test_what_is_left_after_an_apply_is_in_the_heading() -> None:
    receipt = applied(full(), "failed") | {"intents": []}
    receipt["lanes"]["flows"] = []
    shown = view(receipt)
    assert shown.verdict.heading.startswith("Put right: 0 of 1; security_group/Web lets in tcp 22")
    assert shown.verdict.tone == "grave"


def test_an_opening_that_still_arrives_after_an_apply_is_the_heading() -> None:
    receipt = applied(full())
    receipt["lanes"]["flows"][0]["on"] = [[0, 2]]
    assert "can be reached from the internet" in view(receipt).verdict.heading


@pytest.mark.parametrize(
    ("ending", "heading"),
    [
        ("refused", "The document was refused"),
        ("deleted", "The document was deleted"),
        ("unobservable", "The network could not be looked at"),
        ("something_new", "The run did not complete: something new"),
    ],
)
def test_a_run_that_saw_no_network_says_only_why(ending: str, heading: str) -> None:
    run = {"id": "r1", "ending": ending, "problem": "because of this", "mode": None, "started": None, "seconds": None}
    receipt = {
        "receipt": 1,
        "previous": None,
        "run": run,
        "document": {"name": "small"},
        "state": "unseen",
        "left_out": {},
    }
    shown = view(receipt)
    assert shown.verdict.heading.startswith(heading)
    assert not shown.complete
    told = Told(page(receipt))
    assert "because of this" in told.text
    assert "network" not in told.ids
    assert shown.links == ()


# --- The figures: what is not known is a word ---


def test_what_is_not_known_is_no_nought() -> None:
    receipt = full() | {"lanes": None, "lanes_unknown": "too large", "intents": [], "exposed": {}}
    receipt["exposed_unknown"] = ["security_group/Web"]
    shown = view(receipt)
    assert figure(shown, "openings that arrive") == ("not worked out", "")
    assert figure(shown, "intents") == ("none", "")
    assert figure(shown, "stood open") == ("not known", "")
    assert "Not worked out: too large." in Told(page(receipt)).text


def test_what_was_too_much_to_work_out_makes_no_figure_green() -> None:
    receipt = calm()
    receipt["lanes"]["left_out"] = 7
    assert figure(view(receipt), "openings that arrive") == ("not known", "")
    receipt = with_flow(receipt, INTERNET, DATABASE, "undeclared", [[0, 0]])
    assert figure(view(receipt), "openings that arrive") == ("1 or more", "grave")


def test_the_figures_of_a_plan() -> None:
    shown = view(full())
    assert [(one.value, one.label) for one in shown.verdict.figures] == [
        ("1", "differences"),
        ("1", "openings that arrive"),
        ("0 of 1", "intents kept"),
        ("8 min 11 s", "stood open, at most"),
        ("1", "unmanaged"),
        ("9 / 0", "reads / writes"),
    ]


# --- Commands ---


def test_the_commands_do_exactly_this_plan() -> None:
    steps = view(full()).verdict.steps
    assert steps[:2] == ("setpoint plan small.json --out plan.json", "setpoint apply small.json --plan plan.json")
    assert json.loads(re.search(r"--payload '(.*)' ", steps[2])[1]) == {  # type: ignore[index] # it is there
        "document": "small",
        "mode": "apply",
        "approve": "0123456789abcdef",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"document": {"name": "small; rm -rf /", "revision": 1}},
        {"document": {"name": "small'", "revision": 1}},
        {"fingerprint": "$(id)"},
        {"fingerprint": None},
        {"actions": []},
    ],
)
def test_no_command_is_made_of_what_could_be_another(change: dict[str, Any]) -> None:
    assert view(full() | change).verdict.steps == ()


# --- Very many ---


def test_what_is_the_same_at_the_same_resources_is_one_entry() -> None:
    receipt, one = full(), full()["drifted"][0]
    receipt["drifted"] = [
        one | {"address": f"security_group/s{place}", "key": f"key {key}", "have": key, "sentence": f"sentence {key}"}
        for key in range(15)
        for place in range(4)
    ]
    shown = view(receipt).differences
    assert [(len(entry.resources), len(entry.differences)) for entry in shown.entries] == [(4, 15)]
    assert all(len(one.indexes) == 4 for one in shown.entries[0].differences)
    assert sorted(shown.numbers) == list(range(60))


def test_all_merged_entries_together_name_so_many_resources_and_count_the_others() -> None:
    receipt, one = full(), full()["drifted"][0]
    receipt["drifted"] = [
        one
        | {"address": f"security_group/s{key}-{place}", "key": f"key {key}", "have": key, "sentence": f"sentence {key}"}
        for key in range(12)
        for place in range(120)
    ]
    shown = view(receipt).differences
    assert all(len(entry.resources) + entry.others == 120 for entry in shown.entries)
    assert sum(len(entry.resources) for entry in shown.entries) < 600
    assert "more resources with the same difference are not on this page" in Told(page(receipt)).text


def test_why_the_whole_plan_is_held_is_told_once_and_not_at_each_call() -> None:
    receipt = full()
    receipt["actions"] = [
        receipt["actions"][0] | {"number": number, "reason": "plan_held", "message": receipt["held_as_a_whole"]}
        for number in range(1, 30)
    ]
    told = Told(page(receipt)).text
    assert told.count("the plan takes away 34 members") == 1
    assert told.count("plan_held") == 29


def test_of_many_calls_the_first_are_open_unless_a_later_one_failed() -> None:
    receipt = full()
    receipt["actions"] = [receipt["actions"][0] | {"number": number, "ended": "done"} for number in range(1, 101)]
    assert (len(view(receipt).calls.first), len(view(receipt).calls.rest)) == (20, 80)
    receipt["actions"] = [one | {"number": n, "ended": "done"} for n in range(1, 601) for one in receipt["actions"][:1]]
    receipt["actions"][577]["ended"] = "failed"
    shown = view(receipt).calls
    assert [one.number for one in shown.calls][-2:] == [239, 578]
    assert shown.left_out == 360
    receipt["actions"] = receipt["actions"][:100]
    receipt["actions"][77]["ended"] = "failed"
    assert (len(view(receipt).calls.first), len(view(receipt).calls.rest)) == (100, 0)


# --- The map ---


def test_the_map_strikes_what_is_live_and_names_what_is_declared() -> None:
    receipt = full()
    routes = {"routes": {}, "subnets": ["subnet/A"], "main": False}
    receipt["network"]["first"]["resources"]["route_table/T"]["spec"] = {"routes": {}, "subnets": []}
    strange = {"id": "rtb-1", "name": None, "spec": routes, "made_by_aws": False}
    receipt["network"]["first"]["unmanaged"]["route_table/rtb-1"] = strange
    subnet = view(receipt).map.zones[0].subnets[0]
    assert (subnet.routes.live, subnet.routes.declared) == ("rtb-1", "T")
    assert (subnet.public, subnet.public_declared, subnet.turned_public) == (False, True, False)
    assert subnet.cards[0].open
    assert "declared PUBLIC" in Told(page(receipt)).text


def test_a_database_is_drawn_in_every_subnet_where_it_may_stand() -> None:
    receipt = full()
    declared = receipt["network"]["declared"]
    declared["subnet/B"] = {"cidr_block": "10.0.2.0/24", "availability_zone": "eu-central-1b"}
    declared["db_subnet_group/G"] = {"subnets": ["subnet/A", "subnet/B"]}
    declared["db_instance/db"] = {"db_subnet_group": "db_subnet_group/G", "vpc_security_groups": ["security_group/Web"]}
    for address in ("subnet/B", "db_subnet_group/G", "db_instance/db"):
        receipt["network"]["first"]["resources"][address] = {"id": "x", "status": "available", "but": {}}
    receipt["network"]["first"]["resources"]["db_instance/db"]["but"] = {"vpc_security_groups": ["sg-9"]}
    cards = [card for zone in view(receipt).map.zones for one in zone.subnets for card in one.cards if card.database]
    assert len(cards) == 2
    assert all("may stand here" in card.remarks for card in cards)
    assert [(one.name, one.state) for one in cards[0].groups] == [("sg-9", "extra"), ("Web", "missing")]


def test_a_zone_of_many_subnets_shows_what_differs_and_names_the_rest() -> None:
    receipt = calm()
    for number in range(20):
        spec = {"cidr_block": f"10.0.{number}.0/24", "availability_zone": "eu-central-1c"}
        receipt["network"]["declared"][f"subnet/s{number}"] = spec
        receipt["network"]["first"]["resources"][f"subnet/s{number}"] = {"id": aws_id("subnet", number), "spec": spec}
    del receipt["network"]["first"]["resources"]["subnet/s3"]
    zone = next(one for one in view(receipt).map.zones if one.name == "eu-central-1c")
    assert [one.resource.address for one in zone.subnets] == ["subnet/s3"]
    assert len(zone.further) == 19
    told = Told(page(receipt)).text
    assert "19 further subnets, as declared" in told
    assert all(f"subnet/s{number} " in told for number in range(20) if number != 3)


def test_a_gateway_that_is_not_attached_says_so() -> None:
    receipt = full()
    receipt["network"]["first"]["resources"]["internet_gateway/Door"]["spec"] = {"vpc": "nowhere"}
    assert not view(receipt).map.gateways[0].attached
    assert "Door not attached" in Told(page(receipt)).text


def test_without_a_look_the_map_says_that_there_is_none() -> None:
    shown = view(full() | {"network": None})
    assert shown.map.unknown is not None
    assert "nothing to draw" in Told(page(full() | {"network": None})).text


# --- The lanes ---


def test_flows_that_differ_in_their_subnets_alone_are_one_lane() -> None:
    receipt = with_flow(calm(), DATABASE, API, "undeclared", [[0, 1]])
    receipt = with_flow(receipt, DATABASE, API | {"subnets": ["subnet/B"]}, "undeclared", [[0, 1]])
    found = [one for one in lanes(receipt).all if one.flow == "undeclared"]
    assert len(found) == 1
    assert found[0].target_subnets == ("subnet/A", "subnet/B")


def test_a_lane_has_a_run_for_each_change_and_not_for_each_call() -> None:
    receipt = with_flow(calm(), INTERNET, API, "undeclared", [[0, 1]], perhaps=[[1, 1]], under_way=[2])
    lane = lanes(receipt).all[0]
    assert lane.on == "110"
    assert [(run.start, run.length, run.on, run.perhaps, run.under_way) for run in lane.runs] == [
        (0, 1, True, False, False),
        (1, 1, True, True, False),
        (2, 1, False, False, True),
    ]
    assert lane.ends == (True, False)


def test_of_very_many_calls_only_those_that_change_a_lane_have_a_mark() -> None:
    receipt = calm()
    calls = [{"name": f"after call {n}", "call": n, "predicted": True} for n in range(1, 201)]
    receipt["lanes"]["states"] = [*receipt["lanes"]["states"][:1], *calls, receipt["lanes"]["states"][-1]]
    receipt["lanes"]["flows"] = []
    receipt = with_flow(receipt, INTERNET, DATABASE, "undeclared", [[0, 77]])
    told = lanes(receipt)
    assert len(told.marks) <= MARKS + 2
    assert [one.call for one in told.marks] == [None, 78, None]
    assert told.changed_by(78) == "Shuts the internet \N{RIGHTWARDS ARROW} db_instance/db tcp 22."
    assert told.changed_by(77) is None
    assert told.states == 202


def test_what_arrives_throughout_is_closed_when_it_is_much_and_what_is_cut_is_counted() -> None:
    receipt = calm()
    for number in range(SHOWN + 20):
        receipt = with_flow(
            receipt, API | {"name": f"w{number}", "label": f"workload w{number}"}, API, "throughout", [[0, 2]]
        )
    receipt = with_flow(receipt, INTERNET, DATABASE, "undeclared", [[0, 0]])
    told = lanes(receipt)
    assert told.folded
    assert told.changing[0].to_database
    assert told.left_out == 22
    assert arrows(told) is None
    text = Told(page(receipt)).text
    assert "22 more flows are not on this page" in text
    assert f"{SHOWN - 1} flows arrive throughout" in text


def test_each_flow_is_one_arrow_from_its_source_to_its_row() -> None:
    drawn = arrows(lanes(with_flow(calm(), API, DATABASE, "missing", [[2, 2]])))
    assert drawn is not None
    assert len(drawn.arrows) == 2 <= MOST_ARROWS
    assert {one.off for one in drawn.arrows} == {"cut"}
    assert len({one.end for one in drawn.arrows}) == 2


def test_where_predicted_and_looked_at_disagree_the_page_says_so() -> None:
    assert "Predicted and looked at differ; the look is right. predicted otherwise" in Told(page(full())).text


# --- Time, history, names ---


def test_the_time_left_is_counted_from_the_run_or_from_now() -> None:
    assert view(full()).notes.exceptions[0].left == "26 d 18 h"
    late = view(full(), now=datetime(2027, 1, 1, tzinfo=UTC)).notes
    assert late.exceptions[0].left is None
    assert "until 24 Dec 2026, 00:00 UTC, over" in Told(page(full(), now=datetime(2027, 1, 1, tzinfo=UTC))).text


HISTORY = {
    "days": 30,
    "from": "2026-10-28T05:00:00Z",
    "to": "2026-11-27T05:00:00Z",
    "segments": [
        {"from": "2026-10-28T05:00:00Z", "to": "2026-11-27T05:00:00Z", "state": "sync"},
        {"from": "2026-11-26T00:00:00Z", "to": "2026-11-26T00:02:00Z", "state": "open"},
    ],
    "share_as_declared": 0.982,
    "episodes": [
        {"from": f"2026-11-{day:02}T00:00:00Z", "to": None, "severity": "critical", "revision": 7, "address": "vpc/V",
         "text": f"episode {day}", "who": "somebody", "outcome": "held", "receipt": "6f2c", "open_s": 124}
        for day in range(1, 26)
    ],
    "longest_s": 32_520,
    "open_s": 1_320,
    "looks": 43_190,
    "looks_that_saw_nothing": 4,
    "longest_gap_s": 360,
}  # fmt: skip


def test_the_strip_is_also_a_sentence() -> None:
    assert sentence(HISTORY) == (
        "As declared for 98.2 % of 30 days; 25 episodes; the longest 9 h 2 min; stood open for at most 22 min in all; "
        "43,190 looks, 4 of them could not see; longest gap between looks 6 min."
    )
    unknown = HISTORY | {"share_as_declared": None, "open_s": 0}
    assert sentence(unknown).startswith("How long it was as declared in these 30 days is not known; 25 episodes;")
    assert "nothing stood open" in sentence(unknown)


def test_what_is_short_and_grave_lies_above_the_rest_and_can_be_seen() -> None:
    told = history(HISTORY, "small")
    assert [one.state for one in told.strip] == ["sync", "open"]
    assert told.strip[-1].width >= 2
    assert told.strip[-1].start + told.strip[-1].width <= 1_000
    assert (len(told.episodes), told.left_out, told.episodes[0].text) == (20, 5, "episode 25")


def test_the_page_has_the_history_if_it_is_given_and_says_how_to_get_it_if_not() -> None:
    told = Told(page(full(), history=HISTORY)).text
    assert "As declared for 98.2 % of 30 days" in told
    assert "episode 25" in told
    assert "setpoint history small" in Told(page(full())).text


@pytest.mark.parametrize("form", [page, markdown])
def test_a_redacted_page_has_no_account_no_address_and_no_principal_and_is_stable(form: Callable[..., str]) -> None:
    receipt = full() | {"fingerprint": None}
    receipt["unmanaged"][0]["remark"] = "its peer 123456789012/sg-0123456789abcdef0 is at 203.0.113.8"
    shown = form(receipt, history=HISTORY, redact=True)
    for name in (
        "123456789012",
        "203.0.113.8",
        "198.51.100.7",
        "10.0.1.0",
        "j.park",
        "approver",
        "Ops/kim",
        "Deploy/ci",
    ):
        assert name not in shown, name
    assert "0.0.0.0/0" in shown
    assert short("account", "123456789012") in shown
    assert short("address", "203.0.113.8") in shown
    assert form(receipt, history=HISTORY, redact=True) == shown
    assert "short names" in shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.25, "0.250 s"),
        (59, "59 s"),
        (491, "8 min 11 s"),
        (7_200, "2 h"),
        (86_400 * 29 + 36_000, "29 d 10 h"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_times_say_that_they_are_utc() -> None:
    assert moment("2026-11-27T06:12:08+01:00") == "27 Nov 2026, 05:12 UTC"
    assert moment("2026-11-27T05:12:08Z", seconds=True) == "27 Nov 2026, 05:12:08 UTC"
    assert moment("yesterday") == "yesterday"
    assert moment(None) is None


def test_a_whole_resource_is_written_line_by_line() -> None:
    rule = {"protocol": "tcp", "ports": 22, "source": "10.0.0.0/8", "description": "d"}
    told = side(
        {
            "description": "x",
            "ingress": [rule],
            "egress": [],
            "entries": {"100": {"action": "allow", "protocol": "all"}},
        }
    )
    assert told.lines == (
        "description: x",
        "ingress: tcp 22 from 10.0.0.0/8 (d)",
        "egress: []",
        "entries 100: allow all",
    )
    many = side({f"name{number}": number for number in range(100)})
    assert (len(many.lines), many.more) == (40, 60)


CALM_RUN = """
import sys
import handlers.worker, handlers.sweep, handlers.invoke, reconciler.attempt.keep, reconciler.notify.publisher
import reconciler.engine.run, reconciler.report.records, reconciler.report.text, reconciler.report.as_json
print([name for name in sys.modules if name.split(".")[0] in {"jinja2", "markupsafe"} or "report.page" in name])
"""


def test_what_a_calm_run_imports_knows_nothing_of_pages() -> None:
    ran = subprocess.run([sys.executable, "-c", CALM_RUN], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
