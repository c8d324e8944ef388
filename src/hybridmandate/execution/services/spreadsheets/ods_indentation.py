"""An ods whose XML was indented for people to read, as calamine reads it: without the indentation.

White space between the elements of a table is no content (OpenDocument 1.3 part 3, 9.1); calamine
takes it for text and refuses the file. White space inside paragraphs stays.
"""

from __future__ import annotations

import io
import re
import zipfile

from hybridmandate.execution.services.spreadsheets.workbook_package import WorkbookPackage

_CONTENT = "content.xml"
_MIMETYPE = "mimetype"
_KIND = b"application/vnd.oasis.opendocument.spreadsheet"
_BETWEEN = re.compile(
    rb"(?<=>)\s+(?=</?table:)|(?<=>)\s+(?=<text:p[ />])|(?<=</text:p>)\s+|(?<=<text:p/>)\s+"
)
"""Before an element of a table or a paragraph, and behind a paragraph."""


def without_indentation(content: bytes) -> bytes:
    """A package with the same table and nothing else; a kind that is not said is added.

    :raises Unreadable: for a package beyond the limits.
    """
    package = WorkbookPackage(content)
    table = b"".join(package.pieces(_CONTENT))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(_MIMETYPE, _KIND)
        archive.writestr(_CONTENT, _BETWEEN.sub(b"", table))
        archive.writestr("META-INF/manifest.xml", package.part("META-INF/manifest.xml") or b"")
    return made.getvalue()
