"""An execution process with the spreadsheet and file operations on the real durable engine.

Arguments: folder, port, folder of profiles.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx
import uvicorn
from execution_kit import GATEWAY_APP, NamedTokens, OwnTokens, Records

from hybridmandate.contracts import Registry
from hybridmandate.durable import open_durable
from hybridmandate.durable.database import open_engine
from hybridmandate.execution.data_client import DataGatewayClient
from hybridmandate.execution.files import LocalFileContent
from hybridmandate.execution.host import create_app
from hybridmandate.execution.services.files import operations as file_operations
from hybridmandate.execution.services.spreadsheets import ProfileLibrary, spreadsheet_operations
from hybridmandate.execution.settings import DataGatewaySettings, ExecutionSettings


def main() -> None:
    folder, port, profiles = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    registry = Registry()
    for each in spreadsheet_operations(ProfileLibrary.from_folder(profiles)):
        registry.add(each)
    registry.add_module(file_operations)
    url = f"sqlite:///{folder}/execution.db"
    app = create_app(
        ExecutionSettings(
            gateway_app_id=GATEWAY_APP,
            process_id=f"process-{os.getpid()}",
            spool_folder=folder / "spool",
            service_version="1",
            grace_seconds=0.5,
        ),
        registry,
        verifier=NamedTokens(),
        recorder=Records(),
        durable=open_durable(
            name="spreadsheet-test", url=url, executor_id="execution-1", application_version="1"
        ),
        engine=open_engine(url),
        content=LocalFileContent(folder / "files"),
        data=DataGatewayClient(
            DataGatewaySettings(gateway_url="http://127.0.0.1:1", resource="api://x"),
            OwnTokens(),
            httpx.AsyncClient(),
        ),
    )
    uvicorn.run(app, host="127.0.0.1", port=port, loop="asyncio", log_level="critical")


if __name__ == "__main__":
    main()
