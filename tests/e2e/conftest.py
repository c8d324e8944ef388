"""One running solution for all tests of a file."""

from collections.abc import Iterator

import pytest
from world import World


@pytest.fixture(scope="module", name="world")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("world") / "state")
    yield world
    world.close()
