"""What runs did, where a person can look: runs, actions, retries, definitions, trigger cursors."""

from hybridmandate.orchestration.history.store import RunHistory, StoredRun

__all__ = ["RunHistory", "StoredRun"]
