"""Where one machine keeps everything: a folder that can be looked at, and removed."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

MAX_SOCKET_PATH = 100
"""Unix sockets have a path of at most about 108 bytes; longer ones go to the temporary folder."""


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The paths below a state folder (default ``.mandate``)."""

    root: Path

    def prepare(self) -> None:
        """Make the folders; credentials and sockets only for the owner."""
        for each in (self.root, self.logs, self.evidence, self.tls):
            each.mkdir(parents=True, exist_ok=True)
        for each in (self.credentials, self.sockets):
            each.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def run_file(self) -> Path:
        """What runs now: addresses, process, solution."""
        return self.root / "run.json"

    @property
    def logs(self) -> Path:
        """A log file per process."""
        return self.root / "logs"

    @property
    def evidence(self) -> Path:
        """The evidence store and the keys of its checkpoints."""
        return self.root / "evidence"

    @property
    def evidence_database(self) -> Path:
        """The evidence store's file."""
        return self.evidence / "evidence.db"

    @property
    def tls(self) -> Path:
        """The local CA and the certificates that it issued."""
        return self.root / "tls"

    @property
    def credentials(self) -> Path:
        """Certificates of service principals, mode 0600."""
        return self.root / "credentials"

    @property
    def sockets(self) -> Path:
        """Unix sockets of the services that have no public door."""
        folder = self.root.resolve() / "sockets"
        if len(os.fsencode(folder / "execution.sock")) <= MAX_SOCKET_PATH:
            return folder
        digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"mandate-{digest}"

    def of(self, process: str) -> Path:
        """The folder of one process's own data."""
        return self.root / process

    def database(self, process: str, name: str) -> str:
        """The URL of a SQLite database of a process."""
        return f"sqlite:///{(self.of(process) / f'{name}.db').resolve()}"

    def log(self, process: str) -> Path:
        """The log of a process."""
        return self.logs / f"{process}.log"
