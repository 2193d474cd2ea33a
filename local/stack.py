"""The local stack: engine, front, Twilio's stand-in (or the real Twilio), and the real template deployed between them."""

from __future__ import annotations

import io
import json
import os
import secrets
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from botocore.exceptions import ClientError

from local import deployment
from local.engine import REGION, ROOT, Engine
from local.front import Front
from local.recorder import Recorder
from local.twilio.standin import TwilioStandIn
from local_speech.flite import speak

STACK_NAME = "twilio-plugin"
WEBHOOK_ROOT = "/webhooks/twilio"
RELEASE_SECONDS = 150  # more than the template gives the function that points the number back


class InvocationFailed(RuntimeError):
    """What Lambda says of a function that raised."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type
        self.message = message


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """The account that the stack is deployed with. `webhook_url` is set only for a real one, behind a tunnel."""

    account_sid: str
    auth_token: str
    phone_number: str
    webhook_url: str = ""

    @classmethod
    def made_up(cls) -> TwilioAccount:
        """An account for the stand-in."""
        return cls("AC" + secrets.token_hex(16), secrets.token_hex(16), "+15555550100")

    @classmethod
    def real(cls) -> TwilioAccount | None:
        """The one in the environment: only if all four names are there, so that no stray variable starts a real one."""
        names = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER", "TWILIO_WEBHOOK_URL")
        values = [os.environ.get(name, "") for name in names]
        return cls(*values) if all(values) else None


class LocalStack:
    """Everything that runs. Use as a context manager, then `deploy`."""

    def __init__(
        self,
        *,
        account: TwilioAccount | None = None,
        port: int = 0,
        folder: Path = ROOT / ".local",
        say: Callable[[str], None] = print,
        time_scale: float = 1.0,
        record: Path | None = None,
        record_words: bool = False,
    ) -> None:
        """`time_scale`: how many seconds a second of a call lasts.

        `record`: a folder for all that Twilio sends, masked; with `record_words`, what people say is not.
        """
        self.account = account or TwilioAccount.made_up()
        self.outputs: dict[str, str] = {}
        self._called = ""
        self.folder = folder
        self._say = say
        self._time_scale = time_scale
        self._port = port
        self._recorder = Recorder(record, self.account.auth_token, words=record_words) if record else None
        self._open = ExitStack()
        self.engine = Engine(folder / "engine.log")
        self.twilio: TwilioStandIn | None = None

    def __enter__(self) -> LocalStack:
        self.folder.mkdir(exist_ok=True)
        with ExitStack() as starting:  # what has started is stopped again if the next cannot start
            with self._progress("Starting the local AWS engine"):
                starting.enter_context(self.engine)
            public_url = self.account.webhook_url.removesuffix(WEBHOOK_ROOT)
            self.front = starting.enter_context(Front(self._port, self.engine.url, self._recorder, public_url))
            if not self.account.webhook_url:
                account = self.account
                standin = TwilioStandIn(
                    account.account_sid,
                    account.auth_token,
                    [account.phone_number],
                    time_scale=self._time_scale,
                    voice=speak,
                    media_redirect_host="localhost",  # another name, as Twilio's CDN is another host
                )
                self.twilio = starting.enter_context(standin)
            self._open = starting.pop_all()
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        (self.folder / "stack.json").unlink(missing_ok=True)
        try:
            if self._called and not self.twilio:
                self.release_number()
        finally:
            self._open.close()

    @property
    def webhook_url(self) -> str:
        """Where Twilio reaches the webhooks."""
        return self.account.webhook_url or self.front.url + WEBHOOK_ROOT

    @property
    def websocket_url(self) -> str:
        """Where Twilio opens its media streams: the same host."""
        host = self.account.webhook_url.removesuffix(WEBHOOK_ROOT).replace("https://", "wss://", 1)
        return f"{host or self.front.websocket_url}/live"

    @property
    def twilio_api_url(self) -> str:
        """The stand-in's REST API, or Twilio's."""
        return self.twilio.url if self.twilio else "https://api.twilio.com"

    def deploy(self, stack_name: str = STACK_NAME, **parameters: str) -> dict[str, str]:
        """Build and deploy the template; the first stack deployed is the one Twilio calls.

        Raises:
            DeploymentFailed: with SAM's last words.
        """
        with self._progress("Building the layers (sam build)"):
            built = deployment.build(ROOT / "template.yaml")
        with self._progress(f"Deploying template.yaml as {stack_name} (sam deploy)"):
            outputs = deployment.deploy(self.engine, built, stack_name, {**self._parameters(stack_name), **parameters})
        if not self.outputs:
            self.outputs, self._called = outputs, stack_name
            self.front.pass_to(self._resource(stack_name, "HttpApi"))
            self.front.pass_sockets_to(self._resource(stack_name, "WebSocketApi"))
        return outputs

    def deploy_example(self, name: str, plugin_stack: str = STACK_NAME) -> None:
        """Build and deploy an agent of `examples/` beside the plugin."""
        with self._progress(f"Deploying examples/{name} (sam deploy)"):
            built = deployment.build(ROOT / "examples" / name / "template.yaml")
            parameters = {"PluginStackName": plugin_stack, "Architecture": deployment.ARCHITECTURE}
            deployment.deploy(self.engine, built, name.replace("_", "-"), parameters)

    def invoke(self, function: str, payload: Mapping[str, Any], stack_name: str = STACK_NAME) -> Any:
        """Invoke one of the stack's functions: ``invoke("send-sms", {…})``.

        Raises:
            InvocationFailed: with Lambda's ``errorType`` and ``errorMessage``.
        """
        answer = self.engine.client("lambda").invoke(FunctionName=f"{stack_name}-{function}", Payload=json.dumps(payload))
        result = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise InvocationFailed(result.get("errorType", ""), result.get("errorMessage", ""))
        return result

    def release_number(self) -> None:
        """Delete the stack that Twilio calls, which points the number back at what it was pointed at before."""
        cloudformation = self.engine.client("cloudformation")
        with self._progress(f"Pointing {self.account.phone_number} back at what it was (deleting {self._called})"):
            cloudformation.delete_stack(StackName=self._called)
            deadline = time.monotonic() + RELEASE_SECONDS
            while _exists(cloudformation, self._called) and time.monotonic() < deadline:
                time.sleep(0.5)
        self._called = ""

    def write_down(self, stack_name: str = STACK_NAME) -> None:
        """Tell other processes where everything is, in ``stack.json``. It holds the auth token and is gone with the stack."""
        where = {
            "webhook_url": self.webhook_url,
            "twilio_api_url": self.twilio_api_url,
            "aws_endpoint_url": self.engine.url,
            "region": REGION,
            "account_sid": self.account.account_sid,
            "auth_token": self.account.auth_token,
            "phone_number": self.account.phone_number,
            "stack_name": stack_name,
            "outputs": self.outputs,
        }
        file = self.folder / "stack.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(where, indent=2) + "\n")

    def _parameters(self, stack_name: str) -> dict[str, str]:
        return {
            "ConfigureNumber": "true" if self._called in ("", stack_name) else "false",
            "Architecture": deployment.ARCHITECTURE,
            "TwilioAccountSid": self.account.account_sid,
            "TwilioAuthToken": self.account.auth_token,
            "TwilioPhoneNumber": self.account.phone_number,
            "TwilioWebhookUrl": self.webhook_url,
            "TwilioApiBaseUrl": self.twilio_api_url,
            "TwilioWebSocketUrl": self.websocket_url,
            # What the engine has not: @connections on the API's own host, Transcribe and Polly.
            "WebSocketManagementBaseUrl": f"{self.engine.url}/_aws/execute-api",
            "Transcriber": "local_speech.pocketsphinx:PocketsphinxTranscriber",
            "Synthesizer": "local_speech.flite:LocalSynthesizer",
            "Voice": "rms",
            "EngineLayerArn": self._speech_layer(),
        }

    def _resource(self, stack_name: str, logical_id: str) -> str:
        resource = self.engine.client("cloudformation").describe_stack_resource(
            StackName=stack_name, LogicalResourceId=logical_id
        )
        return str(resource["StackResourceDetail"]["PhysicalResourceId"])

    def _speech_layer(self) -> str:
        """The engines that hear and speak here, as a layer of their own: the way anybody brings an engine."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as layer:
            for path in sorted((ROOT / "local" / "speech" / "local_speech").glob("*.py")):
                layer.write(path, f"python/local_speech/{path.name}")
        published = self.engine.client("lambda").publish_layer_version(
            LayerName="local-speech", Content={"ZipFile": archive.getvalue()}
        )
        return str(published["LayerVersionArn"])

    @contextmanager
    def _progress(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        self._say(f"{what} …")
        yield
        self._say(f"  done in {time.monotonic() - started:.0f} s")


def _exists(cloudformation: Any, stack_name: str) -> bool:
    try:
        (stack,) = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    except (ClientError, ValueError):
        return False
    return not str(stack["StackStatus"]).startswith("DELETE_") or stack["StackStatus"] == "DELETE_IN_PROGRESS"
