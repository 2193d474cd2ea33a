"""Engines by name: ``module:Class``, built with what the stack knows. Whoever brings one puts it into a layer and names it."""

from __future__ import annotations

import importlib
import inspect
from functools import cached_property
from typing import cast

from twilio_plugin.errors import Misconfigured
from twilio_plugin.services.ports import Synthesizer


def load(spec: str, **options: str) -> object:
    """An instance of what `spec` names, made with `options`.

    Raises:
        Misconfigured: there is no such module or class, it needs a package that is missing, or it takes other options.
            What the class itself raises is passed on.
    """
    module_name, colon, class_name = spec.partition(":")
    if not (module_name and colon and class_name):
        raise Misconfigured(f"The engine {spec!r} must be named like 'package.module:Class'.")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise Misconfigured(f"The engine {spec!r} cannot be imported: {error}. Is its layer attached?") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise Misconfigured(f"The engine {spec!r} is not there: {module_name} has no class {class_name}.")
    try:
        inspect.signature(found).bind(**options)
    except TypeError as error:
        raise Misconfigured(f"The engine {spec!r} must take {', '.join(options) or 'no options'}: {error}.") from error
    instance: object = found(**options)
    return instance


class LateSynthesizer:
    """The `Synthesizer` that a spec names, loaded at the first word: calls in which Twilio speaks need none."""

    def __init__(self, spec: str, **options: str) -> None:
        self._spec = spec
        self._options = options

    def synthesize(self, text: str) -> bytes:
        return self._loaded.synthesize(text)

    @cached_property
    def _loaded(self) -> Synthesizer:
        return cast(Synthesizer, load(self._spec, **self._options))
