"""Ids of calls: random UUIDs, no two alike, also beyond one batch of random bytes."""

from __future__ import annotations

import os
import uuid

from hybridmandate.governance.gateway.random_ids import RandomIds


def test_ids_are_uuids_of_version_four_and_never_alike() -> None:
    asked: list[int] = []

    def random_bytes(count: int) -> bytes:
        asked.append(count)
        return os.urandom(count)

    ids = RandomIds(random_bytes)
    made = [ids.new() for _ in range(600)]
    read = [uuid.UUID(each) for each in made]
    assert [str(each) for each in read] == made
    assert {(each.version, each.variant) for each in read} == {(4, uuid.RFC_4122)}
    assert len(set(made)) == 600
    assert len(asked) == 3
