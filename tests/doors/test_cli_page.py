"""`-o html` and `-o markdown` of plan and apply: the page on stdout, who did it from CloudTrail, exit codes as ever."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handlers import history_source
from lab import StrictAws
from lab.drifts import DRIFTS, Network
from reconciler.cloudtrail.attribution import LOOKUPS
from reconciler.history.receipts import key
from reconciler.history.store import Receipts
from tests.support.recorded import at, receipt, rule, sheet, summary

EXAMPLE = Path(__file__).parents[2] / "desired_state/examples/test-server.json"
FORMS = {"html": "<!doctype html>", "markdown": "## Setpoint: plan of `test-server`, revision `1`\n"}


def lookups(lab: StrictAws) -> int:
    return sum(call.operation == "LookupEvents" for call in lab.calls)


def writes(lab: StrictAws) -> int:
    return sum(call.kind == "write" for call in lab.calls)


@pytest.mark.parametrize("form", FORMS)
def test_a_plan_is_a_page_on_stdout_with_who_did_it_and_exits_as_ever(
    setpoint: Any, lab: StrictAws, drift: Callable[[str], None], network: Network, form: str
) -> None:
    drift("ssh-opened-to-the-world")
    ran = setpoint("plan", EXAMPLE, "-o", form)
    assert ran.code == 2
    assert ran.out.startswith(FORMS[form])
    for fact in (
        network["security_group/APIGatewaySG"],
        "AuthorizeSecurityGroupIngress",
        "user/somebody",
        "198.51.100.7",
        "temporary, for debugging",
    ):
        assert fact in ran.out
    assert ran.err.startswith("  reading: ")
    assert (lookups(lab), writes(lab)) == (1, 0)


@pytest.mark.parametrize("form", FORMS)
def test_a_calm_network_is_a_page_too_and_nobody_is_asked(setpoint: Any, lab: StrictAws, form: str) -> None:
    ran = setpoint("plan", EXAMPLE, "-o", form)
    assert ran.code == 0
    assert "In sync: 14 resources are as declared" in ran.out
    assert lookups(lab) == 0


def test_since_when_is_not_known_and_the_last_days_are_not_at_hand(setpoint: Any, drift: Callable[[str], None]) -> None:
    drift("ssh-opened-to-the-world")
    told = setpoint("plan", EXAMPLE, "-o", "markdown").out
    assert "not known: a command has no memory of earlier runs" in told
    assert "Not at hand: a run knows only what it saw; `setpoint history test-server` tells it" in told


@pytest.mark.parametrize(
    ("arm", "why"),
    [
        (lambda faults: faults.refuse("LookupEvents", code="AccessDeniedException"), "AccessDeniedException"),
        (lambda faults: faults.lose_answer("LookupEvents", times=9), "CloudTrail did not answer"),
    ],
    ids=["refused", "lost"],
)
def test_who_may_not_ask_cloudtrail_is_told_so_and_has_the_page_all_the_same(
    setpoint: Any, lab: StrictAws, drift: Callable[[str], None], arm: Callable[[Any], None], why: str
) -> None:
    drift("ssh-opened-to-the-world")
    arm(lab.faults)
    ran = setpoint("plan", EXAMPLE, "-o", "markdown")
    assert ran.code == 2
    assert "- Who made them: CloudTrail did not answer" in ran.out
    assert why in ran.out


def test_cloudtrail_is_asked_at_most_five_times_and_the_page_says_of_how_many_not(
    setpoint: Any, lab: StrictAws, network: Network
) -> None:
    for one in DRIFTS:
        one.apply(lab.outsider(), network)
    ran = setpoint("plan", EXAMPLE, "-o", "markdown")
    assert lookups(lab) == LOOKUPS == 5
    assert "resources were not looked up: a run asks 5 times" in ran.out


@pytest.mark.parametrize("form", FORMS)
def test_an_apply_is_a_page_of_what_was_put_right(
    setpoint: Any, lab: StrictAws, drift: Callable[[str], None], form: str
) -> None:
    drift("ssh-opened-to-the-world")
    ran = setpoint("apply", EXAMPLE, "--auto-approve", "-o", form)
    assert ran.code == 0
    assert "Put right: 1 of 1" in ran.out
    assert "CRITICAL" in ran.out.upper()
    assert writes(lab) == 1


def test_a_plan_is_approved_as_text_on_stderr_and_the_page_stands_alone_on_stdout(
    setpoint: Any, lab: StrictAws, drift: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    drift("ssh-opened-to-the-world")
    monkeypatch.setattr("handlers.terminal.is_person", lambda: True)
    monkeypatch.setattr(sys, "stdin", open_of("yes\n"))
    ran = setpoint("apply", EXAMPLE, "-o", "markdown")
    assert ran.code == 0
    assert ran.out.startswith("## Setpoint: apply of `test-server`")
    assert "Only `yes` is accepted" in ran.err


def open_of(text: str) -> Any:
    import io

    return io.StringIO(text)


def test_on_a_terminal_html_is_refused_with_how_to_redirect_it_before_anything_is_read(
    setpoint: Any, lab: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    ran = setpoint("apply", EXAMPLE, "--auto-approve", "-o", "html")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "-o html: a page is for a browser, not for a terminal; redirect it: -o html > page.html\n"
    assert lab.calls == []


def test_markdown_has_at_most_the_characters_that_it_may_and_counts_the_rest(
    setpoint: Any, lab: StrictAws, network: Network
) -> None:
    for one in DRIFTS:
        one.apply(lab.outsider(), network)
    ran = setpoint("plan", EXAMPLE, "-o", "markdown", "--max-chars", "4000")
    assert len(ran.out) <= 4_000
    assert "> Left out, to keep this within 4,000 characters: " in ran.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--max-chars", "4000"], "--max-chars: only a page as Markdown is cut; use it with -o markdown\n"),
        (
            ["-o", "html", "--max-chars", "4000"],
            "--max-chars: only a page as Markdown is cut; use it with -o markdown\n",
        ),
        (["--redact"], "--redact: only a page is redacted; use it with -o html or -o markdown\n"),
        (["-o", "markdown", "--against", str(EXAMPLE)], "--against: a page shows one run; "),
    ],
)
def test_options_that_a_page_has_not_are_refused(setpoint: Any, lab: StrictAws, words: list[str], told: str) -> None:
    ran = setpoint("plan", EXAMPLE, *words)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(told)
    assert lab.calls == []


@pytest.mark.parametrize("form", FORMS)
def test_redacted_it_names_no_account_and_nobody(setpoint: Any, drift: Callable[[str], None], form: str) -> None:
    drift("ssh-opened-to-the-world")
    told = setpoint("plan", EXAMPLE, "-o", form, "--redact").out
    for name in ("123456789012", "user/somebody", "198.51.100.7"):
        assert name not in told
    assert "AuthorizeSecurityGroupIngress" in told


def test_several_documents_are_one_markdown_in_the_room_of_one(
    setpoint: Any, drift: Callable[[str], None], variant: Callable[..., Path], tmp_path: Path
) -> None:
    drift("ssh-opened-to-the-world")
    broken = tmp_path / "broken ` | <b>.json"
    broken.write_text("{")
    ran = setpoint("plan", EXAMPLE, broken, variant(revision=2), "-o", "markdown", "--max-chars", "9000")
    assert ran.code == 1
    first, second, third = ran.out.split("\n---\n\n")
    assert first.startswith("## Setpoint: plan of `test-server`, revision `1`\n")
    assert second.startswith("## Setpoint: ``")
    assert "It could not be planned:\n\n```\n" in second
    assert third.startswith("## Setpoint: plan of `test-server`, revision `2`\n")
    assert len(ran.out) <= 9_000
    assert ran.err.splitlines()[-1] == "3 documents: 2 with drift, 1 with an error."


def test_several_documents_are_no_html_page(setpoint: Any, lab: StrictAws, variant: Callable[..., Path]) -> None:
    ran = setpoint("plan", EXAMPLE, variant(), "-o", "html")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "-o html: one page is of one document; plan them one by one, or use -o markdown\n"
    assert lab.calls == []


def test_what_an_apply_did_is_told_even_if_its_page_cannot_be_made(
    setpoint: Any, lab: StrictAws, drift: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    drift("ssh-opened-to-the-world")

    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("no page")

    monkeypatch.setattr("reconciler.report.page.markdown.markdown", broken)
    ran = setpoint("apply", EXAMPLE, "--auto-approve", "-o", "markdown")
    assert (ran.code, ran.out) == (1, "")
    assert "Corrected 1 difference with 1 write; the second look is in sync." in ran.err
    assert "Unexpected RuntimeError: no page" in ran.err
    assert writes(lab) == 1


def test_the_last_days_come_from_the_receipts_if_they_are_asked_for(
    setpoint: Any, lab: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3: Any = lab.outsider().client("s3")
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": lab.region})
    receipts = Receipts(s3, "kept")
    for one in (receipt(at(0), first=True), receipt(at(4), rule()), sheet(at(0), at(24))):
        one["document"]["name"] = "test-server"
        receipts.put(key(summary(one)), one)
    monkeypatch.setenv("SETPOINT_RECEIPTS", "kept")
    monkeypatch.setattr(history_source, "now", lambda: at(24))
    ran = setpoint("plan", EXAMPLE, "-o", "markdown", "--history")
    assert ran.code == 0
    assert "288 looks" in ran.out
    assert "ingress: tcp 5432 from 0.0.0.0/0" in ran.out
    assert "Not at hand" not in ran.out


def test_a_page_is_without_the_last_days_if_they_cannot_be_read(
    setpoint: Any, monkeypatch: pytest.MonkeyPatch, lab: StrictAws
) -> None:
    monkeypatch.setenv("SETPOINT_RECEIPTS", "there-is-none")
    ran = setpoint("plan", EXAMPLE, "-o", "markdown", "--history")
    assert ran.code == 0
    assert "Not at hand" in ran.out
    assert "The last 30 days are not on the page: s3://there-is-none/receipts/test-server/: " in ran.err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--history"], "--history: only a page tells the last 30 days"),
        (["--stack", "setpoint"], "--stack: only a page tells the last 30 days"),
        (["--stack", "setpoint", "-o", "markdown"], "--stack: it says where the history is"),
        (["--history", "-o", "markdown"], "--history: which bucket holds the receipts is not known"),
    ],
)
def test_the_history_is_refused_where_it_could_not_be_shown(setpoint: Any, words: list[str], problem: str) -> None:
    ran = setpoint("plan", EXAMPLE, *words)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(problem)
