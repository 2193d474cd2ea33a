"""From accepted to delivered, with the status callbacks on the way.

Which statuses are reported: https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks. Never
the initial one; ``queued`` only with a Messaging Service; then ``sent`` or ``failed``, ``delivered`` or ``undelivered``.
"""

import asyncio
import random
import uuid
from dataclasses import dataclass, field

from .account import Account
from .faults import Fault
from .messages import API_VERSION, Message, MessageLog, now
from .segments import count_segments
from .webhooks import WebhookSender


@dataclass
class Plan:
    """What is to become of a message; a callback is its form with the token of its first attempt."""

    steps: list[str]
    error_code: int | None = None
    times: int = 1
    shuffle: random.Random | None = None
    held_back: list[dict[str, str]] = field(default_factory=list)

    def fail_with(self, error_code: int) -> None:
        """It gets no further than Twilio."""
        self.error_code = error_code
        self.steps = [step for step in self.steps if step == "queued"] + ["failed"]


def plan_for(message: Message, delivery: Fault | None, callbacks: Fault | None) -> Plan:
    """The ordinary way, or what the faults make of it."""
    plan = Plan(steps=["sent", "delivered"])
    if delivery:
        status = delivery.text("status", "undelivered")
        plan.steps = ["failed"] if status == "failed" else ["sent", "undelivered"]
        plan.error_code = delivery.integer("error_code", 30003)
    if message.status == "accepted":
        plan.steps.insert(0, "queued")
    if callbacks and callbacks.kind == "duplicate_status":
        plan.times = callbacks.integer("times", 2)
    if callbacks and callbacks.kind == "shuffle_status":
        plan.shuffle = random.Random(callbacks.integer("seed", 0))
    return plan


class Delivery:
    """Carries messages to phones."""

    def __init__(self, account: Account, log: MessageLog, webhooks: WebhookSender, seconds: float) -> None:
        self._account = account
        self._log = log
        self._webhooks = webhooks
        self._seconds = seconds

    async def carry(self, message: Message, plan: Plan) -> None:
        """Step through the plan; returns when the last callback was answered, or when the message was canceled.

        Statuses do not wait for callbacks. Callbacks wait for one another, so that tests see them in order: Twilio promises
        none, which is what the fault ``shuffle_status`` is for.
        """
        message.shown = plan.error_code is None
        async with asyncio.TaskGroup() as callbacks:
            previous: asyncio.Task[None] | None = None
            for status in plan.steps:
                await asyncio.sleep(self._seconds)
                if message.status == "canceled":
                    return
                self._advance(message, status, plan)
                await self._log.changed()
                if plan.shuffle:
                    plan.held_back.append(status_form(message))
                else:
                    report = self._report_after(previous, message, status_form(message), plan.times)
                    previous = callbacks.create_task(report)
        await self._report_shuffled(message, plan)

    async def report(self, message: Message, form: dict[str, str], times: int = 1) -> None:
        """Post one status callback, ``times`` at once with one token, if the message asked for callbacks."""
        if message.status_callback is None:
            return
        token = str(uuid.uuid4())
        async with asyncio.TaskGroup() as posts:
            for _ in range(times):
                posts.create_task(self._webhooks.send("status", message.status_callback, form, token))

    async def _report_after(
        self, previous: asyncio.Task[None] | None, message: Message, form: dict[str, str], times: int
    ) -> None:
        if previous is not None:
            await previous
        await self.report(message, form, times)

    def _advance(self, message: Message, status: str, plan: Plan) -> None:
        if message.from_ is None:  # a Messaging Service picks its sender when it queues the message
            message.from_ = self._account.sender_for(message.to)
            message.num_segments = count_segments(message.body)
        message.advance(status, plan.error_code if status in {"failed", "undelivered"} else None)

    async def _report_shuffled(self, message: Message, plan: Plan) -> None:
        if plan.shuffle is None:
            return
        for form in out_of_order(plan.held_back, plan.shuffle):
            await self.report(message, form)


def out_of_order(forms: list[dict[str, str]], chance: random.Random) -> list[dict[str, str]]:
    """The forms shuffled, and never as they were."""
    shuffled = list(forms)
    chance.shuffle(shuffled)
    return shuffled[::-1] if shuffled == forms else shuffled


def status_form(message: Message) -> dict[str, str]:
    """The fields of a status callback for the status that the message has now."""
    form = {
        "SmsSid": message.sid,
        "SmsStatus": message.status,
        "MessageStatus": message.status,
        "To": message.to,
        "MessageSid": message.sid,
        "AccountSid": message.account_sid,
        "ApiVersion": API_VERSION,
    }
    if message.from_ is not None:
        form["From"] = message.from_
    if message.messaging_service_sid:
        form["MessagingServiceSid"] = message.messaging_service_sid
    if message.error_code is not None:
        form["ErrorCode"] = str(message.error_code)
    if message.status in {"delivered", "undelivered"}:
        form["RawDlrDoneDate"] = now().strftime("%y%m%d%H%M")
    return form
