"""Where flows come in: a solution folder or .zip, a legacy flow package, a single definition.

Sources: flow-envelope.md; learn.microsoft.com, 'Work with solutions using the SolutionPackager
tool' (``Workflows/<Name>-<GUID>.json``) and 'Export and import a non-solution cloud flow'
(``Microsoft.Flow/flows/<guid>/definition.json``).
"""

from __future__ import annotations

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from hybridmandate.orchestration.definition.document import FlowDocument
from hybridmandate.orchestration.definition.errors import DefinitionError, DefinitionInvalid

MAX_ENTRIES = 20_000
MAX_UNPACKED_BYTES = 256 * 1024 * 1024
"""How much of one package is unpacked, with the packages inside it: more is refused, not read."""
MAX_NESTED = 2
"""Packages inside packages (an AppSource package holds its solutions as .zip)."""

_SOLUTION = re.compile(r"(?:^|/)Workflows/[^/]+-[0-9A-F-]{36}\.json$", re.IGNORECASE)
_LEGACY = re.compile(r"(?:^|/)Microsoft\.Flow/flows/(?P<id>[^/]+)/definition\.json$", re.IGNORECASE)
_MANIFEST = re.compile(r"(?:^|/)Microsoft\.Flow/flows/manifest\.json$", re.IGNORECASE)
"""The list of flows in an unpacked legacy package: no flow itself."""
_DESKTOP = frozenset({"targets", "schemaversion"})
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    RuntimeError,
    ValueError,
)
"""What :mod:`zipfile` raises for packages that are damaged, encrypted or of an unknown version."""


@dataclass(frozen=True, slots=True)
class PackagedFlow:
    """A flow in a package: ``entry`` is its path there, ``document`` None when it is none.

    ``fault`` says why there is no document: not JSON, or a desktop flow.
    """

    entry: str
    document: FlowDocument | None
    fault: DefinitionInvalid | None = None


class FlowPackage:
    """A .zip as it was read, with the flows in it."""

    def __init__(self, name: str, raw: bytes) -> None:
        """:raises DefinitionInvalid: when it is no .zip, or unpacks to more than is allowed."""
        self.name = name
        self._raw = raw
        self.flows = tuple(_packaged(name, raw, _Budget(name), 0))

    def to_bytes(self, changed: Mapping[str, bytes] | None = None) -> bytes:
        """The package again: byte for byte when nothing changed, else with these entries replaced.

        :raises KeyError: when there is no such entry.
        """
        if not changed:
            return self._raw
        target = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(self._raw)) as old,
            zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new,
        ):
            unknown = set(changed) - set(old.namelist())
            if unknown:
                raise KeyError(f"there is no {sorted(unknown)[0]} in {self.name}")
            for entry in old.infolist():
                new.writestr(entry, changed.get(entry.filename, old.read(entry)))
        return target.getvalue()


def find_flows(place: Path) -> Iterator[PackagedFlow]:
    """Every flow of a file or folder, at any depth, in the order of their paths.

    A folder is searched for unpacked solutions, packages, and legacy definitions; flow files in a
    folder named ``flows`` (a hybrid solution) count as well.
    :raises OSError: when the place cannot be read.
    """
    if place.is_file():
        yield from _in_file(place, place.name)
        return
    for path in sorted(each for each in place.rglob("*") if each.is_file()):
        shown = path.relative_to(place).as_posix()
        if path.suffix.lower() == ".zip" or _is_flow_path(shown, path):
            yield from _in_file(path, shown)


def _is_flow_path(shown: str, path: Path) -> bool:
    if _SOLUTION.search(shown) or _LEGACY.search(shown):
        return True
    if _MANIFEST.search(shown):
        return False
    return path.suffix.lower() == ".json" and path.parent.name in ("flows", "Workflows")


def _in_file(path: Path, shown: str) -> Iterator[PackagedFlow]:
    raw = path.read_bytes()
    if path.suffix.lower() != ".zip":
        yield _flow(shown, raw)
        return
    try:
        flows = FlowPackage(shown, raw).flows
    except DefinitionInvalid as fault:
        yield PackagedFlow(shown, None, fault)
        return
    yield from (replace(each, entry=f"{shown}!{each.entry}") for each in flows)


class _Budget:
    """What may still be unpacked of a package and the packages inside it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._entries = 0
        self._unpacked = 0

    def spend(self, entries: Sequence[zipfile.ZipInfo]) -> None:
        """Count a package. :raises DefinitionInvalid: when it is more than is read."""
        self._entries += len(entries)
        self._unpacked += sum(each.file_size for each in entries)
        if self._entries > MAX_ENTRIES or self._unpacked > MAX_UNPACKED_BYTES:
            message = f"{self._entries} entries, {self._unpacked} bytes unpacked: more than is read"
            raise DefinitionInvalid(self._name, [DefinitionError("$", message)])


def _packaged(name: str, raw: bytes, budget: _Budget, depth: int) -> Iterator[PackagedFlow]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
    except _DAMAGED as error:
        raise DefinitionInvalid(name, [DefinitionError("$", f"no .zip: {error}")]) from error
    with archive:
        entries = archive.infolist()
        budget.spend(entries)
        for entry in sorted(entries, key=lambda each: each.filename):
            path = entry.filename.replace("\\", "/")
            if _SOLUTION.search(path) or _LEGACY.search(path):
                yield _flow(path, _read(archive, entry, name))
            elif path.lower().endswith(".zip") and depth < MAX_NESTED:
                inner = _packaged(path, _read(archive, entry, name), budget, depth + 1)
                yield from (replace(each, entry=f"{path}!{each.entry}") for each in inner)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> bytes:
    """An entry's bytes; never more than its directory record said (a record may lie)."""
    try:
        with archive.open(entry) as stream:
            return stream.read(entry.file_size)
    except _DAMAGED as error:
        message = f"{entry.filename} cannot be read: {error}"
        raise DefinitionInvalid(name, [DefinitionError("$", message)]) from error


def _flow(path: str, raw: bytes) -> PackagedFlow:
    legacy = _LEGACY.search(path)
    file_name = f"{legacy['id']}.json" if legacy else PurePosixPath(path).name
    try:
        document = FlowDocument.parse(raw, file_name)
    except DefinitionInvalid as fault:
        return PackagedFlow(path, None, fault)
    if legacy is not None:
        title = (
            document.tree["properties"].get("displayName")
            if "properties" in document.tree
            else None
        )
        document = replace(
            document, name=str(title or legacy["id"]), workflow_id=legacy["id"].lower()
        )
    return PackagedFlow(path, document)


def is_desktop_flow(fault: DefinitionInvalid) -> bool:
    """Whether a file among a solution's workflows is a desktop flow, which is no cloud flow."""
    keys = {each.path.removeprefix("$.") for each in fault.errors}
    return bool(keys & _DESKTOP)
