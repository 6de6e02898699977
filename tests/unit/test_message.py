from __future__ import annotations

import json
import re
import shlex
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desired_state.fields import Address, rule_key
from reconciler.engine.result import Drift
from reconciler.model import ABSENT, Cause, Evidence, Finding, Found, Outcome, Reason
from reconciler.model.trigger import Actor, Trigger
from reconciler.notify.alert_rules import find_alerts
from reconciler.notify.chat import chat
from reconciler.notify.deduplication import Notification, deduplicate
from reconciler.notify.message import attributes, origin_of, subject, text
from reconciler.report.attempt import AttemptResult, Ending
from tests.support.attempts import (
    DAY,
    FLAPPING,
    HTTPS,
    NOW,
    REPORT_ONLY,
    SOMEBODY,
    completed,
    ended,
    extra,
    hostile,
    lacking,
)
from tests.support.reports import GROUP, VPC, drift, planned, whole_plan_held

HERE = {"region": "ap-northeast-2", "invoke": "setpoint-invoke"}


def told(result: AttemptResult, **before: Any) -> tuple[Notification, ...]:
    return deduplicate(find_alerts(result), before.get("told", {}), before.get("now", NOW), DAY, result).notifications


def body(result: AttemptResult, **here: str) -> str:
    """The text of the one message of an attempt."""
    (message,) = told(result)
    return text(message, origin_of(result, **(HERE | here)))


def test_a_message_names_the_receipt_of_its_run_and_the_command_that_shows_it() -> None:
    key = "receipts/small/20260301T120000Z.sync.critical.r7.w1.6f2c9a1e.json.gz"
    lines = body(completed(extra(), receipt=key)).split("\n")
    at = lines.index(f"Receipt:     {key}")
    assert lines[at + 1] == (
        "Its page:    setpoint receipt small 6f2c9a1e --stack setpoint --region ap-northeast-2 -o html > receipt.html"
    )
    alone = body(completed(extra(), receipt=key), invoke="")
    assert "Its page:    setpoint receipt small 6f2c9a1e -o html > receipt.html" in alone
    assert not re.search("(?m)^Receipt:|^Its page:", body(completed(extra())))
    assert "evil" not in body(completed(extra(), receipt="receipts/small/x; evil.r7.json.gz"))


def test_a_message_says_all_that_a_person_needs_to_act() -> None:
    result = completed(extra(), actors={GROUP: SOMEBODY}, exposed={GROUP: 42.4})
    assert body(result).split("\n") == [
        "CRITICAL: security_group/Web let in tcp 22 from anyone on the internet (0.0.0.0/0), which is not declared.",
        "",
        "security_group/Web ingress: corrected",
        "",
        "What differs:",
        "  - ingress: tcp 22 from 0.0.0.0/0 (corrected)",
        "      declared: absent",
        '      found:    {"protocol": "tcp", "ports": 22, "source": "0.0.0.0/0"}',
        "",
        "Resource:    security_group/Web",
        "AWS id:      sg-0a1b2c3d4e5f60718",
        "Account:     123456789012, ap-northeast-2",
        "Document:    small, revision 7",
        (
            "Last change: arn:aws:iam::123456789012:user/kim by AuthorizeSecurityGroupIngress at "
            "2026-03-01 11:58:00 UTC, from 198.51.100.7, with aws-cli/2.30"
        ),
        "Open for:    at most 43 s",
        "Done:        corrected, and verified by a later look",
        "Run:         run-1",
        "",
        "What to do next:",
        (
            "  aws lambda invoke --function-name setpoint-invoke --region ap-northeast-2 "
            "--cli-read-timeout 310 --cli-binary-format raw-in-base64-out "
            '--payload \'{"document": "small", "mode": "plan"}\' /dev/stdout'
        ),
    ]


def test_who_did_it_is_said_to_be_unknown_where_nothing_tells() -> None:
    assert "Last change: unknown: CloudTrail has no record of it (yet)" in body(completed(extra())).split("\n")


