"""What holds for all tests: how properties are searched."""

import os

from hypothesis import HealthCheck, settings

# a busy machine must not fail a property; continuous integration looks at the same examples every time
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow],
                          derandomize="CI" in os.environ)
settings.load_profile("here")
