"""What the gateway says reaches whoever started the run."""

import asyncio
from pathlib import Path

from hybridmandate.local.log_lines import new_lines


async def test_only_new_and_whole_lines_are_passed_on(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text("of an earlier run\n")
    lines = new_lines(log)
    first = asyncio.create_task(anext(lines))
    await asyncio.sleep(0)
    with log.open("a") as file:
        file.write("policies not ")
        file.flush()
        await asyncio.sleep(0.3)
        assert not first.done()
        file.write("reloaded\nsecond\n")
    async with asyncio.timeout(10):
        assert await first == "policies not reloaded"
        assert await anext(lines) == "second"
    await lines.aclose()
