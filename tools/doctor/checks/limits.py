"""What the AWS account allows: how many texts and calls at a time."""

from __future__ import annotations

from tools.doctor.findings import Examination
from tools.doctor.stack import Stack

# A call holds one function for as long as it lasts, and a few more for moments.
_FEW_FUNCTIONS = 50
_FEW_STREAMS = 25
_TRANSCRIBE = "twilio_plugin.adapters.transcribe:"


def functions_at_once(stack: Stack, seen: Examination) -> None:
    """Lambda's concurrency. New accounts begin with 10."""
    limit = int(stack.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    if limit < _FEW_FUNCTIONS:
        seen.warning(
            f"Lambda runs at most {limit} functions at a time in this account and region: about {max(limit // 2, 1)} calls; "
            "every other function of the account takes of it.",
            'Ask for 1,000 in the Service Quotas console: AWS Lambda, "Concurrent executions".',
        )
    seen.fact(f"{limit} functions at a time")


def streams_at_once(stack: Stack, seen: Examination) -> None:
    """Transcribe's concurrent streams: how many people can speak at the same moment."""
    if stack.parameters.get("VoiceMode", "stream") != "stream" or not stack.parameters["Transcriber"].startswith(_TRANSCRIBE):
        seen.fact("Transcribe is not used")
        return
    pages = stack.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="transcribe")
    quotas = [quota for page in pages for quota in page["Quotas"] if _is_of_streams(quota["QuotaName"])]
    if not quotas:
        seen.note("Service Quotas does not name Transcribe's concurrent streams.", "25 is the usual figure.")
        return
    limit = int(min(quota["Value"] for quota in quotas))
    if limit < _FEW_STREAMS:
        seen.warning(
            f"Transcribe hears at most {limit} people speak at the same moment.",
            f'Ask for more in the Service Quotas console: Amazon Transcribe, "{quotas[0]["QuotaName"]}".',
        )
    seen.fact(f"{limit} people may speak at the same moment")


def _is_of_streams(name: str) -> bool:
    """Of plain streams; medical and analytics ones have quotas of their own."""
    words = name.lower()
    return "concurrent" in words and "stream" in words and not any(other in words for other in ("medical", "analytics"))
