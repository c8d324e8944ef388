"""The governed file store: content behind a seam, what is known of it in SQL, access by principal.

Nothing else in the execution tier writes files.
"""

from hybridmandate.execution.files.catalogue import FileCatalogue, FileEntry
from hybridmandate.execution.files.content import FileContent, FileTooLarge, LocalFileContent
from hybridmandate.execution.files.governed import FileStore, GovernedFiles

__all__ = [
    "FileCatalogue",
    "FileContent",
    "FileEntry",
    "FileStore",
    "FileTooLarge",
    "GovernedFiles",
    "LocalFileContent",
]
