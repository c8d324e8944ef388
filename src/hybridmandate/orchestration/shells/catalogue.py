"""The flows of this process, by name and workflow id, in every version that still runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from hybridmandate.orchestration.definition import (
    DefinitionError,
    DefinitionInvalid,
    Flow,
    FlowDocument,
    load_flow,
)
from hybridmandate.orchestration.history import RunHistory
from hybridmandate.orchestration.limits import Profile, check_limits


class FlowCatalogue:
    """Flows as their files are now, and the definitions that runs were started with."""

    def __init__(
        self,
        documents: Iterable[FlowDocument],
        history: RunHistory,
        profile: Profile = Profile.MEDIUM,
    ) -> None:
        """``profile`` is the performance profile whose limits hold.

        :raises DefinitionInvalid: when a document cannot be loaded, or is over a limit.

        :raises ValueError: when two flows have one name.
        """
        self._history = history
        self._current: dict[str, str] = {}
        self._by_id: dict[str, str] = {}
        self._flows: dict[str, Flow] = {}
        for document in documents:
            flow = load_flow(document)
            over = check_limits(flow, profile)[1]
            if over:
                faults = [DefinitionError(document.path, each) for each in over]
                raise DefinitionInvalid(flow.name, faults)
            if flow.name in self._current:
                raise ValueError(f"two flows are called '{flow.name}'")
            digest = _digest(document)
            history.keep_definition(digest, _file_name(document), document.raw)
            self._flows[digest] = flow
            self._current[flow.name] = digest
            if flow.workflow_id:
                self._by_id[flow.workflow_id] = flow.name

    def all(self) -> list[Flow]:
        """The flows as their files are now."""
        return [self._flows[digest] for digest in self._current.values()]

    def digest(self, name: str) -> str:
        """The digest of a flow's file as it is now. :raises KeyError: without such a flow."""
        return self._current[name]

    def current(self, name: str) -> Flow:
        """The flow as its file is now. :raises KeyError: when there is no such flow."""
        return self._flows[self._current[name]]

    def name_of(self, reference: str) -> str | None:
        """The flow that a child-flow action names: by workflow id, or by name."""
        known = self._by_id.get(reference.lower())
        return known or (reference if reference in self._current else None)

    def version(self, digest: str) -> Flow:
        """The flow of a digest. :raises KeyError: when that definition was never kept."""
        if digest not in self._flows:
            kept = self._history.definition(digest)
            if kept is None:
                raise KeyError(f"no definition {digest} is kept")
            self._flows[digest] = load_flow(FlowDocument.parse(kept[1], kept[0]))
        return self._flows[digest]


def _digest(document: FlowDocument) -> str:
    """What a definition is kept under; two flows with the same text are two, by their names."""
    return hashlib.sha256(_file_name(document).encode() + b"\0" + document.raw).hexdigest()


def _file_name(document: FlowDocument) -> str:
    identity = f"-{document.workflow_id.upper()}" if document.workflow_id else ""
    return f"{document.name}{identity}.json"
