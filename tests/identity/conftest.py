"""Tests of the verifier: an issuer in memory, whose keys, clock and network the test controls."""

from __future__ import annotations

import pytest
from identity_kit import Issuer


@pytest.fixture(scope="session")
def two_keys() -> Issuer:
    """Key generation is slow: made once, copied for each test."""
    return Issuer.new()


@pytest.fixture
def issuer(two_keys: Issuer) -> Issuer:
    return two_keys.copy()
