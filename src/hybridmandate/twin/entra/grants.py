"""What the token endpoint decides: who asks, how they prove it, and whether they may.

Client credentials: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow.
Password grant (people, for tests of what they may not do): …/v2-oauth-ropc.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hybridmandate.twin.entra import errors
from hybridmandate.twin.entra.assertions import AssertionCheck
from hybridmandate.twin.entra.credentials import Credentials
from hybridmandate.twin.entra.directory import Api, IdentityKind, Workload
from hybridmandate.twin.entra.store import EntraStore
from hybridmandate.twin.entra.tokens import Mint, Minted, Proof

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEFAULT_SCOPE = "/.default"
OPENID_SCOPES = frozenset({"openid", "profile", "offline_access", "email"})


@dataclass(frozen=True, slots=True)
class Grant:
    """A token that was granted, and to whom for what."""

    minted: Minted
    principal: str
    resource: str
    scope: str | None = None


class Grants:
    """The decisions of one tenant."""

    def __init__(self, store: EntraStore, mint: Mint, assertions: AssertionCheck) -> None:
        self._store = store
        self._mint = mint
        self._assertions = assertions

    def grant(self, form: Mapping[str, str]) -> Grant:
        """Answer a request to the token endpoint. :raises AadError: when it is refused."""
        kind = _required(form, "grant_type")
        if kind == "client_credentials":
            return self._client_credentials(form)
        if kind == "password":
            return self._password(form)
        raise errors.unsupported_grant(kind)

    def managed_identity(self, workload: Workload, resource: str) -> Grant:
        """A token for an identity that the platform vouches for. :raises AadError: if refused."""
        return self._for_workload(workload, resource, Proof.CERTIFICATE)

    def _client_credentials(self, form: Mapping[str, str]) -> Grant:
        client_id, scope = _required(form, "client_id"), _required(form, "scope")
        if " " in scope or not scope.endswith(DEFAULT_SCOPE):
            raise errors.bad_scope(scope)
        workload = self._known(client_id)
        # A managed identity has no credential of its own to show here, as in Entra.
        if workload.kind is IdentityKind.MANAGED_IDENTITY:
            raise errors.unknown_application(client_id, self._mint.tenant_id)
        proof = self._prove(form, workload)
        return self._for_workload(workload, scope.removesuffix(DEFAULT_SCOPE), proof)

    def _prove(self, form: Mapping[str, str], workload: Workload) -> Proof:
        credentials = self._store.credentials(workload.client_id)
        if "client_assertion" in form:
            if form.get("client_assertion_type") != ASSERTION_TYPE:
                raise errors.missing_parameter("client_assertion_type")
            self._assertions.check(form["client_assertion"], workload.client_id, credentials)
            return Proof.CERTIFICATE
        if "client_secret" in form:
            self._check_secret(form["client_secret"], workload, credentials)
            return Proof.SECRET
        raise errors.missing_credential()

    def _check_secret(self, secret: str, workload: Workload, credentials: Credentials) -> None:
        found = [each for each in credentials.secrets if each.matches(secret)]
        if not found:
            raise errors.bad_secret(workload.client_id)
        if all(self._store.clock() >= each.expires_at for each in found):
            raise errors.expired_secret(workload.client_id)

    def _for_workload(self, workload: Workload, resource: str, proof: Proof) -> Grant:
        if not self._store.is_enabled(workload):
            raise errors.disabled_application(workload.client_id, workload.name)
        api = self._api(resource)
        assignment = self._store.directory().assignment(workload, api)
        if assignment is None:
            raise errors.not_assigned(workload.client_id, workload.name, resource, api.name)
        minted = self._mint.for_workload(
            workload,
            api,
            resource=resource,
            roles=assignment.roles,
            proof=proof,
            now=self._store.clock(),
        )
        return Grant(minted, workload.name, resource)

    def _password(self, form: Mapping[str, str]) -> Grant:
        client = self._known(_required(form, "client_id"))
        resource, scopes = _delegated(_required(form, "scope"))
        user = self._store.directory().user(_required(form, "username"))
        password = _required(form, "password")
        if user is None or not self._store.password_matches(user, password):
            raise errors.bad_password()
        if not self._store.is_enabled(client):
            raise errors.disabled_application(client.client_id, client.name)
        minted = self._mint.for_user(
            user,
            client.client_id,
            self._api(resource),
            resource=resource,
            scopes=scopes,
            now=self._store.clock(),
        )
        scope = " ".join(f"{resource}/{each}" for each in sorted(scopes))
        return Grant(minted, user.name, resource, scope)

    def _known(self, client_id: str) -> Workload:
        found = self._store.directory().workload(client_id)
        if found is None:
            raise errors.unknown_application(client_id, self._mint.tenant_id)
        return found

    def _api(self, resource: str) -> Api:
        found = self._store.directory().api(resource)
        if found is None:
            raise errors.unknown_resource(resource, self._mint.tenant_id)
        return found


def _delegated(scope: str) -> tuple[str, frozenset[str]]:
    """Resource and scope names of ``https://resource/Scope.One https://resource/Scope.Two``."""
    asked = [each for each in scope.split(" ") if each and each not in OPENID_SCOPES]
    parts = [each.rpartition("/") for each in asked]
    resources = {resource for resource, _, _ in parts}
    if len(resources) != 1 or "" in resources:
        raise errors.bad_delegated_scope(scope)
    names = frozenset("user_impersonation" if n == ".default" else n for _, _, n in parts)
    return resources.pop(), names


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise errors.missing_parameter(name)
    return value
