"""Encoding, hashes, HMAC, RSA and certificates of System.Security.Cryptography."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding as Form
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from hybridmandate.governance.gateway.csharp.dates import TICKS, UNIX_TICKS, DateTime
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument,
    argument_null,
)
from hybridmandate.governance.gateway.csharp.types.containers import BYTES
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    EnumValue,
    Run,
    enumeration,
)


class Encoding:
    """System.Text.Encoding; what cannot be encoded becomes ``?`` or U+FFFD."""

    __slots__ = ("codec", "name")

    def __init__(self, name: str, codec: str) -> None:
        self.name = name
        self.codec = codec


def get_bytes(run: Run, encoding: Encoding, text: Any) -> bytearray:
    """``GetBytes``."""
    if text is None:
        raise argument_null("s")
    given = text if isinstance(text, str) else "".join(map(str, text))
    run.budget.allocate(2 * len(given))
    return bytearray(given.encode(encoding.codec, "replace"))


def get_string(encoding: Encoding, data: Any, index: int = 0, count: int | None = None) -> str:
    """``GetString``."""
    if data is None:
        raise argument_null("bytes")
    part = data[index:] if count is None else data[index : index + count]
    return bytes(part).decode(encoding.codec, "replace")


_ENCODINGS: Final = {
    "UTF8": Encoding("utf-8", "utf-8"), "ASCII": Encoding("us-ascii", "ascii"),
    "Unicode": Encoding("utf-16", "utf-16-le"),
    "BigEndianUnicode": Encoding("utf-16BE", "utf-16-be"),
    "UTF32": Encoding("utf-32", "utf-32-le"), "Latin1": Encoding("iso-8859-1", "latin-1"),
    "Default": Encoding("utf-8", "utf-8"),
}  # fmt: skip


def get_encoding(name: Any) -> Encoding:
    """``Encoding.GetEncoding`` by web name or code page."""
    pages = {28591: "iso-8859-1", 65001: "utf-8", 20127: "us-ascii", 1200: "utf-16"}
    wanted = pages.get(name, "") if isinstance(name, int) else str(name).lower()
    for each in _ENCODINGS.values():
        if each.name.lower() == wanted:
            return each
    raise argument(f"'{name}' is not a supported encoding name. (Parameter 'name')")


ENCODING: Final = ClrType("Encoding", "System.Text.Encoding", Encoding, base=OBJECT)
for _label, _encoding in _ENCODINGS.items():
    ENCODING.constant(_label, _encoding, "Encoding")
ENCODING.static("GetEncoding", get_encoding, "Encoding")
ENCODING.method("GetBytes", get_bytes, "byte[]")
ENCODING.method("GetString", get_string, "string")
ENCODING.method("GetByteCount", lambda run, e, text: len(get_bytes(run, e, text)), "int")
ENCODING.property("WebName", lambda e: e.name, "string")
UTF8: Final = ClrType("UTF8Encoding", "System.Text.UTF8Encoding", base=ENCODING)
UTF8.constructed_by(lambda emit=False: _ENCODINGS["UTF8"])


class Hasher:
    """A hash algorithm, keyed or not."""

    __slots__ = ("algorithm", "key")

    def __init__(self, algorithm: str, key: bytes | None = None) -> None:
        self.algorithm = algorithm
        self.key = key


def compute_hash(
    run: Run, hasher: Hasher, data: Any, offset: int = 0, count: int | None = None
) -> bytearray:
    """``ComputeHash``."""
    if data is None:
        raise argument_null("buffer")
    part = bytes(data[offset:] if count is None else data[offset : offset + count])
    run.budget.step(1 + len(part) // 4096)
    if hasher.key is None:
        return bytearray(hashlib.new(hasher.algorithm, part, usedforsecurity=False).digest())
    return bytearray(hmac.new(hasher.key, part, hasher.algorithm).digest())


HASH: Final = ClrType(
    "HashAlgorithm", "System.Security.Cryptography.HashAlgorithm", Hasher, base=OBJECT
)
HASH.method("ComputeHash", compute_hash, "byte[]")
HASH.property("Key", lambda hasher: bytearray(hasher.key or b""), "byte[]")
HASH.setter("Key", lambda hasher, key: setattr(hasher, "key", bytes(key)))
HASH.method("Dispose", lambda hasher: None)
HASH.method("Clear", lambda hasher: None)


def _key(key: Any) -> bytes:
    return secrets.token_bytes(64) if key is None else bytes(key)


def _keyed(algorithm: str) -> Callable[..., Hasher]:
    return lambda key=None: Hasher(algorithm, _key(key))


for _algorithm in ("MD5", "SHA1", "SHA256", "SHA384", "SHA512"):
    _low = _algorithm.lower()
    _plain = ClrType(_algorithm, f"System.Security.Cryptography.{_algorithm}", base=HASH)
    _plain.static("Create", lambda name=None, a=_low: Hasher(a), "HashAlgorithm")
    _plain.static(
        "HashData", lambda run, source, a=_low: compute_hash(run, Hasher(a), source), "byte[]"
    )
    _managed = ClrType(
        f"{_algorithm}Managed", f"System.Security.Cryptography.{_algorithm}Managed", base=HASH
    )
    _managed.constructed_by(lambda a=_low: Hasher(a))
    _hmac = ClrType(
        f"HMAC{_algorithm}", f"System.Security.Cryptography.HMAC{_algorithm}", base=HASH
    )
    _hmac.constructed_by(_keyed(_low))
    _hmac.static(
        "HashData",
        lambda run, key, source, a=_low: compute_hash(run, Hasher(a, bytes(key)), source),
        "byte[]",
    )

for _name in ("HMAC", "KeyedHashAlgorithm"):
    _base = ClrType(_name, f"System.Security.Cryptography.{_name}", base=HASH)
    _base.static(
        "Create",
        lambda name="HMACSHA1": Hasher(str(name).upper().removeprefix("HMAC").lower(), _key(None)),
        "HashAlgorithm",
    )


class RandomBytes:
    """RNGCryptoServiceProvider."""

    __slots__ = ()


def fill(run: Run, _: RandomBytes, data: bytearray) -> None:
    """``GetBytes``: fill a buffer with bytes that cannot be foreseen."""
    run.budget.allocate(len(data))
    data[:] = secrets.token_bytes(len(data))


RANDOM_BYTES: Final = ClrType(
    "RNGCryptoServiceProvider", "System.Security.Cryptography.RNGCryptoServiceProvider",
    RandomBytes, base=OBJECT,
)  # fmt: skip
RANDOM_BYTES.constructed_by(RandomBytes)
RANDOM_BYTES.method("GetBytes", fill)
RANDOM_BYTES.method("Dispose", lambda provider: None)

CRYPTO: Final = ClrType(
    "CryptographicOperations", "System.Security.Cryptography.CryptographicOperations", base=OBJECT
)
CRYPTO.static(
    "FixedTimeEquals", lambda left, right: hmac.compare_digest(bytes(left), bytes(right)), "bool"
)


def _aes(algorithm: Any, key: Any, iv: Any) -> Any:
    if not isinstance(algorithm, str) or not algorithm.lower().startswith(("aes", "rijndael")):
        raise ExpressionFailure(
            f"The algorithm '{algorithm}' is not available; use Aes.", "CryptographicException"
        )
    try:
        return Cipher(algorithms.AES(bytes(key)), modes.CBC(bytes(iv)))
    except ValueError as error:
        raise ExpressionFailure(str(error), "CryptographicException") from None


def encrypt_bytes(run: Run, data: Any, alg: Any, key: Any, iv: Any) -> bytearray:
    """``Encrypt`` of the gateway: AES, CBC, PKCS #7 padding."""
    run.budget.allocate(len(data) + 16)
    padder = PKCS7(128).padder()
    padded = padder.update(bytes(data)) + padder.finalize()
    encryptor = _aes(alg, key, iv).encryptor()
    return bytearray(encryptor.update(padded) + encryptor.finalize())


