"""authentication-certificate: a client certificate for the back end (its policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.backend_route import present_certificate
from hybridmandate.governance.gateway.certificate_store import (
    CertificateStore,
    CertificateUnreadable,
    StoredCertificate,
    read_certificate,
)
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import bytes_of, text_of

_WAYS = ("thumbprint", "certificate-id", "body")


class ClientCertificate:
    """The certificate that the attributes name; also a child of ``send-request``."""

    def __init__(self, reader: ElementReader) -> None:
        given = [each for each in _WAYS if reader.has(each)]
        if len(given) != 1:
            reader.refuse(f"<{reader.name}> needs exactly one of {', '.join(_WAYS)}")
        self._way = given[0]
        self._value = reader.value(self._way)
        self._password = reader.optional_value("password")
        if self._password is not None and self._way != "body":
            reader.refuse("'password' belongs to 'body'", reader.attribute("password"))
        self._store = CertificateStore(reader.configuration.named_values)

    def get(self, exchange: Exchange) -> StoredCertificate:
        """The certificate, with its private key.

        :raises PolicyError: CertificateNotFound when there is none, or it has no key.
        """
        found = self._find(exchange)
        if found is None or found.key is None:
            raise PolicyError(
                500, "CertificateNotFound", "There is no such certificate with a private key."
            )
        return found

    def authorities(self) -> tuple[StoredCertificate, ...]:
        """All certificates of the store: the back end's own may be issued by one of them.

        :raises PolicyError: CertificateNotFound when one cannot be read.
        """
        try:
            return tuple(self._store.all())
        except CertificateUnreadable as error:
            raise _unreadable(error) from error

    def _find(self, exchange: Exchange) -> StoredCertificate | None:
        value = self._value.get(exchange)
        try:
            if self._way == "certificate-id":
                return self._store.by_id(text_of(value).strip())
            if self._way == "thumbprint":
                return self._store.by_thumbprint(text_of(value))
            password = None if self._password is None else text_of(self._password.get(exchange))
            content = bytes(value) if isinstance(value, bytearray) else bytes_of(value)
            return read_certificate(content, password)
        except CertificateUnreadable as error:
            raise _unreadable(error) from error


def _unreadable(error: CertificateUnreadable) -> PolicyError:
    return PolicyError(500, "CertificateNotFound", f"A certificate of the gateway: {error}.")


@policy("authentication-certificate", sections=INBOUND)
class AuthenticationCertificate(Policy):
    """By ``thumbprint``, by ``certificate-id``, or as bytes in ``body`` with ``password``."""

    def __init__(self, reader: ElementReader) -> None:
        self._certificate = ClientCertificate(reader)

    def act(self, exchange: Exchange) -> None:
        present_certificate(
            exchange, self._certificate.get(exchange), self._certificate.authorities()
        )