def test_what_was_not_done_says_why() -> None:
    lines = body(
        completed(
            extra(),
            lacking(outcome=Outcome.FAILED, cause=Cause(Reason.REFUSED, "AuthorizeX: UnauthorizedOperation: no")),
        )
    ).split("\n")
    assert "      failed: AuthorizeX: UnauthorizedOperation: no" in lines
    assert "Done:        1 corrected, 1 failed" in lines
    assert '      declared: {"protocol": "tcp", "ports": 443, "source": "0.0.0.0/0"}' in lines


def test_a_flapping_drift_is_told_with_both_sides() -> None:
    flapping = extra(outcome=Outcome.HELD, cause=FLAPPING)
    lines = body(completed(flapping, actors={GROUP: SOMEBODY})).split("\n")
    assert lines[2] == "security_group/Web ingress: somebody keeps changing it"
    assert "      declared: absent" in lines
    assert f"      held: {FLAPPING}" in lines
    assert any(one.startswith("Last change: arn:aws:iam::123456789012:user/kim") for one in lines)
    assert "Done:        nothing yet: 1 held; corrections are suppressed for a while" in lines


def test_a_refused_document_is_told_with_the_place_of_every_problem() -> None:
    refusal = 's3://bucket/documents/small.json:3:5: unknown field "x" (resources); leave it out\nRevision 7 goes on.'
    lines = body(completed(refusal=refusal)).split("\n")
    assert lines[0] == (
        "MEDIUM: The newest version of the document is not enforced; "
        "the version accepted before continues to be enforced."
    )
    assert '  - s3://bucket/documents/small.json:3:5: unknown field "x" (resources); leave it out' in lines
    assert lines[-1] == "  setpoint validate small.json"


def test_a_held_plan_is_told_with_the_command_that_releases_it() -> None:
    why = Cause(Reason.PLAN_HELD, "the plan removes or replaces 40 live members, and the limit of one run is 20")
    held = completed(extra(outcome=Outcome.HELD, cause=why), gate=whole_plan_held(why))
    command = body(held).split("\n")[-1].strip()
    asked = shlex.split(command)
    assert json.loads(asked[asked.index("--payload") + 1]) == {
        "document": "small",
        "mode": "apply",
        "approve": "0123456789abcdef",
    }


def test_a_held_plan_is_released_on_the_command_line_by_the_plan_that_was_looked_at() -> None:
    why = Cause(Reason.PLAN_HELD, "too much")
    held = completed(extra(outcome=Outcome.HELD, cause=why), gate=whole_plan_held(why))
    assert body(held, invoke="").split("\n")[-2:] == [
        "  setpoint plan small.json --out plan.json",
        "  setpoint apply small.json --plan plan.json",
    ]


@pytest.mark.parametrize(
    ("one", "modes"),
    [
        (extra(), ["plan"]),
        (extra(outcome=Outcome.HELD, cause=REPORT_ONLY), ["plan"]),
        (extra(outcome=Outcome.HELD, cause=FLAPPING), ["plan"]),
        (extra(outcome=Outcome.BLOCKED), ["plan"]),
        (extra(outcome=Outcome.WAITING), ["plan", "apply"]),
        (extra(outcome=Outcome.FAILED), ["plan", "apply"]),
    ],
    ids=range(6),
)
def test_another_run_is_proposed_only_where_it_may_help(one: Drift, modes: list[str]) -> None:
    asked = re.findall(r'"mode": "(\w+)"', body(completed(one)))
    assert asked == modes


def test_a_deleted_document_has_no_command_but_says_what_to_do() -> None:
    whole = body(ended(Ending.DELETED, problem="its object is deleted"))
    assert "To continue, upload the document again." in whole.split("\n")[0]
    assert "What to do next" not in whole


def test_without_a_function_to_invoke_the_command_line_is_proposed() -> None:
    assert body(completed(extra(outcome=Outcome.FAILED)), invoke="").split("\n")[-2:] == [
        "  setpoint plan small.json",
        "  setpoint apply small.json",
    ]


