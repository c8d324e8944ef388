"""The platform's limits as data: enforced when a flow is loaded and run, warned of at 80 %."""

from hybridmandate.orchestration.limits.budget import Licence, RequestBudget, Usage
from hybridmandate.orchestration.limits.catalogue import LIMITS, Limit, Profile, limit
from hybridmandate.orchestration.limits.measures import Measure, check_limits, measure_flow

__all__ = [
    "LIMITS",
    "Licence",
    "Limit",
    "Measure",
    "Profile",
    "RequestBudget",
    "Usage",
    "check_limits",
    "limit",
    "measure_flow",
]
