"""The page of a run, without a browser: it is well formed and inert whatever a receipt holds, and tells every fact."""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections import Counter
from fnmatch import fnmatch
from random import Random
from typing import Any

import pytest

from reconciler.report.page.html import TEMPLATES, compile_templates, environment, page
from reconciler.report.page.view import UnreadableReceipt
from tests.support.pages import Receipt, Told, by_chance, full, leaves, replaced
from tests.support.sampling import sampled

CONSOLE = re.compile(
    r"https://(?:eu-central-1\.console\.aws\.amazon\.com|cn-north-1\.console\.amazonaws\.cn"
    r"|us-gov-west-1\.console\.amazonaws-us-gov\.com)/"
)
NOT_SHOWN = (
    # How the page is made of them, not what it says: each of a closed vocabulary.
    "state", "severity", "drifted.*.sign",
    "drifted.*.severity", "actions.*.phase", "actions.*.resolves.*", "actions.*.params.*", "lanes.basis",
    "lanes.flows.*.class", "lanes.flows.*.*.kind", "lanes.flows.*.from.name", "lanes.flows.*.from.label",
    "lanes.flows.*.to.name", "lanes.states.*.name", "lanes.flows.*.subnets.*", "network.workloads.*.subnets.*",
    "intents.*.enforcement", "intents.*.blockers.*.side",
    # Told once already, by the page's own words or by another member.
    "run.started", "drifted.*.id", "drifted.*.consequence.severity", "actions.*.id", "found_by.*.by",
    "intents.*.blockers.*.component", "network.first.resources.*.spec.vpc",
    # Of what is declared the map draws what differs from the live value, and no other.
    "network.declared.*",
    "lanes.flows.*.to.subnets.*", "network.first.resources.*.spec.subnets.*",
)  # fmt: skip
CANARY = "\"'><img src=x onerror=alert(1)>{{7*7}}&amp;\u202ecanary-7f"
HOSTILE = (
    "<script>alert(1)</script>",
    "</style></script></title></textarea><!--<svg onload=alert(1)>",
    '" onmouseover="alert(1)" x=\'',
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &#x3c;b&#x3e; &amp;amp;",
    "\u202eright to left\u2066 lone isolate \u200f\u061c",
    "a" + "\u0301\u0489\u20dd" * 40,
    "long " * 1_000,
    "nul \x00 bell \x07 esc \x1b[31m",
    "half \ud800 surrogate \udfff",
    '=HYPERLINK("http://evil.example","x")',
    "[link](javascript:alert(1)) ![img](http://evil.example/x) @everyone `code`",
    "javascript:alert(1)",
    "https://evil.example/?region=eu-central-1.console.aws.amazon.com",
)


