from __future__ import annotations

import pytest

from twilio_plugin.domain.media_copy import WHY_REFUSED, MediaHosts

ACCOUNT = "AC" + "0" * 32
MEDIUM = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/MM{'1' * 32}/Media/ME{'2' * 32}"
TWILIO = MediaHosts(ACCOUNT, "https://api.twilio.com")
LOCAL = MediaHosts(ACCOUNT, "http://127.0.0.1:8000")


def test_a_medium_of_the_account_is_twilios() -> None:
    assert TWILIO.is_media(f"https://api.twilio.com{MEDIUM}")
    assert LOCAL.is_media(f"http://127.0.0.1:8000{MEDIUM}")


@pytest.mark.parametrize(
    "url",
    [
        f"http://api.twilio.com{MEDIUM}",
        f"https://api.twilio.com.evil.example{MEDIUM}",
        f"https://evil.example/api.twilio.com{MEDIUM}",
        f"https://api.twilio.com@evil.example{MEDIUM}",
        f"https://user:password@api.twilio.com{MEDIUM}",
        f"https://api.twilio.com:8443{MEDIUM}",
        f"https://api.twilio.com{MEDIUM}?to=1",
        f"https://api.twilio.com{MEDIUM}#1",
        f"https://api.twilio.com{MEDIUM}/..",
        f"https://api.twilio.com\\@evil.example{MEDIUM}",
        f"https://api.twilio.com{MEDIUM}\n",
        f"https://api.twilio.com{MEDIUM}.json",
        "https://api.twilio.com/2010-04-01/Accounts.json",
        f"https://api.twilio.com{MEDIUM.replace(ACCOUNT, 'AC' + '1' * 32)}",
        f"https://pricing.twilio.com{MEDIUM}",
        f"https://API.twilio.com{MEDIUM}",
        f"https://ápi.twilio.com{MEDIUM}",
        "https://mms.twiliocdn.com/a",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://[::1",
        "",
    ],
)
def test_nothing_else_is_asked_with_the_accounts_credentials(url: str) -> None:
    assert not TWILIO.is_media(url)


@pytest.mark.parametrize(
    ("url", "followed"),
    [
        ("https://mms.twiliocdn.com/AC1/abc?Expires=1&Signature=x", True),
        ("https://media.twiliocdn.com/AC1/abc", True),
        ("https://s3-external-1.amazonaws.com/media.twiliocdn.com/AC1/abc", True),
        ("https://s3-external-1.amazonaws.com/somebody-elses/abc", False),
        ("https://s3-external-1.amazonaws.com/media.twiliocdn.com/../somebody-elses/abc", False),
        ("http://mms.twiliocdn.com/abc", False),
        ("https://mms.twiliocdn.com:8443/abc", False),
        ("https://twiliocdn.com.evil.example/abc", False),
        ("https://eviltwiliocdn.com/abc", False),
        ("https://127.0.0.1/abc", False),
        ("https://localhost/abc", False),
        ("https://169.254.169.254/latest/meta-data", False),
        ("https://[::ffff:127.0.0.1]/abc", False),
        ("ftp://mms.twiliocdn.com/abc", False),
        ("", False),
    ],
)
def test_only_twilios_cdn_is_a_place_to_be_sent_to(url: str, followed: bool) -> None:
    assert TWILIO.is_redirect(url) is followed


def test_a_stand_in_may_send_to_this_machine_and_nowhere_else() -> None:
    assert LOCAL.is_redirect("http://localhost:8000/_cdn/a")
    assert not LOCAL.is_redirect("https://mms.twiliocdn.com/abc")
    assert not LOCAL.is_redirect("http://169.254.169.254/")
    assert not TWILIO.is_redirect("http://localhost:8000/_cdn/a")


def test_every_reason_says_what_it_means_and_what_to_do() -> None:
    for why in WHY_REFUSED.values():
        assert why.meaning.endswith(".")
        assert why.remedy.endswith(".")
