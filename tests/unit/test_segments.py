import time
from itertools import accumulate, pairwise

import pytest
import regex  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from twilio_plugin.domain.segments import encoding_of, fold_punctuation, segment_count, split

DEFAULT_ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION_TABLE = "\f^{}\\[~]|€"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1eb\U0001f1f7"
ACCENTED = "e\u0301"
GRAPHEMES = ["a", "b", ".", "]", "€", "ü", "ç", "中", "😀", FAMILY, FLAG, ACCENTED, "क्षि"]
INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
SPACES = [" ", "\n", "\r\n", "\t", "\u2003"]

limits = st.sampled_from([70, 71, 99, 140, 159, 160, 161, 300, 1600])
runs = st.tuples(st.sampled_from([*GRAPHEMES, *SPACES, "\u00a0"]), st.sampled_from([1, 1, 2, 5, 69, 70, 160, 900]))
texts = st.lists(runs, max_size=8).map(lambda pairs: "".join(piece * count for piece, count in pairs))
words = st.lists(st.sampled_from(GRAPHEMES), min_size=1, max_size=60).map("".join)
gaps = st.lists(st.sampled_from(SPACES), min_size=1, max_size=3).map("".join)


def utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def septets(text: str) -> int:
    return utf16_units(text) + sum(text.count(character) for character in EXTENSION_TABLE)


def fits(text: str, limit: int) -> bool:
    if limit > 160:
        return utf16_units(text) <= limit
    return septets(text) <= limit and (encoding_of(text) == "GSM-7" or utf16_units(text) <= 70)


def offsets(pieces: list[str]) -> list[int]:
    return [0, *accumulate(map(len, pieces))]


# Sent from a real account: TwilioDevEd/message-segment-calculator, scripts/manual-test-plan.js, with Twilio's num_segments.
@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        pytest.param("a" * 80 + "\r\n" + "a" * 79, "GSM-7", 2, id="1a CR LF is two characters"),
        pytest.param("a" * 80 + "\n" + "a" * 79, "GSM-7", 1, id="1b LF is one"),
        pytest.param("a" * 200 + "\r\n" + "a" * 105, "GSM-7", 3, id="1c CR LF at the second boundary"),
        pytest.param("é" * 70, "GSM-7", 1, id="2a precomposed accents"),
        pytest.param(ACCENTED * 70, "UCS-2", 3, id="2b combining accents"),
        pytest.param(ACCENTED, "UCS-2", 1, id="2c one combining accent"),
        pytest.param("“Hi”", "UCS-2", 1, id="3a curly quotes"),
        pytest.param(fold_punctuation("“Hi”"), "GSM-7", 1, id="3b curly quotes, folded"),
        pytest.param("a„b\u200cc", "UCS-2", 1, id="3c low quote and non-joiner"),
        pytest.param(fold_punctuation("a„b\u200cc"), "GSM-7", 1, id="3d low quote and non-joiner, folded"),
        pytest.param("😀|", "UCS-2", 1, id="4 emoji and extension character"),
        pytest.param("a" * 160, "GSM-7", 1, id="5a a full segment"),
        pytest.param("a" * 161, "GSM-7", 2, id="5b one more"),
        pytest.param("中" * 70, "UCS-2", 1, id="5c a full UCS-2 segment"),
        pytest.param("中" * 71, "UCS-2", 2, id="5d one more"),
        pytest.param("|", "GSM-7", 1, id="5e an extension character"),
    ],
)
def test_segments_are_counted_as_twilio_billed_them(text: str, encoding: str, segments: int) -> None:
    assert (encoding_of(text), segment_count(text)) == (encoding, segments)


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("中" * 134, 2),
        ("中" * 135, 3),
        ("]" * 80, 1),
        ("]" * 81, 2),
        ("]" * 153, 3),  # 306 septets, but 76 pairs a part; billed so
        ("this is a " + "]" * 75 + "😘", 2),  # billed so
        ("中" * 66 + "😀" + "中" * 66, 3),
        ("中" * 65 + "😀" + "中" * 67, 2),
        ("中" * 60 + FAMILY + "中" * 66, 3),
        (ACCENTED * 67, 3),
        ("中" * 66 + "\r\n" + "中" * 66, 2),
        ("e" + "\u0301" * 200, 3),
    ],
)
def test_a_character_is_billed_within_one_part(text: str, segments: int) -> None:
    assert segment_count(text) == segments


