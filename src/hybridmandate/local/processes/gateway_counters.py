"""What the gateway's processes count with: a file of this machine, or a database of many."""

from __future__ import annotations

import time
from collections.abc import Sequence

from hybridmandate.durable.database import open_engine
from hybridmandate.evidence.record import Record, Tier
from hybridmandate.governance.gateway.counters import Counters
from hybridmandate.governance.gateway.exchanged_counters import (
    CounterStoreUnavailable,
    ExchangedCounters,
)
from hybridmandate.governance.gateway.sql_counter_store import SqlCounterStore
from hybridmandate.governance.gateway.while_serving import Work
from hybridmandate.governance.gateway.worker_counters import WorkerCounters
from hybridmandate.local.boot import Boot, process_id

EXCHANGE_SECONDS = 0.25
"""How often gateways that share counts through a database tell each other."""


def gateway_counters(boot: Boot) -> tuple[Counters, Sequence[Work]]:
    """The counters of a gateway process, and the work beside its calls that keeps them true.

    The processes of one machine share a file; where the environment names a database, every
    process tells the others of all machines through it.
    """
    variable = boot.environment.gateway.counters_url_variable
    if variable is None:
        own = boot.state.of("gateway")
        own.mkdir(parents=True, exist_ok=True)
        return WorkerCounters(own / "counters", time.time), []
    store = SqlCounterStore(open_engine(boot.variables[variable]))
    store.open()
    counters = ExchangedCounters(process_id(boot.name), store, time.time)

    def unheard(error: CounterStoreUnavailable) -> None:
        now = time.time_ns()
        detail = {"reason": str(error)[:500]}
        boot.evidence.record(
            Record(now, Tier.GATEWAY, "counters.not-exchanged", subject="", detail=detail)
        )

    async def exchange() -> None:
        await counters.keep_exchanging(EXCHANGE_SECONDS, unheard)

    return counters, [exchange]
