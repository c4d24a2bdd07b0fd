"""Everything that tasks import, imported once in the process that forks them.

The code stamp is taken here too: it then names the code that is in memory, also when files change
under a running scheduler. A change of the code takes effect with the scheduler's restart.
"""

from __future__ import annotations

from include.adapters import validation
from include.adapters.stamp import code_stamp
from include.wiring import adopting, assessment, registration, safeguarding, screening

STAMP = code_stamp()
MODULES = (adopting, assessment, registration, safeguarding, screening, validation)
