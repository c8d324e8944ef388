"""``context.Deployment.Certificates``: the store of certificates as expressions read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hybridmandate.governance.gateway import csharp
from hybridmandate.governance.gateway.certificate_store import (
    CertificateStore,
    CertificateUnreadable,
)


class ShownCertificates(Mapping[str, csharp.Certificate]):
    """By id. A certificate is read when an expression asks for it.

    :raises ExpressionFailure: CryptographicException for one that cannot be read.
    """

    def __init__(self, named_values: Mapping[str, str]) -> None:
        self._store = CertificateStore(named_values)

    def __getitem__(self, id: str) -> csharp.Certificate:
        try:
            found = self._store.by_id(id)
        except CertificateUnreadable as error:
            raise csharp.ExpressionFailure(
                f"Certificate '{id}': {error}.", "CryptographicException"
            ) from error
        if found is None:
            raise KeyError(id)
        key = None
        if found.key is not None:
            key = found.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return csharp.Certificate(found.certificate.public_bytes(Encoding.DER), key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.ids())

    def __len__(self) -> int:
        return len(self._store.ids())
