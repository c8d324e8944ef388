"""Encoding, hashes, HMAC and random bytes of System.Security.Cryptography."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.failures import (
    argument,
    argument_null,
)
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    Run,
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

    __slots__ = ("algorithm", "digest", "key", "pending")

    def __init__(self, algorithm: str, key: bytes | None = None) -> None:
        self.algorithm = algorithm
        self.key = key
        self.pending = bytearray()
        """What ``TransformBlock`` was given so far."""
        self.digest: bytearray | None = None


def compute_hash(
    run: Run, hasher: Hasher, data: Any, offset: int = 0, count: int | None = None
) -> bytearray:
    """``ComputeHash``."""
    if data is None:
        raise argument_null("buffer")
    part = bytes(data[offset:] if count is None else data[offset : offset + count])
    run.budget.step(1 + len(part) // 4096)
    if hasher.key is None:
        made = hashlib.new(hasher.algorithm, part, usedforsecurity=False).digest()
    else:
        made = hmac.new(hasher.key, part, hasher.algorithm).digest()
    hasher.digest = bytearray(made)
    return bytearray(made)


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
