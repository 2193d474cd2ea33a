"""The benchmark behind ``make bench``: what the functions cost in time, memory, database requests and bytes.

Nothing here asserts. Machines differ and are busy, so a figure is a ratio within one run or the best of several; where the
project has set itself a target, the report says whether it is met.

`python -m tests.bench` measures everything, `python -m tests.bench imports memory` what it names.
"""

import sys

from local.engine import ROOT

# The plugin is not installed in the environment that tests it: pytest is told where it is, and so is Python here.
sys.path.insert(0, str(ROOT / "layers" / "twilio_plugin"))
