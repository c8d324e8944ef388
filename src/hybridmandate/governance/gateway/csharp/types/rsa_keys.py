"""RSA keys: signatures, encryption, parameters in and out.

Source: learn.microsoft.com, .NET API browser, System.Security.Cryptography.RSA, RSAParameters and
AsymmetricAlgorithm.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from hybridmandate.governance.gateway.csharp.types.symmetric import wrong
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    EnumValue,
    Run,
    enumeration,
)
from hybridmandate.governance.gateway.csharp.types.xml_types import parse

HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "MD5": hashes.MD5, "SHA1": hashes.SHA1, "SHA256": hashes.SHA256, "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}  # fmt: skip
ALGORITHMS: Final = enumeration(
    "HashAlgorithmName", "System.Security.Cryptography.HashAlgorithmName", list(HASHES)
)
SIGNATURE_PADDING: Final = enumeration(
    "RSASignaturePadding", "System.Security.Cryptography.RSASignaturePadding", ["Pkcs1", "Pss"]
)
ENCRYPTION_PADDING: Final = enumeration(
    "RSAEncryptionPadding", "System.Security.Cryptography.RSAEncryptionPadding",
    ["Pkcs1", "OaepSHA1", "OaepSHA256", "OaepSHA384", "OaepSHA512"],
)  # fmt: skip
_PARTS: Final = ("Modulus", "Exponent", "D", "P", "Q", "DP", "DQ", "InverseQ")
_MAKING: Final = 50_000
"""Steps that a fresh key costs: it takes as long as they do."""


class RsaKey:
    """System.Security.Cryptography.RSA: a public or a private key."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key


