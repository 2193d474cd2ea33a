"""Lists of the 2010 API: filters, pages and the addresses of the next ones.

A page token names the resource that the page begins after, so a page does not shift when newer ones arrive.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from yarl import URL

from .messages import Message
from .refusals import Refusal
from .voice.call import Call

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000


def message_filter(query: Mapping[str, str]) -> Callable[[Message], bool]:
    """To, From, DateSent (a day), ``DateSent>`` and ``DateSent<`` (a day or a moment, itself included)."""
    to, sender = query.get("To"), query.get("From")
    in_time = _time_filter(query, "DateSent")

    def wanted(message: Message) -> bool:
        return (
            (not to or message.to == to)
            and (not sender or message.from_ == sender)
            and in_time(message.date_sent or message.date_created)
        )

    return wanted


def call_filter(query: Mapping[str, str]) -> Callable[[Call], bool]:
    """To, From, Status, ParentCallSid, and StartTime and EndTime as a message's DateSent."""
    started, ended = _time_filter(query, "StartTime"), _time_filter(query, "EndTime")
    to, sender, status, parent = (query.get(name) for name in ("To", "From", "Status", "ParentCallSid"))

    def wanted(call: Call) -> bool:
        return (
            (not to or call.to == to)
            and (not sender or call.from_ == sender)
            and (not status or call.resource()["status"] == status)
            and (not parent or call.parent_call_sid == parent)
            and started(call.start_time or call.date_created)
            and ended(call.end_time or call.date_updated)
        )

    return wanted


def _time_filter(query: Mapping[str, str], name: str) -> Callable[[datetime], bool]:
    day, after, before = query.get(name), query.get(f"{name}>"), query.get(f"{name}<")
    for text in (day, after, before):
        _check_date(text)

    def wanted(when: datetime) -> bool:
        moment = when.strftime("%Y-%m-%dT%H:%M:%SZ")
        return (
            (not day or moment[:10] == day[:10])
            and (not after or moment[: len(after)] >= after)
            and (not before or moment[: len(before)] <= before)
        )

    return wanted


def page_of(key: str, resources: list[dict[str, object]], url: URL) -> dict[str, object]:
    """The page that ``url`` asks for, with the addresses of its neighbours. ``resources`` are all that match."""
    size = min(max(_number(url, "PageSize", DEFAULT_PAGE_SIZE), 1), MAX_PAGE_SIZE)
    page = _number(url, "Page", 0)
    start = _start(resources, url.query.get("PageToken"), page * size)
    shown = resources[start : start + size]
    more = start + size < len(resources)
    return {
        "first_page_uri": _uri(url, size, 0, None),
        "end": page * size + max(len(shown) - 1, 0),
        "previous_page_uri": _uri(url, size, page - 1, _token(resources, start - size)) if start else None,
        key: shown,
        "uri": str(url),
        "page_size": size,
        "start": page * size,
        "next_page_uri": _uri(url, size, page + 1, _token(resources, start + size)) if more else None,
        "page": page,
    }


def v1_page_of(key: str, resources: list[dict[str, object]], url: URL) -> dict[str, object]:
    """The same in the form of the newer APIs: ``meta`` with absolute addresses."""
    page = page_of(key, resources, url.relative())
    addresses = {name: page[f"{name}_page_uri"] for name in ("first", "previous", "next")}
    absolute = {f"{name}_page_url": uri and str(url.join(URL(str(uri)))) for name, uri in addresses.items()}
    meta = {"key": key, "page": page["page"], "page_size": page["page_size"], "url": str(url), **absolute}
    return {key: page[key], "meta": meta}


def _start(resources: list[dict[str, object]], token: str | None, otherwise: int) -> int:
    if token is None:
        return otherwise
    after = token.removeprefix("PA")
    return next((i + 1 for i, resource in enumerate(resources) if resource["sid"] == after), len(resources))


def _token(resources: list[dict[str, object]], start: int) -> str | None:
    return f"PA{resources[start - 1]['sid']}" if start > 0 else None


def _uri(url: URL, size: int, page: int, token: str | None) -> str:
    kept = [(key, value) for key, value in url.query.items() if key not in {"PageSize", "Page", "PageToken"}]
    paging = [("PageSize", str(size)), ("Page", str(page)), *([("PageToken", token)] if token else [])]
    return str(url.with_query(kept + paging))


def _number(url: URL, key: str, default: int) -> int:
    text = url.query.get(key, "")
    return int(text) if text.isdecimal() else default


def _check_date(text: str | None) -> None:
    try:
        datetime.fromisoformat(text or "2010-04-01")
    except ValueError:
        raise Refusal(20001, 400, f"Invalid date {text}") from None
