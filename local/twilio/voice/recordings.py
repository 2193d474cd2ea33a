"""Recordings: what Twilio tells of them. There is no audio behind their addresses.

Fields: https://www.twilio.com/docs/voice/api/recording#recordingstatuscallback.
"""

from dataclasses import dataclass, field
from datetime import datetime

from ..messages import API_VERSION, new_sid, now, rfc2822
from .call import Call


@dataclass
class Recording:
    """``duration`` is seconds of the call.

    ``source`` is ``RecordVerb``, ``DialVerb``, ``OutboundAPI`` or ``StartCallRecordingTwiML``.
    """

    call: Call
    source: str
    base_url: str
    duration: int = 0
    channels: int = 1
    sid: str = field(default_factory=lambda: new_sid("RE"))
    began: datetime = field(default_factory=now)

    def fields(self) -> dict[str, str]:
        """As the request of a verb's ``action`` and a call's last status callback have them."""
        url = f"{self.base_url}/{API_VERSION}/Accounts/{self.call.account_sid}/Recordings/{self.sid}"
        return {"RecordingUrl": url, "RecordingSid": self.sid, "RecordingDuration": str(self.duration)}

    def status_fields(self, status: str = "completed") -> dict[str, str]:
        """As a recording status callback has them."""
        return self.fields() | {
            "AccountSid": self.call.account_sid,
            "CallSid": self.call.sid,
            "RecordingStatus": status,
            "RecordingChannels": str(self.channels),
            "RecordingStartTime": rfc2822(self.began) or "",
            "RecordingSource": self.source,
            "RecordingTrack": "both",
            "ErrorCode": "0",
        }
