"""What faults do to a socket of ours, whatever goes over it; their kinds are listed in :mod:`local.twilio.faults`."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..faults import Fault


class SocketMishaps:
    """One of each kind, but any number of ``garbage``."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._faults = {fault.kind: fault for fault in faults if fault.kind != "garbage"}
        self._garbage = [fault for fault in faults if fault.kind == "garbage"]

    @property
    def forges_handshake(self) -> bool:
        """Whether the handshake is signed with another token."""
        return "forge_handshake" in self._faults

    def altered(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """What tells our side of the call, with ``callSid`` and ``customParameters``, as it arrives."""
        fault, altered = self._faults.get("alter_start"), dict(content)
        if fault is None:
            return altered
        altered["customParameters"] = parameters = dict(content["customParameters"])
        if "call_sid" in fault.options:
            altered["callSid"] = fault.text("call_sid", "")
        if "parameter" in fault.options:
            parameters.pop(fault.text("parameter", ""), None)
            if "value" in fault.options:
                parameters[fault.text("parameter", "")] = fault.text("value", "")
        return altered