def test_an_empty_text_has_no_segments() -> None:
    assert (encoding_of(""), segment_count(""), split("")) == ("GSM-7", 0, [])


def test_gsm_7_is_the_standards_alphabet_and_its_extension_table() -> None:
    assert len(DEFAULT_ALPHABET) == 127  # 128 places, one of them escape
    gsm_7 = {chr(point) for point in range(0x110000) if encoding_of(chr(point)) == "GSM-7"}
    assert gsm_7 == set(DEFAULT_ALPHABET + EXTENSION_TABLE)


@given(texts, limits)
def test_the_parts_add_up_to_the_text(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert "".join(parts) == text
    assert all(parts)


@given(texts, limits)
def test_no_part_exceeds_the_limit(text: str, limit: int) -> None:
    for part in split(text, limit):
        assert utf16_units(part) <= limit
        assert fits(part, limit)


@given(texts, st.integers(70, 160))
def test_a_limit_of_one_segment_gives_parts_of_one_segment(text: str, limit: int) -> None:
    assert all(segment_count(part) == 1 for part in split(text, limit))


@given(texts, limits)
def test_a_grapheme_is_never_cut(text: str, limit: int) -> None:
    assert set(offsets(split(text, limit))) <= set(offsets(regex.findall(r"\X", text)))


@pytest.mark.parametrize(("limit", "marks"), [(70, 1000), (160, 100), (300, 1000)])
def test_a_grapheme_longer_than_a_part_is_cut_between_its_characters(limit: int, marks: int) -> None:
    text = "so: z" + "\u0308" * marks + " ok"
    parts = split(text, limit)
    assert "".join(parts) == text
    assert all(fits(part, limit) for part in parts)


@given(st.lists(st.tuples(gaps, words), min_size=1, max_size=60), limits)
def test_a_word_is_only_cut_where_it_does_not_fit_with_the_space_before_it(pairs: list[tuple[str, str]], limit: int) -> None:
    text = "".join(gap + word for gap, word in pairs)
    cuts = offsets(split(text, limit))
    starts = offsets([gap + word for gap, word in pairs])
    for (start, end), (gap, word) in zip(pairwise(starts), pairs, strict=True):
        if fits(gap + word, limit):
            assert not any(start + len(gap) < cut < end for cut in cuts)


@given(st.lists(st.tuples(gaps, words), min_size=1, max_size=60), gaps, limits)
def test_no_part_is_blank(pairs: list[tuple[str, str]], trailing: str, limit: int) -> None:
    text = "".join(gap + word for gap, word in pairs) + trailing
    assert not any(part.isspace() for part in split(text, limit))


@given(words, st.integers(0, 138), words)
def test_a_part_is_only_blank_where_two_parts_cannot_hold_the_white_space(before: str, spaces: int, after: str) -> None:
    assert not any(part.isspace() for part in split(f"{before}a{' ' * spaces}b{after}", 70))


@given(texts, limits)
def test_a_text_that_fits_stays_whole(text: str, limit: int) -> None:
    for part in split(text, limit):
        assert split(part, limit) == [part]


def test_a_part_is_filled_and_ends_after_its_white_space() -> None:
    assert split("word " * 20, 70) == ["word " * 14, "word " * 6]
    assert split("a" * 65 + "  \n" + "b" * 10, 70) == ["a" * 65 + "  \n", "b" * 10]


def test_white_space_that_does_not_fit_opens_the_next_part() -> None:
    assert split("a" * 69 + "\n\n" + "b", 70) == ["a" * 69 + "\n", "\nb"]
    assert split("see " + "a" * 66 + " b", 70) == ["see " + "a" * 66, " b"]


def test_a_long_word_is_cut_where_its_part_ends() -> None:
    assert split("see " + "x" * 100, 70) == ["see ", "x" * 70, "x" * 30]


def test_a_no_break_space_does_not_end_a_part() -> None:
    assert split("a" * 62 + " 10\u00a0000\u202f€", 70) == ["a" * 62 + " ", "10\u00a0000\u202f€"]


def test_each_part_has_the_room_of_its_own_encoding() -> None:
    assert split("a" * 160 + " " + "中" * 69 + " " + "b" * 160, 160) == ["a" * 160, " " + "中" * 69, " " + "b" * 159, "b"]


def test_trailing_white_space_takes_a_letter_along_to_not_be_a_blank_part() -> None:
    assert split("a" * 70 + "\n\n", 70) == ["a" * 69, "a\n\n"]


def test_a_lone_surrogate_is_carried_along() -> None:
    assert split("\ud83d", 70) == ["\ud83d"]
    assert segment_count("\ud83d") == 1


@pytest.mark.parametrize("limit", [-1, 0, 69, 1601])
def test_a_limit_outside_a_segment_and_a_message_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="70 to 1600"):
        split("text", limit)


