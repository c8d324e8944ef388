"""validate-client-certificate: what the caller's TLS certificate must be (its policy page)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from hybridmandate.governance.gateway.certificate_store import (
    CertificateStore,
    CertificateUnreadable,
    is_issued_by,
    is_trusted,
    plain_thumbprint,
    thumbprint,
)
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy

Check = Callable[[x509.Certificate], bool]


@policy("validate-client-certificate", sections=INBOUND)
class ValidateClientCertificate(Policy):
    """All checks are on unless an attribute turns one off; an identity matches by all it names.

    The LastError reasons are chosen: the page names none. Revocation lists are not fetched: while
    ``validate-revocation`` is on, a certificate that names a place to ask (CRL or OCSP) is refused
    as one whose state is unknown.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._revocation = reader.flag("validate-revocation", True)
        self._trust = reader.flag("validate-trust", True)
        self._not_before = reader.flag("validate-not-before", True)
        self._not_after = reader.flag("validate-not-after", True)
        self._ignore = reader.flag("ignore-error", False)
        self._store = CertificateStore(reader.configuration.named_values)
        self._identities = [
            self._identity(each) for each in reader.listed("identities", "identity")
        ]

    def act(self, exchange: Exchange) -> None:
        reason = self._wrong(exchange)
        if reason is not None and not self._ignore:
            raise PolicyError(403, *reason)

    def _wrong(self, exchange: Exchange) -> tuple[str, str] | None:
        der = exchange.context.request.certificate
        if der is None:
            return "ClientCertificateNotPresent", "Client certificate not present."
        try:
            certificate = x509.load_der_x509_certificate(der)
            now = datetime.fromtimestamp(exchange.services.clock(), UTC)
            if self._not_before and now < certificate.not_valid_before_utc:
                return "ClientCertificateNotYetValid", "Client certificate is not valid yet."
            if self._not_after and now > certificate.not_valid_after_utc:
                return "ClientCertificateExpired", "Client certificate has expired."
            if self._trust and not is_trusted(certificate, self._store.all()):
                return "ClientCertificateNotTrusted", "Client certificate is not trusted."
            if self._revocation and _names_revocation_source(certificate):
                return (
                    "ClientCertificateRevocationUnknown",
                    "Revocation of the client certificate cannot be checked.",
                )
        except (ValueError, CertificateUnreadable):
            return "ClientCertificateInvalid", "Client certificate cannot be read."
        if self._identities and not any(
            all(check(certificate) for check in identity) for identity in self._identities
        ):
            return "ClientCertificateIdentityNotAllowed", "Client certificate is not allowed."
        return None

    def _identity(self, reader: ElementReader) -> list[Check]:
        checks: list[Check] = []

        def add(attribute: str, check: Callable[[x509.Certificate, str], bool]) -> None:
            wanted = reader.optional_literal(attribute)
            if wanted is not None:
                checks.append(lambda certificate: check(certificate, wanted))

        add("thumbprint", lambda c, text: thumbprint(c) == plain_thumbprint(text))
        add("serial-number", lambda c, text: f"{c.serial_number:X}" == _serial(text))
        add("common-name", lambda c, text: text in _common_names(c))
        add("subject", lambda c, text: _same_name(c.subject, text))
        add("dns-name", lambda c, text: text.lower() in _dns_names(c))
        add("issuer-subject", lambda c, text: _same_name(c.issuer, text))
        add("issuer-thumbprint", self._issued_by_thumbprint)
        add("issuer-certificate-id", self._issued_by_id)
        if not checks:
            reader.refuse("<identity> names nothing to compare")
        return checks

    def _issued_by_thumbprint(self, certificate: x509.Certificate, text: str) -> bool:
        issuer = self._store.by_thumbprint(text)
        return issuer is not None and is_issued_by(certificate, issuer.certificate)

    def _issued_by_id(self, certificate: x509.Certificate, text: str) -> bool:
        try:
            issuer = self._store.by_id(text)
        except CertificateUnreadable:
            return False
        return issuer is not None and is_issued_by(certificate, issuer.certificate)


def _names_revocation_source(certificate: x509.Certificate) -> bool:
    for each in certificate.extensions:
        if isinstance(each.value, x509.CRLDistributionPoints):
            return True
        if isinstance(each.value, x509.AuthorityInformationAccess):
            methods = {access.access_method for access in each.value}
            if AuthorityInformationAccessOID.OCSP in methods:
                return True
    return False


def _serial(text: str) -> str:
    return plain_thumbprint(text).lstrip("0")


def _common_names(certificate: x509.Certificate) -> list[str]:
    return [
        str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    ]


def _dns_names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [each.lower() for each in found.value.get_values_for_type(x509.DNSName)]


def _same_name(name: x509.Name, text: str) -> bool:
    """Distinguished names are compared part by part, without their order and spaces."""
    try:
        wanted = x509.Name.from_rfc4514_string(",".join(part.strip() for part in text.split(",")))
    except ValueError:
        return False
    return _parts(name) == _parts(wanted)


def _parts(name: x509.Name) -> set[tuple[str, str]]:
    return {(each.oid.dotted_string, str(each.value)) for each in name}
