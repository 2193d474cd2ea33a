from __future__ import annotations

import time
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from twilio_plugin.domain.natural_text.marks import mark
from twilio_plugin.domain.natural_text.quotes import unquoted
from twilio_plugin.domain.natural_text.request import ActionName, Question, Request
from twilio_plugin.domain.natural_text.understand import understand

ADA, BOB, LONDON = "+15555551234", "+15555559876", "+442079460958"
CAT, LAKE = "https://example.com/cat.png", "https://example.com/lake(1).jpg?size=2&v=5555551234"


def text(words: str, to: str = ADA) -> Request:
    return Request("SEND_SMS", to, words)


def picture(*urls: str, words: str = "", to: str = ADA) -> Request:
    return Request("SEND_MMS", to, words, urls)


def call(words: str = "", to: str = ADA) -> Request:
    return Request("MAKE_CALL", to, words)


UNDERSTOOD: list[tuple[str, Request]] = [
    # Ways of asking for a text.
    (f"Send a text to {ADA} saying What a great Saturday at the lake", text("What a great Saturday at the lake")),
    (f"send sms to {ADA} saying hello", text("hello")),
    (f"Please send a quick message to {ADA}: on my way", text("on my way")),
    (f"Hey, can you text {ADA} saying are you coming?", text("are you coming?")),
    (f"I'd like you to text Ada Lovelace at {ADA} - see you soon", text("see you soon")),
    (f"Shoot my wife ({ADA}) a message that says Love you", text("Love you")),
    (f"Send {ADA} a text, saying: the door is open", text("the door is open")),
    (f"Text {ADA} Happy birthday! 🎂", text("Happy birthday! 🎂")),
    (f"text {ADA}, I'm running late...", text("I'm running late...")),
    (f"Tell {ADA} I'm late", text("I'm late")),
    (f"Tell {ADA} that that dog is ours", text("that dog is ours")),
    (f"Would you please let {ADA} know that we are open?", text("we are open")),
    (f"Let {ADA} know: closed on Sunday", text("closed on Sunday")),
    (f"Reply to {ADA} with 'ok'", text("ok")),
    (f"SMS to {ADA}: hi", text("hi")),
    (f"Send a text to {ADA} with the message See you at 5", text("See you at 5")),
    (f"Send a message saying dinner is ready to {ADA}.", text("dinner is ready")),
    (f"Text hello there to {ADA}, please", text("hello there")),
    # Numbers as they are written.
    ("Text 555-555-1234: running late", text("running late")),
    ("Text (555) 555-1234: running late", text("running late")),
    ("Text 555.555.1234 - running late", text("running late")),
    ("Text +1 (555) 555-1234\nrunning late", text("running late")),
    ("Text tel:+1-555-555-1234: running late", text("running late")),
    ("Text the number ＋１５５５５５５１２３４: running late", text("running late")),
    ("SMS +44 20 7946 0958 'See you at 5'", text("See you at 5", LONDON)),
    ("Text +33 1 42 68 53 00: à demain", text("à demain", "+33142685300")),
    ("Text +81-3-1234-5678: 5分後に", text("5分後に", "+81312345678")),
    ("Text +49 30 123456: 20 people are coming", text("20 people are coming", "+4930123456")),
    # What is in a message stays in it.
    (f"Text {ADA} saying call me at {BOB} or 555-555-0000", text(f"call me at {BOB} or 555-555-0000")),
    (f"Text {ADA} saying look at {CAT}", text(f"look at {CAT}")),
    (f"Text {ADA} {CAT}", text(CAT)),
    (f"Send 'Call me at {BOB}' to {ADA}", text(f"Call me at {BOB}")),
    (f"Text {ADA}: one\n\n  two  \nTHREE!", text("one\n\n  two  \nTHREE!")),
    (f"Text {ADA} saying text to say: saying that, please", text("text to say: saying that, please")),
    (f"Send a text to {ADA} saying that was great", text("that was great")),
    (f"Send a text to {ADA} saying and call them, then text them", text("and call them, then text them")),
    # Quotes enclose all of it or belong to it.
    (f'Text {ADA} "Hello, it\'s me."', text("Hello, it's me.")),
    (f"Could you text {ADA} saying “Dinner is ready”?", text("Dinner is ready")),
    (f"Text {ADA} 'It's 5 o'clock' please", text("It's 5 o'clock")),
    (f'Text {ADA} saying "yes" and "no"', text('"yes" and "no"')),
    (f'Text {ADA} saying "Really"!', text('"Really"!')),
    (f"Text {ADA}: «Bonjour»", text("Bonjour")),
    # Pictures.
    (f"Send a picture to {ADA} {CAT}", picture(CAT)),
    (f"Send the picture {CAT} to {ADA}", picture(CAT)),
    (f"Send {ADA} this photo: {CAT} saying Look at her!", picture(CAT, words="Look at her!")),
    (f"Send a photo of my cat to {ADA} saying look! {CAT}", picture(CAT, words="look!")),
    (f"Please text two images to {ADA}: {CAT}, {LAKE} and http://example.com/a", picture(CAT, LAKE, "http://example.com/a")),
    (f"MMS {ADA} ({LAKE}) 'At {CAT}'", picture(LAKE, words=f"At {CAT}")),
    # Calls.
    (f"Call {ADA}", call()),
    (f"Can you give {ADA} a ring, please?", call()),
    (f"Call me at {ADA} and say wake up", call("wake up")),
    (f"Make a phone call to {ADA} and tell them that the car is ready", call("the car is ready")),
    (f"Ring {ADA}. Say 'The taxi is here'.", call("The taxi is here")),
    ("Phone +44 20 7946 0958 to say I'm late", call("I'm late", LONDON)),
]

