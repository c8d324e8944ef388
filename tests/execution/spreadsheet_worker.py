"""An execution process with the spreadsheet and file operations.

Arguments: folder, port, folder of profiles.
"""

from __future__ import annotations

import sys
from pathlib import Path

from job_process import serve

from hybridmandate.contracts import Registry
from hybridmandate.execution.services.files import operations as file_operations
from hybridmandate.execution.services.spreadsheets import ProfileLibrary, spreadsheet_operations


def main() -> None:
    folder, port, profiles = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    registry = Registry()
    for each in spreadsheet_operations(ProfileLibrary.from_folder(profiles)):
        registry.add(each)
    registry.add_module(file_operations)
    serve(folder, port, registry)


if __name__ == "__main__":
    main()
