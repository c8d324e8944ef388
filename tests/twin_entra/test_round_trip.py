"""A token of the stand-in at the doors of the product: sources get it, verifiers judge it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from entra_kit import ADA, GATEWAY, GATEWAY_ROLE, MODERN, TENANT
from running_tenant import Tenant

from hybridmandate.identity.client_certificate import (
    AssertionForm,
    CertificateFiles,
    CertificateTokens,
)
from hybridmandate.identity.jwks_http import HttpJwks, trust
from hybridmandate.identity.managed_identity import ManagedIdentityTokens
from hybridmandate.identity.principal import TokenRefused, TokenUnavailable
from hybridmandate.identity.signing_keys import KeyPolicy, SigningKeys
from hybridmandate.identity.token_claims import AcceptedTokens, entra_issuers
from hybridmandate.identity.verifier import DelegatedTokenVerifier, JwksTokenVerifier
from hybridmandate.twin.certificates import issue_client_certificate
from hybridmandate.twin.entra.app import KEEP_SECONDS
from hybridmandate.twin.entra.key_ring import LEAD_SECONDS, KeyRing

POLICY = KeyPolicy(max_age=300, max_stale=3600, min_interval=10, unknown_ttl=60)


@pytest.fixture
def tenant(own_tenant: Tenant) -> Tenant:
    """These tests move the clock and change the keys."""
    return own_tenant


@pytest.fixture
async def http(tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=trust(tenant.ca)) as client:
        yield client


def keys_of(tenant: Tenant, http: httpx.AsyncClient) -> SigningKeys:
    url = f"{tenant.authority}/{TENANT}/discovery/v2.0/keys"
    return SigningKeys(HttpJwks(url, http=http), tenant.clock, POLICY)


def accepted(tenant: Tenant, *audiences: str) -> AcceptedTokens:
    issuers = entra_issuers(TENANT, tenant.authority)
    return AcceptedTokens(TENANT, issuers, frozenset(audiences))


def verifier_of(tenant: Tenant, http: httpx.AsyncClient, *audiences: str) -> JwksTokenVerifier:
    return JwksTokenVerifier(
        accepted(tenant, *(audiences or (GATEWAY,))), keys_of(tenant, http), clock=tenant.clock
    )


def managed(tenant: Tenant, http: httpx.AsyncClient) -> ManagedIdentityTokens:
    return ManagedIdentityTokens(
        f"{tenant.identity}/msi/token", tenant.headers["gateway"], http=http, clock=tenant.clock
    )


def certified(
    tenant: Tenant,
    http: httpx.AsyncClient,
    folder: Path,
    form: AssertionForm = AssertionForm.SHA256,
) -> CertificateTokens:
    path = issue_client_certificate(folder, "flow")
    client_id = tenant.workload("flow").client_id
    tenant.store.add_certificate(client_id, path.read_text())
    return CertificateTokens(
        tenant.settings.token_endpoint,
        client_id,
        CertificateFiles(path, path),
        http=http,
        clock=tenant.clock,
        form=form,
    )


async def test_a_managed_identitys_token_opens_the_door(
    tenant: Tenant, http: httpx.AsyncClient
) -> None:
    token = await managed(tenant, http).token(GATEWAY)
    principal = await verifier_of(tenant, http).verify(f"Bearer {token}", role=GATEWAY_ROLE)
    gateway = tenant.workload("gateway")
    assert (principal.object_id, principal.app_id) == (gateway.object_id, gateway.client_id)
    assert principal.roles == {GATEWAY_ROLE}


@pytest.mark.parametrize("form", list(AssertionForm))
async def test_a_certificates_token_opens_the_door(
    tenant: Tenant, http: httpx.AsyncClient, tmp_path: Path, form: AssertionForm
) -> None:
    token = await certified(tenant, http, tmp_path, form).token(GATEWAY)
    principal = await verifier_of(tenant, http).verify(f"Bearer {token}")
    assert principal.app_id == tenant.workload("flow").client_id


async def test_a_v2_token_opens_the_door_of_its_api(
    tenant: Tenant, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    token = await certified(tenant, http, tmp_path).token(MODERN)
    modern = tenant.directory.api(MODERN)
    assert modern is not None
    verifier = verifier_of(tenant, http, modern.client_id)
    assert (await verifier.verify(f"Bearer {token}", role="Modern.Use")).claims["ver"] == "2.0"


async def test_a_persons_token_opens_only_the_door_for_people(
    tenant: Tenant, http: httpx.AsyncClient
) -> None:
    ada = tenant.directory.user(ADA)
    assert ada is not None
    form = {"grant_type": "password", "client_id": tenant.workload("flow").client_id}
    form |= {"username": ADA, "password": tenant.store.new_password(ada)}
    form |= {"scope": f"{GATEWAY}/Files.Store"}
    answer = await http.post(tenant.settings.token_endpoint, data=form)
    bearer = f"Bearer {answer.json()['access_token']}"
    with pytest.raises(TokenRefused) as refused:
        await verifier_of(tenant, http).verify(bearer)
    assert (refused.value.reason, refused.value.status) == ("token.human", 403)
    people = DelegatedTokenVerifier(
        accepted(tenant, GATEWAY), keys_of(tenant, http), clock=tenant.clock
    )
    assert (await people.verify(bearer)).object_id == ada.object_id


async def test_keys_rotate_while_callers_are_being_verified(
    tenant: Tenant, http: httpx.AsyncClient
) -> None:
    verifier, ring = verifier_of(tenant, http), KeyRing(tenant.store, keep_seconds=KEEP_SECONDS)
    before = ring.current().kid
    old = f"Bearer {await managed(tenant, http).token(GATEWAY)}"
    await verifier.verify(old)
    after = ring.rotate()
    assert ring.current().kid == before, "a new key is published before it signs"
    assert {before, after} <= {each.kid for each in ring.published()}
    tenant.clock.offset += LEAD_SECONDS
    assert ring.current().kid == after
    new = f"Bearer {await managed(tenant, http).token(GATEWAY)}"
    await asyncio.gather(*(verifier.verify(each) for each in (old, new) * 20))
    tenant.clock.offset += KEEP_SECONDS + 1
    assert before not in {each.kid for each in ring.published()}


async def test_a_revoked_key_stops_working_within_the_age_of_a_key_set(
    tenant: Tenant, http: httpx.AsyncClient
) -> None:
    verifier, ring = verifier_of(tenant, http), KeyRing(tenant.store, keep_seconds=KEEP_SECONDS)
    leaked = ring.current().kid
    bearer = f"Bearer {await managed(tenant, http).token(GATEWAY)}"
    await verifier.verify(bearer)
    ring.rotate(lead_seconds=0)
    ring.revoke(leaked)
    await verifier.verify(bearer)
    tenant.clock.offset += POLICY.max_age
    with pytest.raises(TokenRefused, match="not published"):
        await verifier.verify(bearer)


async def test_a_disabled_principal_is_out_when_its_token_ends(
    tenant: Tenant, http: httpx.AsyncClient
) -> None:
    tokens, verifier = managed(tenant, http), verifier_of(tenant, http)
    bearer = f"Bearer {await tokens.token(GATEWAY)}"
    tenant.store.set_enabled(tenant.workload("gateway").client_id, False)
    with pytest.raises(TokenUnavailable, match="AADSTS7000112") as refused:
        await managed(tenant, http).token(GATEWAY)
    assert not refused.value.transient
    await verifier.verify(bearer)
    tenant.clock.offset += 3600 + 60
    with pytest.raises(TokenRefused) as ended:
        await verifier.verify(bearer)
    assert ended.value.reason == "token.expired"


async def test_a_source_follows_the_rotation_of_its_certificate(
    tenant: Tenant, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    tokens = certified(tenant, http, tmp_path)
    await tokens.token(GATEWAY)
    client_id = tenant.workload("flow").client_id
    fresh = tenant.store.add_certificate(
        client_id, issue_client_certificate(tmp_path, "flow").read_text()
    )
    tenant.store.end_certificates(client_id, at=tenant.clock() - 1, but=fresh.pem)
    assert await tokens.token(MODERN)
