"""What every process of a run needs first: the plan, the solution, its evidence, its identity."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import httpx

from hybridmandate.evidence.checkpoint import ensure_signing_key
from hybridmandate.evidence.record import Tier
from hybridmandate.evidence.writer import EvidenceWriter
from hybridmandate.identity.jwks_http import HttpJwks
from hybridmandate.identity.managed_identity import ManagedIdentityTokens
from hybridmandate.identity.signing_keys import SigningKeys
from hybridmandate.identity.token_claims import AcceptedTokens, entra_issuers
from hybridmandate.identity.verifier import JwksTokenVerifier
from hybridmandate.local.run_plan import RunPlan, role_of
from hybridmandate.local.state_folder import StateFolder
from hybridmandate.local.tenant import directory_of, workload
from hybridmandate.manifest import Environment, SolutionFolder, load_solution
from hybridmandate.twin.entra.directory import Directory

IDENTITY_ENDPOINT = "IDENTITY_ENDPOINT"
IDENTITY_HEADER = "IDENTITY_HEADER"
IDENTITY_HEADERS = "MANDATE_IDENTITY_HEADERS"
OPERATOR_TOKEN = "MANDATE_OPERATOR_TOKEN"  # noqa: S105 - the name of a variable, not a token

TIERS: Mapping[str, Tier] = {
    "entra": Tier.IDENTITY,
    "dataverse": Tier.DATAVERSE,
    "office": Tier.FLOW,
    "storage": Tier.QUEUE,
    "gateway": Tier.GATEWAY,
    "execution": Tier.EXECUTION,
    "data": Tier.DATA,
    "flows": Tier.FLOW,
}


@dataclass(frozen=True)
class Boot:
    """One process of a run, before it serves."""

    name: str
    plan: RunPlan
    variables: Mapping[str, str]

    @property
    def role(self) -> str:
        """What the process does: ``gateway`` for the second of several gateways, too."""
        return role_of(self.name)

    @property
    def state(self) -> StateFolder:
        """The state folder."""
        return self.plan.folder

    @cached_property
    def folder(self) -> SolutionFolder:
        """The solution that runs."""
        return load_solution(Path(self.plan.solution))

    @cached_property
    def directory(self) -> Directory:
        """The tenant's directory."""
        return directory_of(self.plan, self.folder)

    def application_id(self, principal: str) -> str:
        """The application (client) id of a principal of the manifest."""
        return workload(self.directory, principal).client_id

    @property
    def environment(self) -> Environment:
        """The environment that runs."""
        return self.folder.environment(self.plan.environment)

    @property
    def tenant(self) -> str:
        """The tenant's id."""
        return self.environment.environment.tenant

    @cached_property
    def evidence(self) -> EvidenceWriter:
        """Where this process writes its evidence; closed by whoever serves."""
        return EvidenceWriter(
            self.state.evidence_database,
            name=self.name,
            tier=TIERS[self.role],
            signing_key=ensure_signing_key(self.state.evidence),
        )

    @property
    def ca_file(self) -> str:
        """The certificate of the local CA."""
        return str(self.state.tls / "ca.pem")

    @cached_property
    def http(self) -> httpx.AsyncClient:
        """A client that trusts the local CA and nothing else."""
        return httpx.AsyncClient(verify=ssl.create_default_context(cafile=self.ca_file))

    @property
    def authority(self) -> str:
        """The origin of the identity provider."""
        return self.plan.origin("entra")

    @property
    def token_endpoint(self) -> str:
        """Where tokens are asked for."""
        return f"{self.authority}/{self.tenant}/oauth2/v2.0/token"

    @property
    def openid_configuration(self) -> str:
        """The issuer's discovery document."""
        return f"{self.authority}/{self.tenant}/v2.0/.well-known/openid-configuration"

    @cached_property
    def keys(self) -> SigningKeys:
        """The issuer's signing keys."""
        url = f"{self.authority}/{self.tenant}/discovery/v2.0/keys"
        return SigningKeys(HttpJwks(url, http=self.http), clock=time.time)

    def accepted(self, *audiences: str) -> AcceptedTokens:
        """The tokens that a service with these audiences accepts."""
        return AcceptedTokens(
            tenant_id=self.tenant,
            issuers=entra_issuers(self.tenant, self.authority),
            audiences=frozenset(audiences),
        )

    def verifier(self, *audiences: str) -> JwksTokenVerifier:
        """The check at the door of a service with these audiences."""
        return JwksTokenVerifier(self.accepted(*audiences), self.keys, clock=time.time)

    @cached_property
    def tokens(self) -> ManagedIdentityTokens:
        """This process's own managed identity."""
        return ManagedIdentityTokens(
            self.variables[IDENTITY_ENDPOINT],
            self.variables[IDENTITY_HEADER],
            http=self.http,
            clock=time.time,
        )


def process_id(name: str) -> str:
    """A name for this very process, new at each start."""
    return f"{name}-{os.getpid()}-{time.time_ns()}"