def decrypt_bytes(run: Run, data: Any, alg: Any, key: Any, iv: Any) -> bytearray:
    """``Decrypt`` of the gateway. :raises ExpressionFailure: CryptographicException."""
    run.budget.allocate(len(data))
    decryptor = _aes(alg, key, iv).decryptor()
    unpadder = PKCS7(128).unpadder()
    try:
        padded = decryptor.update(bytes(data)) + decryptor.finalize()
        return bytearray(unpadder.update(padded) + unpadder.finalize())
    except ValueError:
        raise ExpressionFailure(
            "Padding is invalid and cannot be removed.", "CryptographicException"
        ) from None


BYTES.method("Encrypt", encrypt_bytes, "byte[]")
BYTES.method("Decrypt", decrypt_bytes, "byte[]")

# RSA and certificates

_HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "SHA1": hashes.SHA1, "SHA256": hashes.SHA256, "SHA384": hashes.SHA384, "SHA512": hashes.SHA512,
}  # fmt: skip
ALGORITHMS: Final = enumeration(
    "HashAlgorithmName", "System.Security.Cryptography.HashAlgorithmName", list(_HASHES)
)
SIGNATURE_PADDING: Final = enumeration(
    "RSASignaturePadding", "System.Security.Cryptography.RSASignaturePadding", ["Pkcs1", "Pss"]
)
ENCRYPTION_PADDING: Final = enumeration(
    "RSAEncryptionPadding", "System.Security.Cryptography.RSAEncryptionPadding",
    ["Pkcs1", "OaepSHA1", "OaepSHA256"],
)  # fmt: skip


