"""SymmetricAlgorithm, CipherMode, PaddingMode, and ``Encrypt`` and ``Decrypt`` of the gateway.

Source: learn.microsoft.com, .NET API browser, System.Security.Cryptography, and the page of policy
expressions (Encrypt, Decrypt). AES and triple DES; what was encrypted by others has to be read.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.decrepit.ciphers.modes import CFB8
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import ANSIX923, PKCS7

from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure
from hybridmandate.governance.gateway.csharp.types.containers import BYTES
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    EnumValue,
    Run,
    enumeration,
)

MODE: Final = enumeration(
    "CipherMode", "System.Security.Cryptography.CipherMode",
    {"CBC": 1, "ECB": 2, "OFB": 3, "CFB": 4, "CTS": 5},
)  # fmt: skip
PADDING: Final = enumeration(
    "PaddingMode", "System.Security.Cryptography.PaddingMode",
    {"None": 1, "PKCS7": 2, "Zeros": 3, "ANSIX923": 4, "ISO10126": 5},
)  # fmt: skip
_STANDARD: Final[dict[str, Any]] = {"PKCS7": PKCS7, "ANSIX923": ANSIX923}
_CIPHERS: Final[dict[str, tuple[Any, int, int]]] = {
    "aes": (algorithms.AES, 16, 32), "rijndael": (algorithms.AES, 16, 32),
    "tripledes": (TripleDES, 8, 24), "3des": (TripleDES, 8, 24),
}  # fmt: skip
"""By name: the cipher, the bytes of a block, the bytes of a usual key."""


def wrong(message: str) -> ExpressionFailure:
    """What .NET calls a CryptographicException."""
    return ExpressionFailure(message, "CryptographicException")


class Symmetric:
    """System.Security.Cryptography.SymmetricAlgorithm."""

    __slots__ = ("cipher", "iv", "key", "mode", "padding", "size")

    def __init__(self, name: Any) -> None:
        short = str(name).rpartition(".")[2].lower()
        for ending in ("cryptoserviceprovider", "managed", "cng"):
            short = short.removesuffix(ending)
        known = _CIPHERS.get(short)
        if known is None:
            raise wrong(f"The algorithm '{name}' is not available; use Aes.")
        self.cipher, self.size, length = known
        self.key = bytearray(secrets.token_bytes(length))
        self.iv = bytearray(secrets.token_bytes(self.size))
        self.mode: EnumValue = MODE.values["CBC"]
        self.padding: EnumValue = PADDING.values["PKCS7"]

    def made(self, key: Any, iv: Any) -> Any:
        """The cipher with a key. :raises ExpressionFailure: for a key or vector of wrong size."""
        try:
            return Cipher(self.cipher(bytes(key)), self._mode(bytes(iv)))
        except ValueError as error:
            raise wrong(str(error)) from None

    def _mode(self, iv: bytes) -> Any:
        if self.mode.label == "CBC":
            return modes.CBC(iv)
        if self.mode.label == "ECB":
            return modes.ECB()  # noqa: S305, what others encrypted has to be read
        if self.mode.label == "CFB":
            return CFB8(iv)
        raise wrong("Specified cipher mode is not valid for this algorithm.")

    @property
    def block(self) -> int:
        """The bytes that text is filled up to; the feedback of CFB is one byte wide."""
        return 1 if self.mode.label == "CFB" else self.size


class Transform:
    """System.Security.Cryptography.ICryptoTransform: encrypts or decrypts by a fixed key."""

    __slots__ = ("algorithm", "cipher", "encrypts")

    def __init__(self, algorithm: Symmetric, key: Any, iv: Any, encrypts: bool) -> None:
        self.algorithm = algorithm
        self.cipher = algorithm.made(
            algorithm.key if key is None else key, algorithm.iv if iv is None else iv
        )
        self.encrypts = encrypts


def padded(data: bytes, kind: str, size: int) -> bytes:
    """Text filled up to whole blocks. :raises ExpressionFailure: when it must be whole already."""
    if kind in _STANDARD and size > 1:
        padder = _STANDARD[kind](size * 8).padder()
        return bytes(padder.update(data) + padder.finalize())
    missing = -len(data) % size
    if kind == "None" and missing:
        raise wrong("The input data is not a complete block.")
    if kind in ("None", "Zeros"):
        return data + bytes(missing)
    count = missing or size
    return data + secrets.token_bytes(count - 1) + bytes([count])


def unpadded(data: bytes, kind: str, size: int) -> bytes:
    """Text without what fills its last block."""
    if kind in ("None", "Zeros"):
        return data
    if kind in _STANDARD and size > 1:
        unpadder = _STANDARD[kind](size * 8).unpadder()
        return bytes(unpadder.update(data) + unpadder.finalize())
    if not data or not 1 <= data[-1] <= size:
        raise ValueError("padding")
    return data[: -data[-1]]


def transform(
    run: Run, given: Transform, data: Any, offset: int = 0, count: int | None = None
) -> bytearray:
    """``TransformFinalBlock``: all of the data at once."""
    part = bytes(data[offset:] if count is None else data[offset : offset + count])
    run.budget.allocate(len(part) + 16)
    algorithm = given.algorithm
    kind, size = algorithm.padding.label, algorithm.block
    if given.encrypts:
        encryptor = given.cipher.encryptor()
        return bytearray(encryptor.update(padded(part, kind, size)) + encryptor.finalize())
    decryptor = given.cipher.decryptor()
    try:
        return bytearray(unpadded(decryptor.update(part) + decryptor.finalize(), kind, size))
    except ValueError:
        raise wrong("Padding is invalid and cannot be removed.") from None


def _algorithm(given: Any) -> Symmetric:
    return given if isinstance(given, Symmetric) else Symmetric(given)


def encrypt_bytes(run: Run, data: Any, alg: Any, key: Any = None, iv: Any = None) -> bytearray:
    """``Encrypt`` of the gateway, by the name of an algorithm or by an algorithm."""
    return transform(run, Transform(_algorithm(alg), key, iv, True), data)


def decrypt_bytes(run: Run, data: Any, alg: Any, key: Any = None, iv: Any = None) -> bytearray:
    """``Decrypt`` of the gateway. :raises ExpressionFailure: CryptographicException."""
    return transform(run, Transform(_algorithm(alg), key, iv, False), data)


def set_size(algorithm: Symmetric, bits: int) -> None:
    """``KeySize = …``: a fresh key of that length."""
    if not has_size(algorithm, bits):
        raise wrong("Specified key is not a valid size for this algorithm.")
    algorithm.key = bytearray(secrets.token_bytes(bits // 8))


def has_size(algorithm: Symmetric, bits: int) -> bool:
    """``ValidKeySize``."""
    return bits in ((128, 192, 256) if algorithm.size == 16 else (128, 192))


def set_key(algorithm: Symmetric, key: Any) -> None:
    """``Key = …``."""
    if not has_size(algorithm, len(key) * 8):
        raise wrong("Specified key is not a valid size for this algorithm.")
    algorithm.key = bytearray(key)


def set_vector(algorithm: Symmetric, iv: Any) -> None:
    """``IV = …``."""
    if len(iv) != algorithm.size:
        raise wrong("Specified initialization vector (IV) does not match the block size.")
    algorithm.iv = bytearray(iv)


BYTES.method("Encrypt", encrypt_bytes, "byte[]")
BYTES.method("Decrypt", decrypt_bytes, "byte[]")
SYMMETRIC: Final = ClrType(
    "SymmetricAlgorithm", "System.Security.Cryptography.SymmetricAlgorithm", Symmetric, base=OBJECT
)
SYMMETRIC.static("Create", Symmetric, "SymmetricAlgorithm")
SYMMETRIC.property("Key", lambda a: bytearray(a.key), "byte[]")
SYMMETRIC.setter("Key", set_key)
SYMMETRIC.property("IV", lambda a: bytearray(a.iv), "byte[]")
SYMMETRIC.setter("IV", set_vector)
SYMMETRIC.property("Mode", lambda a: a.mode, "CipherMode")
SYMMETRIC.setter("Mode", lambda a, mode: setattr(a, "mode", mode))
SYMMETRIC.property("Padding", lambda a: a.padding, "PaddingMode")
SYMMETRIC.setter("Padding", lambda a, padding: setattr(a, "padding", padding))
SYMMETRIC.property("KeySize", lambda a: len(a.key) * 8, "int")
SYMMETRIC.setter("KeySize", set_size)
SYMMETRIC.property("BlockSize", lambda a: a.size * 8, "int")
SYMMETRIC.property("FeedbackSize", lambda a: 8, "int")
SYMMETRIC.method("ValidKeySize", has_size, "bool")
SYMMETRIC.method("GenerateKey", lambda a: set_size(a, len(a.key) * 8))
SYMMETRIC.method("GenerateIV", lambda a: set_vector(a, secrets.token_bytes(a.size)))
for _name, _encrypts in (("CreateEncryptor", True), ("CreateDecryptor", False)):
    SYMMETRIC.method(
        _name,
        lambda a, key=None, iv=None, e=_encrypts: Transform(a, key, iv, e),
        "ICryptoTransform",
    )
TRANSFORM: Final = ClrType(
    "ICryptoTransform", "System.Security.Cryptography.ICryptoTransform", Transform, base=OBJECT
)
TRANSFORM.method("TransformFinalBlock", transform, "byte[]")
for _name in ("InputBlockSize", "OutputBlockSize"):
    TRANSFORM.property(_name, lambda t: t.algorithm.block, "int")
for _made in (SYMMETRIC, TRANSFORM):
    _made.method("Dispose", lambda value: None)
SYMMETRIC.method("Clear", lambda value: None)
