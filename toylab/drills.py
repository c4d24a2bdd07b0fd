"""The toy laboratory's readiness drills: `toylab.drills:pause`, `:weight_theft`, `:jailbreak`.

Each plays its scenario for real against what runs on this machine, and yields a step when it has
seen it done (docs/drills.md). SIMULATED are the people: the officers' keys are the demo's.
"""

from __future__ import annotations

from toylab.drill_jailbreak import jailbreak
from toylab.drill_pause import pause
from toylab.drill_theft import weight_theft

__all__ = ["jailbreak", "pause", "weight_theft"]
