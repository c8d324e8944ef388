"""`kill -9` of a process that polls: each file, mail, row and list item is in exactly one run."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from dataverse_kit import environment
from kill_kit import finish, history_of, kill, start
from polled_worker import MAILBOX
from trigger_kit import AnyToken, free_listener, numbered, serving

from hybridmandate.durable.database import open_engine
from hybridmandate.twin import office
from hybridmandate.twin.office.files_surface import USER_DRIVE

WORKER = "polled_worker.py"
KILLS = 4
pytestmark = pytest.mark.kill
DRIVE = f"{USER_DRIVE}{MAILBOX}"


def add_everywhere(store: office.OfficeStore, vendors: str, name: str) -> None:
    """A file, a mail and a list item of one name."""
    store.library.put_file(
        DRIVE, "In", name, b"x", content_type="text/csv", author={}, on_conflict="replace"
    )
    store.messages.send_mail("a@b.example", [MAILBOX], name, "", "text", shown=[MAILBOX])
    store.lists.add(vendors, {"Title": name}, {}, request=None)


def seen(folder: Path, flow: str) -> list[str]:
    """What the runs of a flow have seen, those of whole readings item by item."""
    history = history_of(folder)
    outputs = []
    for run in history.runs(flow=flow, limit=1000):
        assert run.status == "Succeeded"
        outputs.append(history.actions(run.id)[0]["outputs"])
    if flow != "Items":
        return sorted(outputs)
    return sorted(item["Title"] for items in outputs for item in items)


async def killed_while_things_come(
    folder: Path, addresses: tuple[str, str], add: Callable[[], Awaitable[None]]
) -> None:
    moments = random.Random(17)
    for _ in range(KILLS):
        process = await asyncio.to_thread(start, WORKER, folder, *addresses)
        for _ in range(moments.randint(1, 4)):
            await add()
            await asyncio.sleep(moments.uniform(0.0, 0.03))
        assert await asyncio.to_thread(kill, process)
        await add()
    (folder / "last").touch()
    await asyncio.to_thread(finish, WORKER, folder, *addresses)


async def test_everything_that_comes_is_in_one_run_whatever_dies(tmp_path: Path) -> None:
    listener, address = free_listener()
    store = office.OfficeStore(
        open_engine(f"sqlite:///{tmp_path}/office.db"), clock=time.time, new_id=numbered()
    )
    store.library.add_folder(DRIVE, "In")
    vendors = store.lists.add_list("ap", "Vendors")["id"]
    tokens = AnyToken()
    app = office.create_app(
        office.OfficeSettings(address), store, tokens, tokens, new_request_id=lambda: "r"
    )
    names: list[str] = []
    async with environment(tmp_path) as dataverse:

        async def add() -> None:
            names.append(f"{len(names):03d}")
            await asyncio.to_thread(add_everywhere, store, vendors, names[-1])
            await dataverse.create("hm_orders", hm_number=names[-1])

        with serving(app, listener):
            await killed_while_things_come(tmp_path, (address, dataverse.address), add)
    assert len(names) > 2 * KILLS
    for flow in ("Files", "Mails", "Rows", "Items"):
        assert seen(tmp_path, flow) == names, flow