def test_where_nothing_was_seen_the_message_says_what_it_does_not_know() -> None:
    lines = body(ended(Ending.UNOBSERVABLE, problem="DescribeVpcs: UnauthorizedOperation: no")).split("\n")
    assert "Account:     unknown, ap-northeast-2" in lines
    assert "Document:    small" in lines
    assert lines[0] == "HIGH: Nothing could be read, so nothing was changed. What differs now is not known."


def test_an_update_a_reminder_and_good_news_say_so() -> None:
    held = completed(extra(outcome=Outcome.HELD))
    known = deduplicate(find_alerts(held), {}, NOW, DAY, held).remembered()
    (still,) = told(held, told=known, now=NOW + DAY)
    (change,) = told(completed(extra()), told=known, now=NOW + DAY)
    (normal,) = told(completed(), told=known, now=NOW + DAY)
    here = origin_of(held)
    assert [subject(one, here) for one in (still, change, normal)] == [
        "Setpoint critical (still): security_group/Web ingress: held (small)",
        "Setpoint critical (update): security_group/Web ingress: corrected (small)",
        "Setpoint resolved: security_group/Web ingress: held (small)",
    ]
    assert "Reported before, and unchanged." in text(still, here)
    assert "Resolved: this run no longer finds it." in text(normal, here)
    assert "Known since: 2026-03-01 12:00:00 UTC" in text(normal, here)


def many(count: int, field: str = "ingress") -> AttemptResult:
    return completed(
        *(
            extra(rule_key("tcp", 22, 22, f"10.{number // 256}.{number % 256}.0/24"), Outcome.HELD, field=field)
            for number in range(count)
        )
    )


def test_a_body_that_is_cut_says_how_many_lines_are_missing() -> None:
    whole = body(many(3000))
    assert 60_000 < len(whole.encode()) <= 64_000
    shown = whole.count("\n  - ") + whole.count("\n      ")
    left = re.search(r"\.\.\. and (\d+) more lines, left out here", whole)
    assert left
    assert shown + int(left[1]) == 3000 * 3
    assert whole.split("\n")[-1].startswith("  aws lambda invoke")


def test_the_sum_of_the_rest_names_each_with_its_gravity() -> None:
    result = completed(*(extra(outcome=Outcome.HELD, at=f"security_group/{number:03}") for number in range(30)))
    last = told(result)[-1]
    lines = text(last, origin_of(result, **HERE)).split("\n")
    assert lines[0] == "CRITICAL: More alerts than one run may send: 21 critical."
    assert "  - critical: security_group/029 ingress: held" in lines
    assert json.loads(chat(last, origin_of(result)))["metadata"]["threadId"] == last.fingerprint


def test_a_chat_message_has_the_form_that_the_chat_reads() -> None:
    result = completed(extra(), actors={GROUP: SOMEBODY})
    (message,) = told(result)
    found = json.loads(chat(message, origin_of(result, **HERE)))
    assert found["version"] == "1.0"
    assert found["source"] == "custom"
    assert found["content"]["textType"] == "client-markdown"
    assert found["content"]["title"] == "Setpoint critical: security_group/Web ingress: corrected"
    assert found["content"]["nextSteps"] == [
        (
            "`aws lambda invoke --function-name setpoint-invoke --region ap-northeast-2 "
            "--cli-read-timeout 310 --cli-binary-format raw-in-base64-out "
            '--payload \'{"document": "small", "mode": "plan"}\' /dev/stdout`'
        )
    ]
    assert found["content"]["keywords"] == ["setpoint", "critical", "small"]
    assert found["metadata"] == {
        "threadId": message.fingerprint,
        "summary": ("security_group/Web let in tcp 22 from anyone on the internet (0.0.0.0/0), which is not declared."),
        "eventType": "setpoint-drift",
        "relatedResources": ["sg-0a1b2c3d4e5f60718"],
        "additionalContext": {
            "severity": "critical",
            "status": "firing",
            "document": "small",
            "account": "123456789012",
            "region": "ap-northeast-2",
            "run": "run-1",
        },
    }
    assert "Last change: `arn:aws:iam::123456789012:user/kim by" in found["content"]["description"]


