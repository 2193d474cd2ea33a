"""The composition root: one function a Lambda, and the only place that builds adapters."""