def assert_well_formed(html: str) -> Told:
    """Unique ids, no dangling link, nothing that acts, nowhere to go but the console."""
    told = Told(html)
    assert told.open == []
    assert [one for one, times in Counter(told.ids).items() if times > 1] == []
    links = [link for link in told.links if link.startswith("#")]
    assert sorted(set(links) - {f"#{one}" for one in told.ids}) == []
    assert [link for link in told.links if not link.startswith("#") and not CONSOLE.match(link)] == []
    for tag, attributes in told.elements:
        assert tag not in {"iframe", "object", "embed", "form", "base", "link", "img", "a:script"}, tag
        for name, value in attributes.items():
            assert name != "style", (tag, attributes)
            assert not name.startswith("on"), (tag, attributes)
            assert "javascript:" not in (value or "").lower(), (tag, attributes)
        if attributes.get("href", "#") and not str(attributes.get("href", "#")).startswith("#"):
            assert attributes["rel"] == "noreferrer"  # which implies noopener (HTML, link types)
    labels = {one for _, attributes in told.elements for one in (attributes.get("aria-labelledby") or "").split()}
    assert sorted(labels - set(told.ids)) == []
    odd = {char for char in told.text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert odd == set()
    html.encode("utf-8")
    return told


def changed(**members: Any) -> Receipt:
    return full() | members


# --- What a page is made of ---


def test_the_policy_of_the_page_lets_in_our_own_style_and_script_and_nothing_else() -> None:
    told = assert_well_formed(page(full()))
    metas = [attributes for tag, attributes in told.elements if tag == "meta"]
    policy = next(one["content"] for one in metas if one.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None

    def digest(raw: str) -> str:
        return base64.b64encode(hashlib.sha256(told.raw[raw].encode()).digest()).decode()

    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest('style')}'",
        f"script-src 'sha256-{digest('script')}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert {"name": "referrer", "content": "no-referrer"} in metas


def test_no_template_can_print_what_was_not_made_inert() -> None:
    """What is joined, formatted or called safe in a template does not pass `finalize`."""
    templates = sorted(TEMPLATES.glob("*.jinja"))
    assert len(templates) > 8
    for template in templates:
        source = template.read_text("utf-8")
        for expression in re.findall(r"\{[{%].*?[}%]\}", source, re.DOTALL):
            assert "~" not in expression, (template.name, expression)
            assert not re.search(r"\|\s*(?:safe|format|join|xmlattr|urlize|tojson|replace\(.*<)", expression), (
                expression
            )
        assert " style=" not in source
        assert not re.search(r"\son\w+=", source)


def test_style_and_script_are_small_and_say_nothing_that_would_end_their_element() -> None:
    told = Told(page(full()))
    assert len(told.raw["style"].encode()) <= 16 * 1024
    assert len(told.raw["script"].encode()) <= 1_536
    assert "<" not in told.raw["style"] + told.raw["script"]


def test_what_the_artefact_has_for_the_templates_says_what_they_say(tmp_path: Any) -> None:
    from jinja2 import ModuleLoader

    compile_templates(TEMPLATES, tmp_path)
    assert len(list(tmp_path.glob("*.py"))) == len(list(TEMPLATES.glob("*.jinja")))
    compiled = environment(ModuleLoader(str(tmp_path)))
    for name in (one.name for one in TEMPLATES.glob("*.jinja")):
        compiled.get_template(name)
    with pytest.MonkeyPatch.context() as patched:
        expected = page(full())
        patched.setattr("reconciler.report.page.html.environment", lambda: compiled)
        assert page(full()) == expected


# --- Test 1: whatever a receipt holds ---

LEAVES = list(leaves(full()))


def is_shown(path: tuple[str | int, ...]) -> bool:
    place = ".".join(map(str, path))
    return not any(fnmatch(place, pattern) for pattern in NOT_SHOWN)


@pytest.mark.parametrize(
    "path", [path for path, _ in LEAVES if is_shown(path)], ids=lambda path: ".".join(map(str, path))
)
def test_a_canary_in_a_string_of_a_receipt_is_on_the_page_and_inert(path: tuple[str | int, ...]) -> None:
    told = assert_well_formed(page(replaced(full(), path, CANARY)))
    assert r"{{7*7}}&amp;\u202ecanary-7f" in told.text.lower()
    assert not any(tag == "img" for tag, _ in told.elements)


def test_the_list_of_what_is_not_shown_is_short() -> None:
    left_out = [path for path, _ in LEAVES if not is_shown(path)]
    assert len(left_out) < len(LEAVES) / 3


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_words_everywhere_at_once_change_no_element(words: str) -> None:
    plain, hostile = full(), full()
    for path, _ in LEAVES:
        if is_shown(path) and not _steers(path):
            hostile, plain = replaced(hostile, path, words), replaced(plain, path, "some, words")
    told = assert_well_formed(page(hostile))
    expected = assert_well_formed(page(plain))
    long = {"texts"} & set(told.ids)
    if not long:
        assert [tag for tag, _ in told.elements] == [tag for tag, _ in expected.elements]
    assert not any(tag == "img" for tag, _ in told.elements)


def _steers(path: tuple[str | int, ...]) -> bool:
    """Whether a leaf decides which parts there are, such as an address that another part refers to."""
    return path[-1] in {"address", "availability_zone", "outcome", "status", "ended", "region", "mode"} or path[0] in {
        "network", "untagged", "lanes",
    }  # fmt: skip


def test_a_name_as_a_key_is_as_inert_as_any_other_text() -> None:
    receipt = full()
    for name in ("ids", "actors", "since", "exposed", "found_by", "policy", "left_out"):
        receipt[name] = {f"{CANARY}-{name}": value for value in receipt[name].values()}
    receipt["drifted"][0]["address"] = CANARY
    receipt["network"]["workloads"] = {CANARY: receipt["network"]["workloads"]["api"]}
    receipt["network"]["first"]["unread"] = {CANARY: "why"}
    told = assert_well_formed(page(receipt))
    for name in ("ids", "policy", "left_out", "found_by"):
        assert f"canary-7f-{name}" in told.text
    assert not any(tag == "img" for tag, _ in told.elements)


def test_a_long_text_is_cut_in_place_and_stands_whole_once_at_the_end() -> None:
    words = " ".join(f"word{number}" for number in range(260))
    receipt = full()
    receipt["actors"]["security_group/Web"]["user_agent"] = words
    receipt["drifted"][0]["message"] = words
    told = assert_well_formed(page(receipt))
    assert told.text.count("word259") == 1
    assert f"{words[:160]}... [text 1]" in told.text
    endless = assert_well_formed(page(replaced(full(), ("drifted", 0, "message"), "x y " * 2_000)))
    assert len(endless.text) < len(Told(page(full())).text) + 3_000


def test_at_most_two_marks_stand_on_a_character() -> None:
    told = Told(page(replaced(full(), ("drifted", 0, "message"), "e" + "\u0301" * 50 + "nd")))
    assert "e\u0301\u0301nd" in told.text
    assert "\u0301" * 3 not in told.text


def test_a_secret_in_a_receipt_is_not_on_the_page() -> None:
    told = Told(page(replaced(full(), ("drifted", 0, "have", "description"), "password: Canary-hunter2!")))
    assert "hunter2" not in told.text
    assert "[redacted]" in told.text


@pytest.mark.parametrize("region", ["eu-central-1", "cn-north-1", "us-gov-west-1"])
def test_ids_lead_to_the_console_of_their_partition(region: str) -> None:
    told = assert_well_formed(page(changed(region=region)))
    assert any(CONSOLE.match(link) and "#SecurityGroup:groupId=sg-0" in link for link in told.links)


@pytest.mark.parametrize(
    ("aws_id", "region"),
    [
        ("sg-0123", "eu-central-1"),
        ("sg-00000000000000001&x", "eu-central-1"),
        ("sg-0000000000000000\u0661", "eu-central-1"),
        ("sg-00000000000000001\n", "eu-central-1"),
        ("sg-00000000000000001", "eu-central-1.evil.example/"),
        ("sg-00000000000000001", "evil"),
        ("sg-00000000000000001", "eu-central-1\n"),
    ],
)
def test_what_does_not_have_exactly_the_form_of_an_id_is_text(aws_id: str, region: str) -> None:
    told = assert_well_formed(page(changed(region=region, ids={"security_group/Web": aws_id}, drifted=[])))
    assert not any("groupId=sg-0" in link and not link.endswith("sg-00000000000000009") for link in told.links)


# --- Test 2: every fact is told ---


def facts(receipt: Receipt) -> set[str]:
    """What a reader must find on the page."""
    found: set[str] = set()
    for one in receipt["drifted"]:
        found |= {one["address"], one["id"], one["sentence"], str(one["field"] or "the resource")}
        found |= {
            str(one[name])
            for name in ("key", "reason", "message", "outcome")
            if isinstance(one[name], str) and one[name]
        }
        for value in (one["want"], one["have"]):
            found |= {str(leaf) for _, leaf in leaves(value)} | ({str(value)} if type(value) is int else set())
            if isinstance(value, dict) and "ports" in value:
                found.add(f"{value['protocol']} {value['ports']} from {value['source']}")
    for one in receipt["actions"]:
        found |= {one["operation"], one["why"], one["address"]} | ({one["ended"]} if one["ended"] else set())
    for one in receipt["actors"].values():
        found |= {one["who"], one["call"]}
    for one in receipt["exceptions"]:
        found |= {one["address"], one["reason"], f"{one['value']['protocol']} {one['value']['ports']}"}
    for one in receipt["holds"]:
        found |= {one["address"], one["who"]}
    for one in receipt["unseen"]:
        found |= {one["kind"], one["why"]}
    return found | set(receipt["ids"]) | set(receipt["ids"].values())


@pytest.mark.parametrize("seed", sampled(list(range(40)), 8, seed="facts"))
def test_every_fact_of_a_receipt_is_on_the_page(seed: int) -> None:
    random = Random(seed)
    receipt = by_chance(random, random.choice((0, 1, 3, 20, 41, 90)))
    told = assert_well_formed(page(receipt))
    assert sorted(fact for fact in facts(receipt) if fact not in told.text) == []


def test_of_very_many_differences_the_gravest_are_told_and_the_rest_is_counted() -> None:
    receipt = by_chance(Random(11), 1_000)
    told = assert_well_formed(page(receipt))
    shown = {one["sentence"] for one in receipt["drifted"] if one["sentence"] in told.text}
    assert 300 <= len(shown) < 310  # the three sentences of the verdict too
    assert "700 more differences, the least grave, are not on this page: -o json has them all." in told.text
    critical = {one["sentence"] for one in receipt["drifted"] if one["severity"] == "critical"}
    assert len(critical) < 300
    assert critical <= shown
    assert "760 more calls are not on this page" in told.text


def test_what_is_the_same_at_many_resources_is_told_once_with_all_their_names() -> None:
    receipt, one = full(), full()["drifted"][0]
    names = [f"security_group/s{number}" for number in range(60)]
    receipt["drifted"] = [
        one | {"address": name, "number": number, "sentence": one["sentence"].replace("security_group/Web", name)}
        for number, name in enumerate(names, 1)
    ]
    told = assert_well_formed(page(receipt))
    assert "Each of 60 security groups lets in tcp 22 from anyone on the internet" in told.text
    assert all(name in told.text for name in names)
    assert told.text.count("lets in tcp 22 from anyone") <= 3


# --- What is no receipt ---


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "not a receipt"),
        ([], "not a receipt"),
        ("receipt", "not a receipt"),
        ({}, "which format"),
        ({"receipt": True}, "which format"),
        ({"receipt": 2}, "a newer version of Setpoint"),
        (full() | {"drifted": "x"}, "damaged: drifted"),
        (full() | {"drifted": [1]}, "damaged: drifted"),
        (full() | {"network": [1]}, "damaged: network"),
        (full() | {"lanes": {"states": [{}], "flows": [{"on": [1]}]}}, "damaged"),
        (full() | {"run": {"trigger": 4}}, "damaged"),
    ],
)
def test_what_is_no_receipt_is_refused_with_one_sentence(value: object, why: str) -> None:
    with pytest.raises(UnreadableReceipt) as refused:
        page(value)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("seed", sampled(list(range(60)), 12, seed="damage"))
def test_a_damaged_receipt_gives_a_page_or_one_sentence(seed: int) -> None:
    random = Random(seed)
    for _ in range(12):
        path, _old = random.choice(LEAVES)
        damaged = replaced(
            full(), path[: random.randint(1, len(path))], random.choice((None, 7, [], {}, "x", [None], True))
        )
        try:
            assert_well_formed(page(damaged))
        except UnreadableReceipt as refused:
            assert "\n" not in str(refused)  # noqa: PT017 (one sentence is as well)
