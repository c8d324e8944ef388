"""A data gateway process to be killed: ``data_gateway_worker.py PORT DATAVERSE_ORIGIN BATCH``."""

from __future__ import annotations

import sys

import httpx
import uvicorn
from data_gateway_kit import EXAMPLE, Kept, Tokens

from hybridmandate.governance.data import DataSettings, Pace, WebApiTables, create_app
from hybridmandate.manifest import load_solution


def main(port: int, origin: str, batch: int) -> None:
    solution = load_solution(EXAMPLE).solution
    tokens = Tokens()
    http = httpx.AsyncClient(timeout=30)
    app = create_app(
        DataSettings("app-gateway", Pace(batch=batch)),
        views=solution.views,
        commits=solution.commits,
        tables=lambda correlation_id: WebApiTables(origin, tokens, http, correlation_id),
        verifier=tokens,
        recorder=Kept(),
    )
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
