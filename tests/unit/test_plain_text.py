import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twilio_plugin.domain.plain_text import plain_text

PLAIN = [
    "",
    "2 * 3 * 4",
    "snake_case_name",
    "I <3 you",
    "#1 in line",
    "1. is first",
    "a & b, AT&T, x < y > z",
    "5*3*2=30 and 2**3**4",
    "Dial *123*456# now",
    "https://example.com/_a_/b?x=_1_&y=_2_ and http://example.com/__c__.",
    "3. bronze\n2. silver\n1. gold",
    "1. yes\n2. no\n9. an agent",
    "(1) one\n(2) two",
    "- [ ] milk\n- [x] eggs\n-",
    "+1 555 555 1234",
    "one\ntwo\n\nthree",
    "[note] see [1]",
    "~ 5 km, $5 ~ $6",
    "😀 “quoted” — 中文",
]


@pytest.mark.parametrize("text", PLAIN)
def test_text_without_markdown_is_unchanged(text: str) -> None:
    assert plain_text(text) == text


@given(st.lists(st.text(string.ascii_letters + "äß中😀.,?!'$%/@", min_size=1), min_size=1).map(" ".join))
def test_words_and_punctuation_are_unchanged(text: str) -> None:
    assert plain_text(text) == text


@given(st.lists(st.sampled_from([*"*_`~[]()<>#|!-+=&:\\ \n\ta1", "](http://a.b)", "\n\n", "    ", "```"])).map("".join))
def test_no_markdown_is_too_strange(markdown: str) -> None:
    assert isinstance(plain_text(markdown), str)


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("*a* _b_ **c** __d__ ***e*** ~~f~~", "a b c d e f"),
        ("un**believ**able", "unbelievable"),
        ("`x *y*` and ``a`b``", "x *y* and a`b"),
        (r"\*not emphasis\* 1\. \#", "*not emphasis* 1. #"),
        ("a &amp; b &copy; &lt;c&gt;", "a & b © <c>"),
    ],
)
def test_marks_within_a_line_are_dropped(markdown: str, text: str) -> None:
    assert plain_text(markdown) == text


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("[our **menu**](https://example.com/menu)", "our menu (https://example.com/menu)"),
        ('[menu](https://example.com "title")', "menu (https://example.com)"),
        ("[menu][m]\n\n[m]: https://example.com", "menu (https://example.com)"),
        ("[a](http://a.example) and [b](http://b.example)", "a (http://a.example) and b (http://b.example)"),
        ("[https://example.com/ä](https://example.com/ä)", "https://example.com/ä"),
        ("[](https://example.com)", "https://example.com"),
        ("at <https://example.com>", "at https://example.com"),
        ("<me@example.com> or [mail](mailto:me@example.com)", "me@example.com or mail (me@example.com)"),
        ("[call](tel:+15555550100)", "call (+15555550100)"),
        ("![a cat](https://example.com/cat.png)", "a cat (https://example.com/cat.png)"),
        ("![](https://example.com/cat.png)", "https://example.com/cat.png"),
        ("[![logo](http://i.example)](http://l.example)", "logo (http://i.example) (http://l.example)"),
    ],
)
def test_a_link_is_its_label_and_its_url(markdown: str, text: str) -> None:
    assert plain_text(markdown) == text


@pytest.mark.parametrize("mark", ["*", "**", "_", "~~"])
def test_marks_around_a_bare_url_are_not_taken_for_a_part_of_it(mark: str) -> None:
    assert plain_text(f"{mark}see https://example.com/a_b{mark}, ok?") == "see https://example.com/a_b, ok?"


def test_headings_and_paragraphs_are_one_blank_line_apart() -> None:
    assert plain_text("# One *two*\nthree\n\n\n\nFour\n===\nfive") == "One two\n\nthree\n\nFour\n\nfive"


def test_a_thematic_break_is_a_blank_line() -> None:
    assert plain_text("one\n\n---\n\ntwo\n\n***") == "one\n\ntwo"


def test_line_breaks_stay_where_they_are() -> None:
    assert plain_text("soft\nhard  \nharder\\\r\nlast") == "soft\nhard\nharder\nlast"


def test_bullets_are_dashes_and_nested_lists_are_indented_by_two_spaces() -> None:
    markdown = "* one\n* two\n    * three\n        1. four\n        2. five\n* six\n  goes on\n\nEnd"
    assert plain_text(markdown) == "- one\n- two\n  - three\n    1. four\n    2. five\n- six\n  goes on\n\nEnd"


def test_a_list_keeps_its_blank_lines() -> None:
    assert plain_text("1. one\n\n   more\n\n2. two") == "1. one\n\n  more\n\n2. two"


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("7) a\n8) b", "7) a\n8) b"),
        ("0. a\n1. b", "0. a\n1. b"),
        ("1. a\n1. b\n1. c", "1. a\n2. b\n3. c"),
        ("5. a\n   1. x\n   2. y\n6. b", "5. a\n  1. x\n  2. y\n6. b"),
    ],
)
def test_numbers_stay_unless_they_repeat(markdown: str, text: str) -> None:
    assert plain_text(markdown) == text


def test_code_is_bare_and_keeps_its_own_shape() -> None:
    assert (
        plain_text("Run:\n```sh\nif *x*:\n\n\n    y_\n```\nor\n\n    z & <a>") == "Run:\n\nif *x*:\n\n\n    y_\n\nor\n\nz & <a>"
    )


def test_code_in_a_list_is_indented_with_its_item() -> None:
    assert plain_text("1. run\n   ```\n   a\n     b\n   ```\n2. done") == "1. run\n  a\n    b\n2. done"


def test_a_quote_is_its_text() -> None:
    assert plain_text("> one\n> two\n>\n> > three\n\nfour") == "one\ntwo\n\nthree\n\nfour"


def test_a_table_is_a_line_a_row() -> None:
    markdown = "| Day | *Open* |\n|:---|---:|\n| Mon | 9\\|10 |\n| [Tue](http://t.example) | |"
    assert plain_text(markdown) == "Day | Open\nMon | 9|10\nTue (http://t.example) | "


def test_html_is_left_as_it_is() -> None:
    assert plain_text("a <b>*c*</b><br>d\n\n<div>\n*e*\n</div>") == "a <b>c</b><br>d\n\n<div>\n*e*\n</div>"


def test_a_link_that_could_run_something_is_left_as_it_is() -> None:
    assert plain_text("[x](javascript:alert(1))") == "[x](javascript:alert(1))"


def test_deep_nesting_loses_nothing() -> None:
    nested = "\n".join("  " * depth + f"- {depth}" for depth in range(40))
    assert plain_text(nested) == nested
    assert plain_text("*a " * 2000 + "b* " * 2000) == ("a " * 2000 + "b " * 2000).rstrip()
