"""Kills a flow with everything that waits at random points, and looks at what became of it.

One seed is one family of processes: the same run, killed again and again, then left to end. Longer
campaigns, as before a release: ``python tests/orchestration/saga_campaign.py --seeds 1-50``.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kill_kit import finish, history_of, kill_at_call, lines_of, start
from saga_worker import ITEMS, MAILS, ROUNDS, RUN_ID
from trigger_kit import AnyToken, free_listener, numbered, serving

from hybridmandate.durable.database import open_engine
from hybridmandate.twin import office
from hybridmandate.twin.office.approvals import Answer as Decision

WORKER = "saga_worker.py"
CONTROLLER = "controller@contoso.example"
VENDOR = "vendor@contoso.example"
DECIDES_AFTER_SECONDS = 0.6
CALLS = 1 + ITEMS + MAILS + ROUNDS + 1
"""The approval, each item, mail and round, and the child's booking: so many at least."""
UNCOMPARED = frozenset({"Ask", "Mail", "Child", "Pause", "Rest"})
"""Actions whose outputs hold times or ids: their names and ends are compared."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a family of processes left behind."""

    status: str
    actions: list[tuple[Any, ...]]
    effects: list[str]
    approvals: int
    mails: list[str]
    child_runs: list[str]
    calls: int = field(compare=False)
    repeated: int = field(compare=False)
    kills: int = field(compare=False)


class OfficeTokens(AnyToken):
    """A workload that may ask for approvals, too."""

    roles = AnyToken.roles | {"ApprovalSolution.ReadWrite.All"}


def campaign(folder: Path, seed: int, kills: int) -> Ended:
    """Run the flow once, killing its process so many times on the way."""
    moments = random.Random(seed)
    done = 0
    with _office(folder) as (address, store):
        for after_calls in sorted(moments.choices(range(CALLS), k=kills)):
            process = start(WORKER, folder, address)
            done += kill_at_call(process, folder, after_calls, moments, 0.2)
        finish(WORKER, folder, address)
        return _ended(folder, store, done)


def _ended(folder: Path, store: office.OfficeStore, kills: int) -> Ended:
    history = history_of(folder)
    settle = history.find(RUN_ID)
    assert settle is not None
    keys = [each["key"] for each in lines_of(folder / "calls.log")]
    return Ended(
        status=settle.status,
        actions=sorted(_shown(each) for each in history.actions(RUN_ID)),
        effects=sorted(each.read_text() for each in (folder / "effects").iterdir()),
        approvals=len(store.approvals.all()),
        mails=sorted(str(each["subject"]) for each in store.messages.mailbox(VENDOR)),
        child_runs=[each.status for each in history.runs(flow="Book", limit=9)],
        calls=len(keys),
        repeated=len(keys) - len(set(keys)),
        kills=kills,
    )


def _shown(action: Any) -> tuple[Any, ...]:
    outputs = None if action["name"] in UNCOMPARED else json.dumps(action.get("outputs"))
    return action["name"], tuple(action["at"]), action["status"], outputs or ""


@contextmanager
def _office(folder: Path) -> Iterator[tuple[str, office.OfficeStore]]:
    """The office stand-in, and a person who decides a while after being asked."""
    listener, address = free_listener()
    engine = open_engine(f"sqlite:///{folder / 'office.db'}")
    store = office.OfficeStore(engine, clock=time.time, new_id=numbered())
    tokens = OfficeTokens()
    app = office.create_app(
        office.OfficeSettings(address), store, tokens, tokens, new_request_id=lambda: "r"
    )
    leaves = threading.Event()
    person = threading.Thread(target=_decide, args=(store, leaves), daemon=True)
    with serving(app, listener):
        person.start()
        yield address, store
        leaves.set()
        person.join()
    engine.dispose()


def _decide(store: office.OfficeStore, leaves: threading.Event) -> None:
    who = {"user": {"email": CONTROLLER, "displayName": "Chris"}}
    while not leaves.wait(0.05):
        for each in store.approvals.all():
            if each["state"] == "pending" and not leaves.wait(DECIDES_AFTER_SECONDS):
                store.approvals.respond(each["id"], Decision(who, CONTROLLER, "Approve", ""))


UNDISTURBED_EFFECTS = ITEMS + ROUNDS + 1
"""Each item, each round and the child's one booking."""


def faults(ended: Ended, undisturbed: Ended) -> list[str]:
    """What is wrong with what a killed family left behind."""
    found = []
    if ended != undisturbed:
        found.append(f"it ended as {ended}, undisturbed as {undisturbed}")
    if len(ended.effects) != UNDISTURBED_EFFECTS or len(set(ended.effects)) != len(ended.effects):
        found.append(f"{len(ended.effects)} effects, {len(set(ended.effects))} different ones")
    if ended.approvals != 1 or ended.mails != [str(each) for each in range(MAILS)]:
        found.append(f"{ended.approvals} approvals, mails {ended.mails}")
    return found


def main() -> int:
    """Kill families of many seeds; the exit status says whether all ended as they should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="1-10", help="first and last, such as 1-50")
    parser.add_argument("--kills", type=int, default=8, help="a family")
    chosen = parser.parse_args()
    first, _, last = chosen.seeds.partition("-")
    bad = kills = repeated = 0
    with tempfile.TemporaryDirectory() as place:
        undisturbed = campaign(_made(Path(place) / "undisturbed"), 0, 0)
        for seed in range(int(first), int(last or first) + 1):
            ended = campaign(_made(Path(place) / str(seed)), seed, chosen.kills)
            wrong = faults(ended, undisturbed)
            bad += bool(wrong)
            kills += ended.kills
            repeated += ended.repeated
            print(f"seed {seed}: {ended.kills} kills, {'; '.join(wrong) or 'as undisturbed'}")
    print(f"{kills} kills, {repeated} calls sent again, {bad} families ended otherwise")
    return 1 if bad else 0


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    raise SystemExit(main())
