"""The forms that Twilio sends about a call.

Fields: https://www.twilio.com/docs/voice/twiml#request-parameters and
https://www.twilio.com/docs/voice/api/call-resource#statuscallback. Geography is blank but for the country, as of texts.
"""

from ..inbound import geography
from ..messages import API_VERSION, now, rfc2822
from .call import Call

_SIP_CODES = {"completed": "200", "busy": "486", "no-answer": "487", "canceled": "487", "failed": "404"}


def call_fields(call: Call) -> dict[str, str]:
    """What every request about a call begins with."""
    about = {
        "CallSid": call.sid,
        "AccountSid": call.account_sid,
        "From": call.from_,
        "To": call.to,
        "Caller": call.from_,
        "Called": call.to,
        "CallStatus": call.status,
        "Direction": call.direction,
        "ApiVersion": API_VERSION,
    }
    if call.parent_call_sid:
        about["ParentCallSid"] = call.parent_call_sid
    sides = [("From", call.from_), ("To", call.to), ("Caller", call.from_), ("Called", call.to)]
    for side, number in sides:
        about |= geography(side, number)
    return about


def status_fields(call: Call, sequence_number: int) -> dict[str, str]:
    """A status callback for the status that the call has now."""
    form = call_fields(call) | {
        "Timestamp": rfc2822(now()) or "",
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(sequence_number),
    }
    if call.ended:
        form |= {"CallDuration": str(call.duration or 0), "Duration": str(call.minutes)}
        if call.direction != "inbound":
            form["SipResponseCode"] = _SIP_CODES[call.status]
        if call.answered_by:
            form["AnsweredBy"] = call.answered_by
    return form