def test_subscriptions_may_filter_by_gravity_and_document() -> None:
    result = completed(extra())
    (message,) = told(result)
    assert attributes(message, origin_of(result)) == {
        "severity": "critical",
        "document": "small",
        "topic": "drift",
        "status": "firing",
    }
    odd = replace(result, document="a\nb <!here>")
    assert attributes(told(odd)[0], origin_of(odd))["document"] == "unknown"


def test_a_document_whose_name_is_no_plain_word_enters_no_command() -> None:
    for name in ("$(reboot)", "a b", "x'; rm -rf /", "-rf", "", "a\nb", "www.evil.example"):
        result = replace(ended(Ending.UNOBSERVABLE, problem="no"), document=name)
        (message,) = told(result)
        assert "What to do next" not in text(message, origin_of(result, **HERE))
        assert "nextSteps" not in json.loads(chat(message, origin_of(result, **HERE)))["content"]


def test_a_function_whose_name_is_no_plain_word_enters_no_command() -> None:
    for name in ("$(reboot)", "a b", "x;y"):
        assert body(completed(extra()), invoke=name).split("\n")[-1] == "  setpoint plan small.json"


def test_what_looks_like_a_secret_is_in_no_message() -> None:
    rule = drift("ingress", HTTPS, "password=hunter2-hunter2", "AKIAIOSFODNN7EXAMPLE", Outcome.FAILED)
    result = completed(rule, actors={GROUP: replace(SOMEBODY, user_agent="tool password=hunter2-hunter2")})
    (message,) = told(result)
    for whole in (
        text(message, origin_of(result)),
        chat(message, origin_of(result)),
        subject(message, origin_of(result)),
    ):
        assert "hunter2" not in whole
        assert "AKIAIOSFODNN7EXAMPLE" not in whole


_AN_ACTOR = st.builds(Actor, hostile, hostile, st.just(NOW), hostile, hostile, hostile)
_WORDS = st.tuples(hostile, hostile, hostile, hostile, hostile)


def _hostile(words: tuple[str, ...], actor: Actor) -> AttemptResult:
    name, tag, description, reason, document = words
    at = Address.of("security_group", name)
    return completed(
        drift("tags", tag, description, ABSENT, Outcome.HELD, Cause(Reason.HOLD_TAG, reason), at=at),
        drift("ingress", HTTPS, description, reason, Outcome.FAILED, Cause(Reason.REFUSED, description, tag), at=at),
        findings=(
            Finding(Address.of("subnet", tag), Outcome.BLOCKED, Cause(Reason.AMBIGUOUS, reason)),
            Finding(VPC, Outcome.FAILED, Cause(Reason.UNREADABLE, tag, name)),
        ),
        refusal=f"{name}\n{reason}",
        actors={at: actor},
        ids={at: description, VPC: tag},
        vpc_id=tag,
        plan=replace(planned(), fingerprint="0123456789abcdef"),
        document=document,
        trigger=Trigger(completed().trigger.source, account=tag),
        run_id=reason,
    )


def _printable(whole: str) -> bool:
    return all(char == "\n" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for char in whole)


@given(_WORDS, _AN_ACTOR)
def test_hostile_words_are_sanitized_in_a_mail(words: tuple[str, ...], actor: Actor) -> None:
    result = _hostile(words, actor)
    here = origin_of(result, **HERE)
    for message in told(result):
        head, whole = subject(message, here), text(message, here)
        assert head.startswith("Setpoint ")
        assert len(head) < 100
        assert head.isascii()
        assert head.isprintable()
        assert _printable(whole)
        assert len(whole.encode()) <= 64_000
        assert not re.search(r"(?i)https?://|www\.", whole)
        values = attributes(message, here).values()
        assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", one) for one in values)


