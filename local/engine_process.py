"""The local AWS engine's process: ministack, with five things made more like AWS. Runs in the engine's environment, and no
longer than the process that started it.

ministack is pinned, and each of these fails loudly if its inside has moved:

* a function's error keeps its class name as ``errorType`` (ministack says ``Runtime.HandlerError`` for all);
* the workers of all functions share one unpacked copy of a layer, as ``/opt`` is, instead of unpacking one each;
* no wait for log lines after an invocation that wrote none (50 ms each otherwise);
* a WebSocket route may put an item into a table without a function (ministack sends it to Lambda);
* reading a call's newest frames takes no longer the more there are (ministack reads the condition anew for every item).
"""

from __future__ import annotations

import hashlib
import inspect
import io
import os
import re
import signal
import sys
import tempfile
import threading
import time
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import lambda_runtime
from ministack.services import apigateway, dynamodb, lambda_svc

sys.path.insert(0, str(Path(__file__).parent.parent))
from local.mapping import render

_layers = Path(tempfile.mkdtemp(prefix="layers-"))
_unpacking = threading.Lock()


class _TypedMessage(str):
    """An error message that remembers the class of the exception it comes from."""

    __slots__ = ("error_type",)
    error_type: str


def keep_error_types() -> None:
    """Let the worker report the exception's class, and put it where AWS has it."""
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    reported = '"error": str(e), "trace": traceback.format_exc()'
    if script.count(reported) != 1:
        raise SystemExit("ministack's worker script has changed; look at keep_error_types.")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(reported, f'"error_type": type(e).__name__, {reported}')

    invoke, execute = lambda_runtime.Worker.invoke, lambda_svc._execute_function_warm

    def typed_invoke(self: Any, *arguments: Any, **options: Any) -> Any:
        result = invoke(self, *arguments, **options)
        if "error_type" in result:
            result["error"] = _TypedMessage(result["error"])
            result["error"].error_type = result["error_type"]
        return result

    def typed_execute(*arguments: Any, **options: Any) -> Any:
        result = execute(*arguments, **options)
        message = result["body"].get("errorMessage") if result.get("error") else None
        if isinstance(message, _TypedMessage):
            result["body"] = {"errorMessage": str(message), "errorType": message.error_type}
        return result

    lambda_runtime.Worker.invoke = typed_invoke
    lambda_svc._execute_function_warm = typed_execute


def share_layers() -> None:
    """Unpack a layer once; workers get its path the way the engine itself would pass it."""
    spawn = lambda_runtime.Worker._spawn

    def spawn_with_shared_layers(self: Any) -> Any:
        own = self.config
        folders = os.pathsep.join(str(_unpacked(layer)) for layer in own.get("Layers", []))
        variables = {**own.get("Environment", {}).get("Variables", {}), "_LAMBDA_LAYERS_DIRS": folders}
        self.config = {**own, "Layers": [], "Environment": {"Variables": variables}}
        try:
            return spawn(self)
        finally:
            self.config = own

    lambda_runtime.Worker._spawn = spawn_with_shared_layers


def _unpacked(layer: Any) -> Path:
    arn = layer if isinstance(layer, str) else layer["Arn"]
    folder = _layers / hashlib.sha256(arn.encode()).hexdigest()[:16]
    with _unpacking:
        if not folder.exists():
            with zipfile.ZipFile(io.BytesIO(lambda_svc._resolve_layer_zip(layer))) as archive:
                archive.extractall(folder)
    return folder


def wait_for_no_logs() -> None:
    """Take the log lines that are there and go on."""
    drain = lambda_runtime.Worker._drain_stderr_bounded
    if drain.__defaults__ != (0.05, 0.005, 0.25):
        raise SystemExit("ministack's log draining has changed; look at wait_for_no_logs.")
    drain.__defaults__ = (0.0, 0.0, 0.05)


def put_items_directly() -> None:
    """Run the mapping template of a route's DynamoDB integration. Such a route is one-way: nothing is answered."""
    invoke = apigateway._invoke_ws_lambda
    expected = ["api_id", "account_id", "region", "route", "stage", "connection_id", "event_type", "message_id", "body_text"]
    if list(inspect.signature(invoke).parameters)[: len(expected)] != expected:
        raise SystemExit("ministack's WebSocket dispatch has changed; look at put_items_directly.")

    async def invoke_or_put(*arguments: Any, **options: Any) -> Any:
        given = dict(zip(expected, arguments, strict=False))
        integration = apigateway._integrations.get(given["api_id"], {}).get(given["route"].get("target", "").split("/")[-1], {})
        if not integration.get("integrationUri", "").endswith(":dynamodb:action/PutItem"):
            return await invoke(*arguments, **options)
        context = {"connectionId": given["connection_id"], "authorizer": options.get("authorizer") or {}}
        request = render(integration["requestTemplates"]["$default"], given["body_text"], context)
        target = {"x-amz-target": "DynamoDB_20120810.PutItem"}
        await dynamodb.handle_request("POST", "/", target, request.encode(), {})
        return None

    apigateway._invoke_ws_lambda = invoke_or_put


_BEYOND = re.compile(r"(\w+) = (:\w+) AND (\w+) > (:\w+)")


def compare_numbers_directly() -> None:
    """Decide a key condition on a number's lower bound without parsing it."""
    evaluate = dynamodb._evaluate_condition
    if list(inspect.signature(evaluate).parameters) != ["expr", "item", "attr_values", "attr_names", "slot"]:
        raise SystemExit("ministack's conditions have changed; look at compare_numbers_directly.")

    def compare(expr: str, item: Any, values: Any, names: Any, slot: str = "ConditionExpression") -> Any:
        beyond = _BEYOND.fullmatch(expr) if slot == "KeyConditionExpression" else None
        if beyond and "N" in item.get(beyond[3], ()) and "N" in values.get(beyond[4], ()):
            return item[beyond[1]] == values[beyond[2]] and Decimal(item[beyond[3]]["N"]) > Decimal(values[beyond[4]]["N"])
        return evaluate(expr, item, values, names, slot)

    dynamodb._evaluate_condition = compare


def end_with(parent: int) -> None:
    """End, with all workers, when the parent is gone: however it ended, nothing of ours stays behind."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with(os.getppid())
    keep_error_types()
    share_layers()
    wait_for_no_logs()
    put_items_directly()
    compare_numbers_directly()
    app.main()