@pytest.mark.parametrize("text", ["word " * 40_000, "x" * 200_000, FLAG * 100_000, "e\u0301" * 100_000, "a   " * 50_000])
def test_a_long_text_takes_time_in_proportion(text: str) -> None:
    began = time.perf_counter()
    split(text, 160)
    segment_count(text)
    assert time.perf_counter() - began < 10  # under a second here; a quadratic step takes minutes


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("“It’s” ‘so’ „gut“ «oui» ‹x›", '"It\'s" \'so\' "gut" "oui" <x>'),
        ("1–2 — no‑break −5°", "1-2 - no-break -5°"),
        ("wait… • one ◦ two", "wait... - one - two"),
        ("10\u00a0000\u202f€\u2009and\tmore\u2028line", "10 000 € and more\nline"),
        ("\ufeffzero\u200bwidth soft\u00adhyphen\u2060", "zerowidth softhyphen"),
        ("a\u200d\u200cb\u200e", "ab"),
        ("`code`", "'code'"),
    ],
)
def test_typographic_characters_become_their_look_alikes(text: str, folded: str) -> None:
    assert fold_punctuation(text) == folded


def test_what_gsm_7_can_say_is_not_folded() -> None:
    assert fold_punctuation(DEFAULT_ALPHABET + EXTENSION_TABLE) == DEFAULT_ALPHABET + EXTENSION_TABLE


@pytest.mark.parametrize(
    "text",
    [
        FAMILY,
        "\U0001f3f3\ufe0f\u200d\U0001f308",
        "1\ufe0f\u20e3 ‼️ ▪️ ✔️",
        "می\u200cخواهم",
        "क्\u200dष",
        "你好，世界。「好」！",
        "Hi \u200fשלום\u200f!",
        "ça été, naïve Łódź",
        "1½ ÷ 2",
    ],
)
def test_emoji_and_other_scripts_are_not_folded(text: str) -> None:
    assert fold_punctuation(text) == text


@given(st.lists(st.sampled_from([*"a “’—…•`1", *GRAPHEMES, *INVISIBLE, "\u00a0"])).map("".join))
def test_folding_what_is_folded_changes_nothing(text: str) -> None:
    folded = fold_punctuation(text)
    assert fold_punctuation(folded) == folded


def test_folding_turns_a_typical_reply_into_gsm_7() -> None:
    reply = "Hi — it’s Ana.\n• Café: €4…"
    assert (encoding_of(reply), encoding_of(fold_punctuation(reply))) == ("UCS-2", "GSM-7")
