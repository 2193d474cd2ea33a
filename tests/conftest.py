"""What the tests are told, as the template tells every function."""

from __future__ import annotations

import os

os.environ["POWERTOOLS_SERVICE_NAME"] = "phone"  # the logger reads it when it is imported
