"""How much Hypothesis tries: HYPOTHESIS_PROFILE=default | ci | torture; `ci` where CI is set.

200 histories are a smoke test, not evidence; 25,000 are wanted before a change to plan, apply or state is believed.
"""

import os

from hypothesis import HealthCheck
from hypothesis import settings

_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)  # histories with real files and sockets are what they are

settings.register_profile("default", max_examples=200, deadline=None, suppress_health_check=_SLOW, print_blob=True)
# The same examples for the same code: whether a change lands does not depend on luck. Luck is torture's part.
settings.register_profile("ci", settings.get_profile("default"), max_examples=2_000, derandomize=True, database=None)
settings.register_profile("torture", settings.get_profile("default"), max_examples=25_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))