class Parameters:
    """System.Security.Cryptography.RSAParameters: numbers of a key as big-endian bytes."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: dict[str, bytearray | None] = dict.fromkeys(_PARTS)

    def number(self, name: str) -> int:
        """A part as a number. :raises ExpressionFailure: when it is missing."""
        part = self.parts[name]
        if part is None:
            raise wrong("The specified RSA parameters are not valid.")
        return int.from_bytes(part, "big")


def _private(key: RsaKey) -> rsa.RSAPrivateKey:
    if not isinstance(key.key, rsa.RSAPrivateKey):
        raise wrong("The key has no private part.")
    return key.key


def _public(key: RsaKey) -> Any:
    return key.key.public_key() if isinstance(key.key, rsa.RSAPrivateKey) else key.key


def _padding(kind: EnumValue, algorithm: hashes.HashAlgorithm) -> Any:
    if kind.label == "Pkcs1":
        return padding.PKCS1v15()
    return padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)


def sign(run: Run, key: RsaKey, data: Any, algorithm: EnumValue, kind: EnumValue) -> bytearray:
    """``SignData``; it costs as much as a thousand steps."""
    run.budget.step(1000)
    chosen = HASHES[algorithm.label]()
    return bytearray(_private(key).sign(bytes(data), _padding(kind, chosen), chosen))


def sign_hash(
    run: Run, key: RsaKey, digest: Any, algorithm: EnumValue, kind: EnumValue
) -> bytearray:
    """``SignHash``. :raises ExpressionFailure: for a digest of another length."""
    run.budget.step(1000)
    chosen = HASHES[algorithm.label]()
    try:
        made = _private(key).sign(bytes(digest), _padding(kind, chosen), Prehashed(chosen))
    except ValueError as error:
        raise wrong(str(error)) from None
    return bytearray(made)


def verify(
    run: Run, key: RsaKey, data: Any, signature: Any, algorithm: EnumValue, kind: EnumValue
) -> bool:
    """``VerifyData``."""
    run.budget.step(200)
    chosen = HASHES[algorithm.label]()
    return _verified(key, data, signature, _padding(kind, chosen), chosen)


def verify_hash(
    run: Run, key: RsaKey, digest: Any, signature: Any, algorithm: EnumValue, kind: EnumValue
) -> bool:
    """``VerifyHash``."""
    run.budget.step(200)
    chosen = HASHES[algorithm.label]()
    return _verified(key, digest, signature, _padding(kind, chosen), Prehashed(chosen))


def _verified(key: RsaKey, data: Any, signature: Any, filled: Any, algorithm: Any) -> bool:
    try:
        _public(key).verify(bytes(signature), bytes(data), filled, algorithm)
    except (InvalidSignature, ValueError):
        return False
    return True


def _encryption(kind: EnumValue) -> Any:
    if kind.label == "Pkcs1":
        return padding.PKCS1v15()
    algorithm = HASHES[kind.label.removeprefix("Oaep")]()
    return padding.OAEP(padding.MGF1(algorithm), algorithm, None)


def encrypt(run: Run, key: RsaKey, data: Any, kind: EnumValue) -> bytearray:
    """``Encrypt``."""
    run.budget.step(200)
    try:
        return bytearray(_public(key).encrypt(bytes(data), _encryption(kind)))
    except ValueError as error:
        raise wrong(str(error)) from None


def decrypt(run: Run, key: RsaKey, data: Any, kind: EnumValue) -> bytearray:
    """``Decrypt``."""
    run.budget.step(1000)
    try:
        return bytearray(_private(key).decrypt(bytes(data), _encryption(kind)))
    except ValueError as error:
        raise wrong(str(error)) from None


def make_key(run: Run, given: Any = 2048) -> RsaKey:
    """``RSA.Create()``, of a length in bits or of parameters."""
    if isinstance(given, Parameters):
        return RsaKey(key_of(given))
    if not isinstance(given, int) or not 1024 <= given <= 4096 or given % 64:
        raise wrong("Specified key is not a valid size for this algorithm.")
    run.budget.step(_MAKING * (given // 1024))
    return RsaKey(rsa.generate_private_key(65537, given))


def key_of(parameters: Parameters) -> Any:
    """The key that the parameters describe: private when they have D."""
    try:
        public = rsa.RSAPublicNumbers(parameters.number("Exponent"), parameters.number("Modulus"))
        if parameters.parts["D"] is None:
            return public.public_key()
        p, q, d, dp, dq, inverse = (
            parameters.number(name) for name in ("P", "Q", "D", "DP", "DQ", "InverseQ")
        )
        return rsa.RSAPrivateNumbers(p, q, d, dp, dq, inverse, public).private_key()
    except ValueError:
        raise wrong("The specified RSA parameters are not valid.") from None


def parameters_of(key: RsaKey, include_private_parameters: bool) -> Parameters:
    """``ExportParameters``."""
    numbers = _public(key).public_numbers()
    size = (key.key.key_size + 7) // 8
    made = Parameters()
    made.parts["Modulus"] = bytearray(numbers.n.to_bytes(size, "big"))
    made.parts["Exponent"] = bytearray(numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big"))
    if include_private_parameters:
        own = _private(key).private_numbers()
        made.parts["D"] = bytearray(own.d.to_bytes(size, "big"))
        halves = zip(_PARTS[3:], (own.p, own.q, own.dmp1, own.dmq1, own.iqmp), strict=True)
        for name, number in halves:
            made.parts[name] = bytearray(number.to_bytes((size + 1) // 2, "big"))
    return made


def to_xml(key: RsaKey, include_private_parameters: bool) -> str:
    """``ToXmlString``."""
    parts = parameters_of(key, include_private_parameters).parts
    inner = "".join(
        f"<{name}>{base64.b64encode(parts[name] or b'').decode()}</{name}>"
        for name in ("Modulus", "Exponent", "P", "Q", "DP", "DQ", "InverseQ", "D")
        if parts[name] is not None
    )
    return f"<RSAKeyValue>{inner}</RSAKeyValue>"


def from_xml(run: Run, key: RsaKey, text: Any) -> None:
    """``FromXmlString``."""
    made = Parameters()
    for each in parse(run, text):
        if each.tag in made.parts:
            try:
                made.parts[each.tag] = bytearray(base64.b64decode(each.text or "", validate=True))
            except ValueError:
                raise wrong(f"<{each.tag}> is no base64 text.") from None
    key.key = key_of(made)


def _take_in(key: RsaKey, parameters: Parameters) -> None:
    key.key = key_of(parameters)


ASYMMETRIC: Final = ClrType(
    "AsymmetricAlgorithm", "System.Security.Cryptography.AsymmetricAlgorithm", base=OBJECT
)
RSA: Final = ClrType("RSA", "System.Security.Cryptography.RSA", RsaKey, base=ASYMMETRIC)
RSA.static("Create", make_key, "RSA")
RSA.method("SignData", sign, "byte[]")
RSA.method("SignHash", sign_hash, "byte[]")
RSA.method("VerifyData", verify, "bool")
RSA.method("VerifyHash", verify_hash, "bool")
RSA.method("Encrypt", encrypt, "byte[]")
RSA.method("Decrypt", decrypt, "byte[]")
RSA.method("ExportParameters", parameters_of, "RSAParameters")
RSA.method("ImportParameters", _take_in)
ASYMMETRIC.property("KeySize", lambda key: key.key.key_size, "int")
ASYMMETRIC.property("SignatureAlgorithm", lambda key: "RSA", "string")
ASYMMETRIC.property("KeyExchangeAlgorithm", lambda key: "RSA", "string")
ASYMMETRIC.method("ToXmlString", to_xml, "string")
ASYMMETRIC.method("FromXmlString", from_xml)
for _name in ("Dispose", "Clear"):
    ASYMMETRIC.method(_name, lambda key: None)
RSA_CNG: Final = ClrType("RSACng", "System.Security.Cryptography.RSACng", base=RSA)

PARAMETERS: Final = ClrType(
    "RSAParameters", "System.Security.Cryptography.RSAParameters", Parameters, base=OBJECT
)
PARAMETERS.constructed_by(Parameters)
for _name in _PARTS:
    PARAMETERS.property(_name, lambda p, n=_name: p.parts[n], "byte[]")
    PARAMETERS.setter(_name, lambda p, value, n=_name: p.parts.__setitem__(n, value))
RSA_MODE: Final = enumeration(
    "RSAEncryptionPaddingMode", "System.Security.Cryptography.RSAEncryptionPaddingMode",
    ["Pkcs1", "Oaep"],
)  # fmt: skip
ENCRYPTION_PADDING.property(
    "Mode", lambda p: RSA_MODE.values["Pkcs1" if p.label == "Pkcs1" else "Oaep"],
    "RSAEncryptionPaddingMode",
)  # fmt: skip
ENCRYPTION_PADDING.property(
    "OaepHashAlgorithm",
    lambda p: ALGORITHMS.values.get(p.label.removeprefix("Oaep")),
    "HashAlgorithmName",
)
ENCRYPTION_PADDING.static(
    "CreateOaep",
    lambda hash_algorithm: ENCRYPTION_PADDING.values[f"Oaep{hash_algorithm.label}"],
    "RSAEncryptionPadding",
)
SIGNATURE_MODE: Final = enumeration(
    "RSASignaturePaddingMode", "System.Security.Cryptography.RSASignaturePaddingMode",
    ["Pkcs1", "Pss"],
)  # fmt: skip
SIGNATURE_PADDING.property(
    "Mode", lambda p: SIGNATURE_MODE.values[p.label], "RSASignaturePaddingMode"
)
