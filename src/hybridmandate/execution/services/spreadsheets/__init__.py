"""The spreadsheet service: files as people send them become rows of a declared schema (S1).

Readers (text, workbook) give a sheet of texts with lines; `structure` finds the table in it;
`column_checks` and `row_rule` judge whole columns; `normalization` puts it together without any
I/O; `operation` is the thin shell that stores files and answers.
"""

from hybridmandate.execution.services.spreadsheets.inspection import InspectedTable, inspect_file
from hybridmandate.execution.services.spreadsheets.normalization import (
    Normalization,
    normalize,
)
from hybridmandate.execution.services.spreadsheets.operation import spreadsheet_operations
from hybridmandate.execution.services.spreadsheets.profile import (
    Profile,
    ProfileError,
    ProfileLibrary,
    read_profile,
)
from hybridmandate.execution.services.spreadsheets.profile_draft import draft_profile
from hybridmandate.execution.services.spreadsheets.profile_page import describe_profile
from hybridmandate.execution.services.spreadsheets.reading import read_file
from hybridmandate.execution.services.spreadsheets.table import Unreadable

__all__ = [
    "InspectedTable",
    "Normalization",
    "Profile",
    "ProfileError",
    "ProfileLibrary",
    "Unreadable",
    "describe_profile",
    "draft_profile",
    "inspect_file",
    "normalize",
    "read_file",
    "read_profile",
    "spreadsheet_operations",
]