def _rsa_key(pem: bytes) -> rsa.RSAPrivateKey | None:
    key = load_pem_private_key(pem, None)
    return key if isinstance(key, rsa.RSAPrivateKey) else None


class Certificate:
    """X509Certificate2 of DER bytes; it has no private key unless one is given."""

    __slots__ = ("found", "key")

    def __init__(self, data: Any, key: bytes | None = None) -> None:
        try:
            text = bytes(data)
            pem = text.lstrip().startswith(b"-----")
            self.found = (
                x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate
            )(text)
        except (ValueError, TypeError):
            raise ExpressionFailure(
                "Cannot find the requested object.", "CryptographicException"
            ) from None
        self.key = None if key is None else _rsa_key(key)


class RsaKey:
    """System.Security.Cryptography.RSA: a public or a private key."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key


def _private(run_key: RsaKey) -> rsa.RSAPrivateKey:
    if not isinstance(run_key.key, rsa.RSAPrivateKey):
        raise ExpressionFailure("The key has no private part.", "CryptographicException")
    return run_key.key


def _public(key: RsaKey) -> Any:
    return key.key.public_key() if isinstance(key.key, rsa.RSAPrivateKey) else key.key


def _signature_padding(kind: EnumValue) -> Any:
    if kind.label == "Pkcs1":
        return padding.PKCS1v15()
    return lambda algorithm: padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)


def _padding(kind: EnumValue, algorithm: hashes.HashAlgorithm) -> Any:
    made = _signature_padding(kind)
    return made(algorithm) if callable(made) else made


def sign(run: Run, key: RsaKey, data: Any, algorithm: EnumValue, kind: EnumValue) -> bytearray:
    """``SignData``; it costs as much as a thousand steps."""
    run.budget.step(1000)
    chosen = _HASHES[algorithm.label]()
    return bytearray(_private(key).sign(bytes(data), _padding(kind, chosen), chosen))


def verify(
    run: Run, key: RsaKey, data: Any, signature: Any, algorithm: EnumValue, kind: EnumValue
) -> bool:
    """``VerifyData``."""
    run.budget.step(200)
    chosen = _HASHES[algorithm.label]()
    try:
        _public(key).verify(bytes(signature), bytes(data), _padding(kind, chosen), chosen)
    except InvalidSignature:
        return False
    return True


def _encryption(kind: EnumValue) -> Any:
    if kind.label == "Pkcs1":
        return padding.PKCS1v15()
    algorithm = hashes.SHA1() if kind.label == "OaepSHA1" else hashes.SHA256()  # noqa: S303
    return padding.OAEP(padding.MGF1(algorithm), algorithm, None)


def encrypt(run: Run, key: RsaKey, data: Any, kind: EnumValue) -> bytearray:
    """``Encrypt``."""
    run.budget.step(200)
    try:
        return bytearray(_public(key).encrypt(bytes(data), _encryption(kind)))
    except ValueError as error:
        raise ExpressionFailure(str(error), "CryptographicException") from None


def decrypt(run: Run, key: RsaKey, data: Any, kind: EnumValue) -> bytearray:
    """``Decrypt``."""
    run.budget.step(1000)
    try:
        return bytearray(_private(key).decrypt(bytes(data), _encryption(kind)))
    except ValueError as error:
        raise ExpressionFailure(str(error), "CryptographicException") from None


def public_key(certificate: Certificate) -> RsaKey | None:
    """``GetRSAPublicKey``; null when the key is of another kind."""
    key = certificate.found.public_key()
    return RsaKey(key) if isinstance(key, rsa.RSAPublicKey) else None


def private_key(certificate: Certificate) -> RsaKey | None:
    """``GetRSAPrivateKey``; null when there is none."""
    return None if certificate.key is None else RsaKey(certificate.key)


def _thumbprint(certificate: Certificate) -> bytes:
    return certificate.found.fingerprint(hashes.SHA1())  # noqa: S303, a name, not a protection


class DistinguishedName:
    """X500DistinguishedName."""

    __slots__ = ("text",)

    def __init__(self, name: x509.Name) -> None:
        self.text = _name_text(name)

    def clr_text(self) -> str:
        """The type's name, as .NET gives it; the text is in ``Name``."""
        return "System.Security.Cryptography.X509Certificates.X500DistinguishedName"


