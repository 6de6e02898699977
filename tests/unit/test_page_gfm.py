"""Other people's words as Markdown, read by a parser of GitHub's dialect: nothing of them acts or is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from reconciler.report.page.gfm import code, fenced, head, prose, row, shortened
from tests.support.hostile import HOSTILE

if TYPE_CHECKING:
    from markdown_it.token import Token

PARSER = MarkdownIt("gfm-like", {"linkify": False, "html": True})


def inline(markdown: str) -> list[Token]:
    """What stands within the one paragraph or cell that the text is."""
    (paragraph,) = [one for one in PARSER.parse(markdown) if one.type == "inline"]
    return paragraph.children or []


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_one_code_span_that_holds_it(text: str) -> None:
    if not shortened(text).strip():
        assert code(text) == "(blank)"
        return
    (span,) = inline(f"{code(text)}")
    assert (span.type, span.content) == ("code_inline", shortened(text))


@pytest.mark.parametrize("text", HOSTILE)
def test_in_a_cell_it_is_the_same_and_the_table_keeps_its_columns(text: str) -> None:
    lines = [*head(["a", "b", "c"]), row(["x", code(text), "y"]), row(["1", "2", "3"])]
    cells = [one.children or [] for one in PARSER.parse("\n".join(lines)) if one.type == "inline"]
    assert len(cells) == 9
    spans = [one.content for one in cells[4] if one.type == "code_inline"]
    assert spans == ([shortened(text)] if shortened(text).strip() else [])
    assert [cell[0].content for cell in (cells[3], *cells[5:])] == ["x", "y", "1", "2", "3"]


@pytest.mark.parametrize("text", HOSTILE)
def test_in_a_sentence_only_plain_words_stand_outside_of_code(text: str) -> None:
    sentence = f"security_group/{text} lets in tcp 22, from {text}."
    spans = inline(f"- {prose(sentence)}")
    assert {one.type for one in spans} <= {"text", "code_inline"}
    outside = " ".join(one.content for one in spans if one.type == "text").split()
    assert [
        word for word in outside if not ((word.isascii() and word.strip("(),.;:/%").isalnum()) or len(word) < 4)
    ] == []
    assert not {char for word in outside for char in word if not char.isalnum()} - set("(),.;:/%")
    told = "".join(one.content for one in spans)
    assert "".join(told.split()) == "".join(shortened(sentence, 400).split())


def test_a_sentence_reads_as_it_was_written() -> None:
    told = prose("security_group/DBSG lets in tcp 5432 from anyone (0.0.0.0/0), which is not declared.")
    assert told == "`security_group/DBSG` lets in tcp 5432 from anyone (`0.0.0.0/0`), which is not declared."


def test_a_digest_is_no_plain_word_since_it_would_link_to_a_commit() -> None:
    assert prose("deadbeef faced 1234567 12345") == "`deadbeef` faced `1234567` 12345"


@pytest.mark.parametrize("text", HOSTILE)
def test_lines_to_copy_stay_in_their_block(text: str) -> None:
    tokens = PARSER.parse("\n".join([*fenced(["setpoint plan", text]), "after"]))
    assert [one.type for one in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content.splitlines() == ["setpoint plan", shortened(text, 2_000)]


def test_nothing_unprintable_and_no_stack_of_marks_is_left() -> None:
    for text in HOSTILE:
        shown = shortened(text)
        assert shown.isprintable()
        assert len(shown) <= 160
    assert (
        shortened(HOSTILE[36]).count("\u0351") + shortened(HOSTILE[36]).count("\u0352")
        == len(shortened(HOSTILE[36])) - 1
        == 2
    )
