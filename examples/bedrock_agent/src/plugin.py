"""The plugin's functions, invoked by name."""

import json
import os
from typing import Any

import boto3

lambda_client = boto3.client("lambda")


class PluginRefused(RuntimeError):
    """What one of the plugin's functions raised."""

    def __init__(self, function: str, error_type: str, message: str) -> None:
        super().__init__(f"{function}: {error_type}: {message}")
        self.error_type = error_type


def invoke(function: str, payload: dict[str, Any]) -> Any:
    """Call one of the plugin's functions."""
    name = f"{os.environ['PLUGIN_STACK_NAME']}-{function}"
    response = lambda_client.invoke(FunctionName=name, Payload=json.dumps(payload))
    answer = json.load(response["Payload"])
    if response.get("FunctionError"):
        raise PluginRefused(function, answer.get("errorType", "Unhandled"), answer.get("errorMessage", ""))
    return answer
