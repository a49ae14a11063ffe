"""How much is tried where one try costs much; conftest.py says how much is tried elsewhere."""

from __future__ import annotations

import os

from hypothesis import settings

TORTURE = os.environ.get("HYPOTHESIS_PROFILE") == "torture"


def at_most(count: int) -> settings:
    """For a property: so many examples where the profile has more; in torture all of them."""
    usual = settings().max_examples
    return settings(max_examples=usual if TORTURE else min(count, usual))
