"""What the tests of the stand-in share: a small tenant, a clock that can be moved, evidence."""

from __future__ import annotations

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from hybridmandate.evidence.record import Record
from hybridmandate.twin.entra.directory import (
    Api,
    Assignment,
    Directory,
    IdentityKind,
    User,
    Workload,
)

TENANT = "5f1d6a2e-0c55-4a4e-9d6e-7a4f6f0a1b2c"
GATEWAY = "api://vendor-invoices/local"
GATEWAY_ROLE = "Files.Store"
DATAVERSE = "https://localhost:4302"
MODERN = "api://modern/local"
ADA = "ada@contoso.example"


@dataclass
class Clock:
    """The machine's time, moved by ``offset`` seconds."""

    offset: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


@dataclass
class Evidence:
    """Keeps records in memory."""

    records: list[Record] = field(default_factory=list)

    def record(self, record: Record) -> None:
        self.records.append(record)


def _id(name: str) -> str:
    return str(uuid.uuid5(uuid.UUID(TENANT), name))


def _workload(name: str, kind: IdentityKind = IdentityKind.SERVICE_PRINCIPAL) -> Workload:
    return Workload(
        name, kind, _id(f"app/{name}"), _id(f"sp/{name}"), "orchestration", "governance"
    )


def _api(name: str, identifier: str, roles: set[str], version: int) -> Api:
    return Api(
        name, identifier, _id(f"api/{name}"), _id(f"apisp/{name}"), frozenset(roles), version
    )


def small_directory() -> Directory:
    """Three applications, a managed identity, four APIs, one person."""
    everywhere = ("flow", "federated", "gateway")
    return Directory(
        tenant_id=TENANT,
        workloads=(
            _workload("flow"),
            _workload("stranger"),
            _workload("federated", IdentityKind.FEDERATED),
            _workload("gateway", IdentityKind.MANAGED_IDENTITY),
        ),
        apis=(
            _api("gateway-api", GATEWAY, {GATEWAY_ROLE, "Files.Read"}, 1),
            _api("dataverse", DATAVERSE, set(), 1),
            _api("modern", MODERN, {"Modern.Use"}, 2),
        ),
        assignments=(
            *(Assignment(n, "gateway-api", frozenset({GATEWAY_ROLE})) for n in everywhere),
            Assignment("flow", "dataverse", frozenset()),
            Assignment("flow", "modern", frozenset({"Modern.Use"})),
        ),
        users=(User("ada", _id("user/ada"), "Ada Submitter", ADA),),
    )


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, unverified."""
    return _segment(token, 1)


def header_of(token: str) -> dict[str, Any]:
    """The header of a token, unverified."""
    return _segment(token, 0)


def _segment(token: str, index: int) -> dict[str, Any]:
    text = token.split(".")[index]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found
