"""What the doctor looks at, in the order in which it tells. A check stands behind those it needs."""

from __future__ import annotations

from tools.doctor.checks import account, aws, delivery, lately, limits, numbers, permissions, reachability, secret
from tools.doctor.examine import Check

_STACK, _TWILIO = ("outputs",), ("twilio-credentials",)

CHECKS = (
    Check("aws-credentials", "AWS", "AWS credentials and region", aws.credentials),
    Check("stack", "AWS", "the stack's state", aws.state, ("aws-credentials",)),
    Check("outputs", "AWS", "the stack's outputs", aws.outputs, ("stack",)),
    Check("functions", "AWS", "state of every function", aws.functions, _STACK),
    Check("lambda-quota", "AWS", "Lambda's concurrency", limits.functions_at_once, ("aws-credentials",)),
    Check("transcribe-quota", "AWS", "Transcribe's concurrent streams", limits.streams_at_once, _STACK),
    Check("secret", "Twilio account", "the stored credentials", secret.secret, _STACK),
    Check("twilio-credentials", "Twilio account", "whether Twilio accepts them", account.credentials, ("secret",)),
    Check("account", "Twilio account", "the account's state", account.state, _TWILIO),
    Check("trial", "Twilio account", "limits of a trial account", account.trial, _TWILIO),
    Check("calling-permissions", "Twilio account", "countries that may be called", permissions.calling, _TWILIO),
    Check("texting-permissions", "Twilio account", "countries that may be texted", permissions.texting, _TWILIO),
    Check("numbers", "Numbers", "our numbers and what they can do", numbers.numbers, _TWILIO),
    Check("number-urls", "Numbers", "where they send texts and calls", numbers.urls, _TWILIO),
    Check("number-overrides", "Numbers", "TwiML Apps and trunks in between", numbers.overrides, _TWILIO),
    Check("messaging-services", "Numbers", "Messaging Services in between", numbers.messaging_services, _TWILIO),
    Check("us-registration", "Numbers", "A2P 10DLC campaigns of US numbers", permissions.us_registration, _TWILIO),
    Check("toll-free", "Numbers", "verification of toll-free numbers", permissions.toll_free, _TWILIO),
    Check("addresses", "Webhooks", "whether Twilio can reach them", reachability.public, _STACK),
    Check("strangers", "Webhooks", "requests without a signature", reachability.strangers, ("addresses",)),
    Check("signatures", "Webhooks", "requests as Twilio signs them", reachability.signed, ("twilio-credentials", "strangers")),
    Check("voice-fallback", "Webhooks", "what a caller hears in the worst case", reachability.fallback, ("strangers",)),
    Check("socket", "Webhooks", "handshakes of media streams", reachability.socket, ("twilio-credentials", "addresses")),
    Check("bus", "Delivery", "rules on the bus", delivery.bus, _STACK),
    Check("outbox", "Delivery", "events that wait for the bus", delivery.outbox, _STACK),
    Check("queues", "Delivery", "what failed for good", delivery.queues, _STACK),
    Check("alarms", "Lately", "alarms that are on", lately.alarms, _STACK),
    Check("function-errors", "Lately", "errors in the functions' logs", lately.function_errors, _STACK),
    Check("twilio-alerts", "Lately", "Twilio's debugger", lately.alerts, _TWILIO),
    Check("undelivered", "Lately", "texts that did not arrive", lately.undelivered, _TWILIO),
)