ASKED: list[tuple[str, str]] = [
    # Whom.
    ("Send a text saying hello", "Which number should I text?"),
    ("Call", "Which number should I call?"),
    ("Text 555-1234 saying hi", "Which number should I text?"),
    ("Send a picture of the lake to Bob", "Which number should I send it to?"),
    (f"Text {ADA} and {BOB} saying hi", f"Which number should I text: {ADA} or {BOB}?"),
    (f"Text {ADA}, {BOB} or {LONDON}: hi", f"Which number should I text: {ADA}, {BOB} or {LONDON}?"),
    (f"Text {ADA} {BOB} is my new number", f"Which number should I text: {ADA} or {BOB}?"),
    (f"Send call me at {BOB} to {ADA}", f"Which number should I text: {BOB} or {ADA}?"),
    (f"Send a text from {BOB} to {ADA} saying hi", f"Which number should I text: {BOB} or {ADA}?"),
    ("Text +49 30 123456 20 people are coming", "Does all of +49 30 123456 20 belong to the number I should text?"),
    ("Text 555-555-1234 x5 saying hi", "555-555-1234 x5 has an extension"),
    # What to do.
    ("Hello!", "What should I do: send a text, send a picture, or make a call?"),
    (f"{ADA}", f"Should I text or call {ADA}?"),
    (f"Say hello to {ADA}", f"Should I text or call {ADA}?"),
    (f"Contact {ADA}", f"Should I text or call {ADA}?"),
    (f"Call or text {ADA} saying hi", f"Should I text or call {ADA}?"),
    (f"Call and text {ADA}", f"Should I text or call {ADA}?"),
    (f"Call {ADA} and text them hi", f"Should I text or call {ADA}?"),
    (f"Text {ADA} hi and then call them", f"Should I text or call {ADA}?"),
    (f"Don't text {ADA} saying hi", f"Should I text {ADA}?"),
    (f"Never call {ADA}", f"Should I call {ADA}?"),
    (f"I texted {ADA} saying hi", f"Should I text or call {ADA}?"),
    (f"Send {CAT} to {ADA}", f"Should I send that to {ADA} as a picture, or as a link in a text?"),
    (f"Send {ADA} {CAT}", f"Should I send that to {ADA} as a picture, or as a link in a text?"),
    # What to say.
    (f"Text {ADA}", f"What should I write to {ADA}?"),
    (f"Send a text to {ADA} saying ", f"What should I write to {ADA}?"),
    (f'Send a text to {ADA} saying ""', f"What should I write to {ADA}?"),
    (f"Call {ADA} and say", f"What should I say to {ADA}?"),
    (f"Call {ADA} tomorrow at nine", "I am not sure about “tomorrow at nine”"),
    (f"Text {ADA} tomorrow saying hi", "I am not sure about “tomorrow saying hi”"),
    (f"Text {ADA} about the party", "I am not sure about “about the party”"),
    (f"Text {ADA} the address", "I am not sure about “the address”"),
    (f"Text {ADA} that was great", "I am not sure about “that was great”"),
    (f"Text {ADA} that says it all", "I am not sure about “that says it all”"),
    (f"Tell {ADA} that is my dog", "I am not sure about “that is my dog”"),
    (f"Tell {ADA} to call me", "I am not sure about “to call me”"),
    (f"Let {ADA} know when you arrive", "I am not sure about “when you arrive”"),
    (f"Send an apology to {ADA}", "I am not sure about “an apology”"),
    (f"Send {ADA} flowers", "I am not sure about “flowers”"),
    (f"Text {ADA} saying hi and text {BOB} saying ho", "I am not sure about “hi and text"),
    (f"Call {ADA} and say hi and call {BOB}", "I am not sure about “hi and call"),
    (f"Text {ADA} 'hi' and 'ho'", "I am not sure about “'hi' and 'ho'”"),
    (f"Can you text {ADA} saying dinner is ready?", "a question, “dinner is ready?”, or is it “dinner is ready”?"),
    (f"Send a picture to {ADA}", f"Which picture should I send to {ADA}?"),
    (f"Send a picture to {ADA} saying hello", f"Which picture should I send to {ADA}?"),
    (f"Send a picture to {ADA} saying 'see {CAT}'", f"Which picture should I send to {ADA}?"),
]


