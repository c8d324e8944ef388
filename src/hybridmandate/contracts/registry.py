"""The registry: which operations a service offers, in which versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import ModuleType

from hybridmandate.contracts.declaration import Operation, declared_operation
from hybridmandate.contracts.failures import FailureType
from hybridmandate.contracts.outcome import ContractRef, Refused


class Registry:
    """The operations of one service, looked up by (name, version)."""

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self._operations: dict[tuple[str, int], Operation] = {}
        for each in operations:
            self.add(each)

    def add(self, operation: Operation) -> None:
        """Offer an operation. :raises ValueError: when that name and version is taken."""
        key = (operation.ref.operation, operation.ref.version)
        if key in self._operations:
            raise ValueError(f"operation '{key[0]}' v{key[1]} is declared twice")
        self._operations[key] = operation

    def add_module(self, module: ModuleType) -> int:
        """Offer every operation declared in a module; returns how many were found."""
        found = [d for d in map(declared_operation, vars(module).values()) if d is not None]
        own = [d for d in found if d.function.__module__ == module.__name__]
        for each in own:
            self.add(each)
        return len(own)

    def get(self, name: str, version: int) -> Operation:
        """The operation of that name and version.

        :raises Refused: ``not_found``, naming the versions that exist.
        """
        found = self._operations.get((name, version))
        if found is not None:
            return found
        versions = sorted(v for n, v in self._operations if n == name)
        if versions:
            known = ", ".join(f"v{v}" for v in versions)
            raise Refused(
                FailureType.NOT_FOUND,
                f"operation '{name}' has no version {version}; it has {known}",
                reason="operation.version_unknown",
            )
        raise Refused(
            FailureType.NOT_FOUND,
            f"there is no operation '{name}'",
            reason="operation.unknown",
        )

    def find(self, ref: ContractRef) -> Operation:
        """As :meth:`get`, by reference."""
        return self.get(ref.operation, ref.version)

    def __iter__(self) -> Iterator[Operation]:
        return iter(sorted(self._operations.values(), key=_by_name))

    def __len__(self) -> int:
        return len(self._operations)


def _by_name(operation: Operation) -> tuple[str, int]:
    return operation.ref.operation, operation.ref.version