def _visible(markdown: str) -> str:
    """What a chat would read as markdown: all but the code spans."""
    outside = re.sub(r"`[^`\n]*`", "", markdown)
    assert "`" not in outside
    return outside


@given(_WORDS, _AN_ACTOR)
def test_hostile_words_are_sanitized_in_a_chat(words: tuple[str, ...], actor: Actor) -> None:
    result = _hostile(words, actor)
    here = origin_of(result, **HERE)
    for message in told(result):
        found = json.loads(chat(message, here))
        assert len(found["content"]["title"]) <= 250
        assert len(found["content"]["description"]) <= 8_000
        everything = json.dumps(found, ensure_ascii=False)
        assert _printable(everything.replace("\\n", ""))
        assert len(everything.encode()) <= 262_144
        assert not re.search(r"[<>&@|]|(?i:https?://|www\.)", everything)
        described = _visible(found["content"]["description"])
        for shown in (found["content"]["title"], described, *found["content"]["keywords"]):
            assert not re.search(r"[*~`#\[\]!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:\w+:", shown)
        for step in found["content"].get("nextSteps", []):
            assert re.fullmatch(r"`[^`]*`", step)


@given(_WORDS)
@pytest.mark.parametrize("form", ["text", "chat"])
def test_a_message_stands_for_its_alert_and_forges_no_line(form: str, words: tuple[str, ...]) -> None:
    result = completed(drift("tags", words[0], words[1], words[2], Outcome.HELD, Cause(Reason.HOLD_TAG, words[3])))
    (message,) = told(result)
    here = origin_of(result)
    whole = text(message, here) if form == "text" else json.loads(chat(message, here))["content"]["description"]
    labels = [one for one in whole.split("\n") if one.startswith("Account:")]
    assert len(labels) == 1
    assert "123456789012, ap-northeast-2" in labels[0]


@given(st.sampled_from([1, 9, 80, 300]), st.sampled_from(["ingress", "egress"]))
def test_a_message_of_any_length_fits(count: int, field: str) -> None:
    result = many(count, field)
    (message,) = told(result)
    assert len(text(message, origin_of(result)).encode()) <= 64_000
    assert len(json.loads(chat(message, origin_of(result)))["content"]["description"]) <= 8_000


def suspected(**changes: Any) -> AttemptResult:
    cause = Cause(Reason.IDENTITY_CHANGED, "it is sg-2 now (its tags), and was sg-1 before", "sg-1 -> sg-2")
    return completed(findings=(Finding(GROUP, Outcome.HELD, cause),), **changes)


def test_a_changed_identity_says_what_it_was_and_how_it_is_released() -> None:
    words = body(suspected(release="0123456789abcdef"))
    assert words.startswith(
        "HIGH: It was found at another id than before: nothing is written to it until a person confirms that.\n"
        "\n"
        "security_group/Web is another resource than before\n"
        "\n"
        "What is wrong:\n"
        "  - security_group/Web: it is sg-2 now (its tags), and was sg-1 before\n"
    )
    assert '"mode": "plan"}' in words
    assert '"mode": "apply", "approve": "0123456789abcdef"}' in words


def test_only_the_function_releases_it_because_the_command_line_has_no_memory() -> None:
    words = body(suspected(release="0123456789abcdef"), invoke="")
    assert words.endswith("What to do next:\n  setpoint plan small.json")


def test_what_was_adopted_is_no_list_of_what_is_wrong() -> None:
    tags = [
        drift("tags", key, value, ABSENT, Outcome.CORRECTED)
        for key, value in (("setpoint:document", "small"), ("setpoint:name", "Web"))
    ]
    result = completed(*tags, found_by={GROUP: Found(Evidence.KEY, "its name")})
    assert body(result).startswith(
        "LOW: What was live and declared carries this document's tags now; that changed nothing else of it.\n"
        "\n"
        "adopted 1 resource of vpc-0a1b2c3d4e5f60718\n"
        "\n"
        "Taken over:\n"
        "  - security_group/Web is sg-0a1b2c3d4e5f60718 (its name)\n"
    )
