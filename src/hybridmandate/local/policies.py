"""A solution's policy set as the process `gateway` and `mandate policy` load it: one way for both.

What differs is where things are: a run has its own addresses and issuer, a rehearsal has stubs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybridmandate.contracts.quantities import parse_size
from hybridmandate.governance.gateway.configuration import Configuration
from hybridmandate.governance.gateway.layout import baseline_folder, load_layout
from hybridmandate.governance.gateway.rehearsal import OPENID_CONFIGURATION
from hybridmandate.identity.audiences import gateway_audience, internal_audience
from hybridmandate.manifest import SolutionFolder

_CALLER = "00000000-0000-4000-8000-00000000ca11"
_APPLICATION = "00000000-0000-4000-8000-000000000a99"


@dataclass(frozen=True, slots=True)
class PolicyPlaces:
    """Where a policy set's issuer and back ends are.

    ``directory`` is the address of Microsoft Graph (``https://graph.microsoft.com/v1.0``) or its
    stand-in, where principals are looked up; ``none`` where there is nobody to ask.
    """

    openid_configuration: str
    issuer: str
    execution: str
    data: str
    directory: str = "none"


def policy_values(
    folder: SolutionFolder, environment: str, places: PolicyPlaces
) -> Mapping[str, str]:
    """The named values of an environment: its own ones win over those that follow from the rest.

    ``max-file-bytes`` is the manifest's ``[files] max_size`` in bytes: a policy takes it from there
    and so refuses what the file store would.
    """
    tenant = folder.environment(environment).environment.tenant
    return {
        "tenant-id": tenant,
        "openid-config-url": places.openid_configuration,
        "issuer-v1": f"https://sts.windows.net/{tenant}/",
        "issuer-v2": places.issuer,
        "gateway-audience": gateway_audience(folder.name, environment),
        "internal-audience": internal_audience(folder.name, environment),
        "execution-backend": places.execution,
        "data-backend": places.data,
        "principal-directory-url": places.directory,
        "max-file-bytes": str(parse_size(folder.solution.files.max_size)),
        **folder.environment(environment).named_values,
    }


def load_policies(folder: SolutionFolder, environment: str, places: PolicyPlaces) -> Configuration:
    """The solution's policies over the shipped baseline.

    :raises PolicyDocumentError: when a file is missing or cannot be read.
    """
    return load_layout(
        folder.policies,
        named_values=policy_values(folder, environment, places),
        baseline=baseline_folder(),
    )


def rehearsed_policies(folder: SolutionFolder, environment: str) -> Configuration:
    """The policies as a run loads them, with the addresses of stubs: nothing is called.

    :raises PolicyDocumentError: when a file is missing or cannot be read.
    """
    places = PolicyPlaces(
        openid_configuration=OPENID_CONFIGURATION,
        issuer=rehearsed_claims(folder, environment)["iss"],
        execution="http://execution.rehearsal.example",
        data="http://data.rehearsal.example",
    )
    return load_policies(folder, environment, places)


def rehearsed_claims(folder: SolutionFolder, environment: str) -> Mapping[str, Any]:
    """The claims of a token of some workload of the tenant, without roles."""
    tenant = folder.environment(environment).environment.tenant
    return {
        "iss": f"https://login.microsoftonline.com/{tenant}/v2.0",
        "aud": gateway_audience(folder.name, environment),
        "tid": tenant,
        "oid": _CALLER,
        "sub": _CALLER,
        "azp": _APPLICATION,
        "idtyp": "app",
        "roles": [],
    }
