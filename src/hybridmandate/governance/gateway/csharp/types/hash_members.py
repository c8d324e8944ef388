"""HashAlgorithm in several steps, and the names of hash algorithms.

Source: learn.microsoft.com, .NET API browser, System.Security.Cryptography.HashAlgorithm.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.failures import invalid_operation
from hybridmandate.governance.gateway.csharp.types.containers import copy
from hybridmandate.governance.gateway.csharp.types.crypto import (
    HASH,
    RANDOM_BYTES,
    Hasher,
    compute_hash,
)
from hybridmandate.governance.gateway.csharp.types.rsa_keys import ALGORITHMS
from hybridmandate.governance.gateway.csharp.types.symmetric import wrong
from hybridmandate.governance.gateway.csharp.types.table import EnumValue, Run

_NAMES: Final = ("MD5", "SHA1", "SHA256", "SHA384", "SHA512")


def plain_hash(name: Any = "SHA1") -> Hasher:
    """``HashAlgorithm.Create(name)``."""
    short = str(name).rpartition(".")[2].upper().replace("-", "").removesuffix("MANAGED")
    short = short.removesuffix("CRYPTOSERVICEPROVIDER")
    if short not in _NAMES:
        raise wrong(f"The hash algorithm '{name}' is not available.")
    return Hasher(short.lower())


def take_block(
    run: Run, hasher: Hasher, data: Any, offset: int, count: int, output: Any, at: int
) -> int:
    """``TransformBlock``: more input; it is copied to ``output`` unless that is null."""
    part = data[offset : offset + count]
    run.budget.allocate(len(part))
    hasher.pending += part
    if output is not None:
        copy(data, offset, output, at, count)
    return count


def take_last_block(run: Run, hasher: Hasher, data: Any, offset: int, count: int) -> bytearray:
    """``TransformFinalBlock``: the last input; ``Hash`` is known from here on."""
    part = data[offset : offset + count]
    whole, hasher.pending = hasher.pending + part, bytearray()
    compute_hash(run, hasher, whole)
    return bytearray(part)


def hash_of(hasher: Hasher) -> bytearray:
    """``Hash``. :raises ExpressionFailure: when nothing was hashed yet."""
    if hasher.digest is None:
        raise invalid_operation("Hash must be finalized before the hash value is retrieved.")
    return bytearray(hasher.digest)


def start_again(hasher: Hasher) -> None:
    """``Initialize``."""
    hasher.pending, hasher.digest = bytearray(), None


def _size(hasher: Hasher) -> int:
    return hashlib.new(hasher.algorithm, usedforsecurity=False).digest_size * 8


def algorithm_named(name: Any) -> EnumValue:
    """``new HashAlgorithmName("SHA256")``."""
    found: EnumValue | None = ALGORITHMS.values.get(str(name))
    if found is None:
        raise wrong(f"'{name}' is not a known hash algorithm.")
    return found


HASH.static("Create", plain_hash, "HashAlgorithm")
HASH.method("TransformBlock", take_block, "int")
HASH.method("TransformFinalBlock", take_last_block, "byte[]")
HASH.method("Initialize", start_again)
HASH.property("Hash", hash_of, "byte[]")
HASH.property("HashSize", _size, "int")
HASH.property("HashName", lambda hasher: hasher.algorithm.upper(), "string")
for _name in ("InputBlockSize", "OutputBlockSize"):
    HASH.property(_name, lambda hasher: 1, "int")
for _name in ("CanReuseTransform", "CanTransformMultipleBlocks"):
    HASH.property(_name, lambda hasher: True, "bool")
ALGORITHMS.constructed_by(algorithm_named)
ALGORITHMS.property("Name", lambda name: name.label, "string")


def fill_without_zeros(run: Run, _: Any, data: bytearray) -> None:
    """``GetNonZeroBytes``."""
    run.budget.allocate(2 * len(data))
    for at in range(len(data)):
        data[at] = 1 + secrets.randbelow(255)


RANDOM_BYTES.method("GetNonZeroBytes", fill_without_zeros)