@pytest.mark.parametrize(("sentence", "request_"), UNDERSTOOD, ids=[one for one, _ in UNDERSTOOD])
def test_a_sentence_is_understood(sentence: str, request_: Request) -> None:
    assert understand(sentence, "US") == request_


@pytest.mark.parametrize(("sentence", "question"), ASKED, ids=[one for one, _ in ASKED])
def test_what_is_not_sure_is_asked(sentence: str, question: str) -> None:
    answer = understand(sentence, "US")

    assert isinstance(answer, Question), answer
    assert question in answer.sentence


def test_a_number_without_a_country_is_one_of_the_region() -> None:
    assert understand("Text 07911 123456: hi", "GB") == text("hi", "+447911123456")
    assert isinstance(understand("Text 07911 123456: hi", "US"), Question)


@pytest.mark.parametrize(
    ("sentence", "action", "request_"),
    [
        (f"{ADA}: hello", "SEND_SMS", text("hello")),
        ("to (555) 555-1234 saying hello", "SEND_SMS", text("hello")),
        (f"{ADA} {CAT}", "SEND_MMS", picture(CAT)),
        (f"{ADA} and say hello", "MAKE_CALL", call("hello")),
        (f"Send a text to {ADA} saying hello", "SEND_SMS", text("hello")),
    ],
)
def test_with_the_action_named_the_number_is_enough(sentence: str, action: ActionName, request_: Request) -> None:
    assert understand(sentence, "US", action) == request_


def test_a_text_that_asks_for_another_action_than_the_one_named_is_a_question() -> None:
    answer = understand(f"Call {ADA}", "US", "SEND_SMS")

    assert answer == Question("Should I do SEND_SMS or MAKE_CALL? The action says the one, and the text the other.")


def _no_digit(character: str) -> bool:
    return unicodedata.category(character) not in ("Nd", "No", "Nl", "Cs")


WORDS = st.text(st.characters(exclude_categories=["Cs"]).filter(_no_digit), min_size=1) | st.lists(
    st.sampled_from(["saying", "that", "to", "and", "call", "text", "them", ":", ",", "know", "a picture", "\n", "?", "'s"]),
    min_size=1,
).map(" ".join)


@given(WORDS)
def test_no_word_of_a_message_is_dropped_or_altered(message: str) -> None:
    assume(message.strip() and message.strip()[0] not in "\"'`“‘„«»‹「" and "://" not in message)

    assert understand(f"Send a text to {ADA} saying {message}", "US") == text(message.strip())
    assert understand(f"Call {ADA} and say {message}", "US") == call(message.strip())


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.sampled_from(["", "Text ", f"Text {ADA} ", f"Send a picture to {ADA} "]),
)
def test_whatever_is_read_comes_back_as_a_request_or_a_question(words: str, before: str) -> None:
    answer = understand(before + words, "US")

    if isinstance(answer, Request):
        assert answer.text in before + words
        assert all(url in words for url in answer.media_url)
    else:
        assert answer.sentence


@pytest.mark.parametrize(
    ("words", "inside"),
    [
        ('"a"', "a"),
        ("'it's'", "it's"),
        ("“a “b” c”", "a “b” c"),
        ("„a“", "a"),
        ('"a" or "b"', None),
        ("'a", None),
        ("a'", None),
        ("'", None),
        ("", None),
        ('"a"?', None),
        ('"a".', "a"),
        ('"a", thanks', "a"),
        ('"a", she said', None),
    ],
)
def test_quotes_count_only_where_they_enclose_all(words: str, inside: str | None) -> None:
    assert unquoted(words) == inside


def test_a_question_marks_place_is_behind_the_quotes_of_a_question() -> None:
    assert unquoted('"a"?', asked=True) == "a"


def test_a_url_ends_before_the_punctuation_of_its_sentence() -> None:
    marked = mark(f"({CAT}), {LAKE}. 'http://example.com/b'!", "US")

    assert [one.value for one in marked.urls] == [CAT, LAKE, "http://example.com/b"]
    assert marked.numbers == ()
    assert len(marked.shadow) == len(marked.text)


HOSTILE: list[Any] = [
    "please " * 1400,
    f"text {ADA}" + " " * 9900 + "x",
    "text " + "to my Bob at " * 700,
    "send " + "a picture of " * 700,
    "1 " * 5000,
    f"text {ADA} and " * 500,
    f"send a picture to {ADA} " + f"{CAT} " * 300 + "!",
    f"text {ADA} " + "“" * 9900,
    f"text {ADA} saying " + "and " * 2400,
]


@pytest.mark.parametrize("words", HOSTILE, ids=lambda words: words[:24])
def test_no_text_takes_long_to_read(words: str) -> None:
    began = time.process_time()
    understand(words, "US")

    assert time.process_time() - began < 2