def _name_text(name: x509.Name) -> str:
    return ", ".join(part.rfc4514_string() for part in name.rdns)


DISTINGUISHED: Final = ClrType(
    "X500DistinguishedName", "System.Security.Cryptography.X509Certificates.X500DistinguishedName",
    DistinguishedName, base=OBJECT,
)  # fmt: skip
DISTINGUISHED.property("Name", lambda name: name.text, "string")


def _moment(value: Any) -> DateTime:
    return DateTime(UNIX_TICKS + int(value.timestamp()) * TICKS, "Local")


def _in_time(run: Run, certificate: Certificate) -> bool:
    now = run.context.clock()
    found = certificate.found
    after, before = found.not_valid_after_utc.timestamp(), found.not_valid_before_utc.timestamp()
    return bool(before <= now <= after)


def load_certificate(
    run: Run, raw_data: Any, password: Any = None, flags: Any = None
) -> Certificate:
    """``new X509Certificate2``: DER or PEM, or PKCS #12 with its password."""
    if password is None:
        return Certificate(raw_data)
    run.budget.step(5000)
    try:
        key, found, _ = pkcs12.load_key_and_certificates(bytes(raw_data), str(password).encode())
    except (ValueError, TypeError):
        raise ExpressionFailure(
            "The specified network password is not correct.", "CryptographicException"
        ) from None
    if found is None:
        raise ExpressionFailure("Cannot find the requested object.", "CryptographicException")
    made = Certificate(found.public_bytes(Form.DER))
    made.key = key if isinstance(key, rsa.RSAPrivateKey) else None
    return made


RSA: Final = ClrType("RSA", "System.Security.Cryptography.RSA", RsaKey, base=OBJECT)
RSA.method("SignData", sign, "byte[]")
RSA.method("VerifyData", verify, "bool")
RSA.method("Encrypt", encrypt, "byte[]")
RSA.method("Decrypt", decrypt, "byte[]")
RSA.property("KeySize", lambda key: key.key.key_size, "int")
RSA_CNG: Final = ClrType("RSACng", "System.Security.Cryptography.RSACng", base=RSA)
CERTIFICATE: Final = ClrType(
    "X509Certificate2", "System.Security.Cryptography.X509Certificates.X509Certificate2",
    Certificate, base=OBJECT,
)  # fmt: skip
CERTIFICATE.constructed_by(load_certificate)
CERTIFICATE.property("Thumbprint", lambda c: _thumbprint(c).hex().upper(), "string")
CERTIFICATE.property("Subject", lambda c: _name_text(c.found.subject), "string")
CERTIFICATE.property("Issuer", lambda c: _name_text(c.found.issuer), "string")
CERTIFICATE.property("SerialNumber", lambda c: f"{c.found.serial_number:X}".rjust(2, "0"), "string")
CERTIFICATE.property("NotBefore", lambda c: _moment(c.found.not_valid_before_utc), "DateTime")
CERTIFICATE.property("NotAfter", lambda c: _moment(c.found.not_valid_after_utc), "DateTime")
CERTIFICATE.property("HasPrivateKey", lambda c: c.key is not None, "bool")
CERTIFICATE.method("Verify", lambda run, c: _in_time(run, c), "bool")
CERTIFICATE.method("VerifyNoRevocation", lambda run, c: _in_time(run, c), "bool")
CERTIFICATE.method("GetRSAPublicKey", public_key, "RSA")
CERTIFICATE.method("GetRSAPrivateKey", private_key, "RSA")
CERTIFICATE.property(
    "SubjectName", lambda c: DistinguishedName(c.found.subject), "X500DistinguishedName"
)
CERTIFICATE.property(
    "IssuerName", lambda c: DistinguishedName(c.found.issuer), "X500DistinguishedName"
)
CERTIFICATE.property("RawData", lambda c: bytearray(c.found.public_bytes(Form.DER)), "byte[]")
CERTIFICATE.method("GetCertHash", lambda c: bytearray(_thumbprint(c)), "byte[]")
CERTIFICATE.method("GetCertHashString", lambda c: _thumbprint(c).hex().upper(), "string")
