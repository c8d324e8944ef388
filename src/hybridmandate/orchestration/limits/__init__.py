"""The platform's limits as data: enforced when a flow is loaded and run, warned of at 80 %."""

from hybridmandate.orchestration.limits.catalogue import LIMITS, Limit, Profile, limit
from hybridmandate.orchestration.limits.measures import Measure, check_limits, measure_flow

__all__ = ["LIMITS", "Limit", "Measure", "Profile", "check_limits", "limit", "measure_flow"]
