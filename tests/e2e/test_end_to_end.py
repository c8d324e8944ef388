"""One spreadsheet through five verbs: the main job on real input, with every boundary real."""

import asyncio
import os
import ssl
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from world import EXAMPLE, World

from hybridmandate.evidence.store import by_correlation_id, open_reader
from hybridmandate.identity.audiences import gateway_audience
from hybridmandate.local.credentials import certificate_file
from hybridmandate.local.demonstration import SUBMITTER
from hybridmandate.local.refusals import Refusals
from hybridmandate.local.run_plan import GATEWAY_TLS, HAS_SHARED_PORTS, gateway_count

NORMALIZE = "/exec/operations/spreadsheets.normalize/v1"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end-to-end")]

# file: state, rows in, accepted, rejected, committed
ENDS: dict[str, tuple[str, int | None, int | None, int | None, int | None]] = {
    "01-clean.csv": ("committed", 6, 6, 0, 6),
    "02-embedded-commas.csv": ("committed", 4, 4, 0, 4),
    "03-odd-dates.csv": ("committed", 7, 6, 1, 6),
    "04-blank-looking-rows.csv": ("committed", 3, 3, 0, 3),
    "05-title-and-total.csv": ("committed", 3, 3, 0, 3),
    "06-extra-and-reordered.csv": ("committed", 4, 4, 0, 4),
    "07-german-cp1252.csv": ("committed", 3, 3, 0, 3),
    "08-merged-1904-errors.xlsx": ("committed", 6, 5, 1, 5),
    "09-above-threshold.xlsx": ("committed", 10, 3, 7, 3),
}


def sample(name: str) -> bytes:
    return Path(EXAMPLE / "samples" / name).read_bytes()


def mails(world: World) -> list[dict[str, Any]]:
    return world.do(world.machine.person(SUBMITTER).mails())


@pytest.mark.parametrize("name", ENDS)
def test_file_reaches_its_end_with_ledger_and_table_agreeing(world: World, name: str) -> None:
    run = world.drop(name, sample(name))
    state, rows_in, accepted, rejected, committed = ENDS[name]
    if name == "09-above-threshold.xlsx":
        world.reaches(run, "awaitingApproval")
        world.approve()
    ended = world.ended(run["id"])
    assert ended["status"] == "Succeeded"
    tracking = world.tracking(run["correlationId"])
    assert (
        tracking["hm_state"],
        tracking["hm_rowsin"],
        tracking["hm_accepted"],
        tracking["hm_rejected"],
        tracking["hm_committed"],
    ) == (state, rows_in, accepted, rejected, committed)
    ledger = world.ledger(run["correlationId"])
    assert len(ledger) == committed
    assert {row["hm_status"] for row in ledger} == {"created"}


def test_what_is_no_spreadsheet_is_rejected_and_the_submitter_told(world: World) -> None:
    run = world.drop("10-no-spreadsheet.csv", sample("10-no-spreadsheet.csv"))
    world.ended(run["id"])
    assert world.tracking(run["correlationId"])["hm_state"] == "rejected"
    assert (
        "10-no-spreadsheet.csv" in mails(world)[0]["subject"] + mails(world)[0]["body"]["content"]
    )
    assert world.ledger(run["correlationId"]) == []


def test_rejected_rows_reach_the_submitter_with_a_link(world: World) -> None:
    run = world.drop("again-odd-dates.csv", sample("03-odd-dates.csv"))
    world.ended(run["id"])
    body = mails(world)[0]["body"]["content"]
    assert "invoiceDate" in body
    assert "Invoices/Returned" in body


def test_refused_approval_commits_nothing(world: World) -> None:
    content = sample("09-above-threshold.xlsx")
    before = world.totals()
    run = world.drop("declined.xlsx", content)
    world.reaches(run, "awaitingApproval")
    world.approve("Reject")
    world.ended(run["id"])
    assert world.tracking(run["correlationId"])["hm_state"] == "closed"
    assert world.totals() == before


def test_one_correlation_id_crosses_every_tier(world: World) -> None:
    run = world.drop("traced.csv", sample("01-clean.csv"))
    world.ended(run["id"])

    def tiers() -> set[str] | None:
        found = set(world.trace(run["correlationId"]).tiers)
        return found if found >= {"flow", "gateway", "execution", "data", "dataverse"} else None

    world.until(tiers, "records of all tiers")
    assert world.verify().intact


def test_every_boundary_refuses_with_a_failure_type_and_evidence(world: World) -> None:
    probes = Refusals(
        world.machine, principal="flow-invoice-intake", outsider="invoice-batch", person=SUBMITTER
    )
    found = {each.name: each for each in world.do(probes.all())}
    assert {name: (each.status, each.failure_type) for name, each in found.items()} == {
        "no token": (401, "unauthorized"),
        "a person's token": (403, "forbidden"),
        "a token for another audience": (401, "unauthorized"),
        "a principal without the role": (403, "forbidden"),
        "no correlation id": (400, "malformed_request"),
        "direct call to execution": (401, "unauthorized"),
        "body over the limit": (413, "payload_too_large"),
        "write outside the commit rules": (403, "forbidden"),
    }
    assert all(each.refused for each in found.values())


def test_replay_under_the_same_correlation_id_changes_nothing(world: World) -> None:
    run = world.drop("replayed.csv", sample("02-embedded-commas.csv"))
    world.ended(run["id"])
    before = world.totals()
    again = world.do(world.machine.flows.resubmit(run["id"]))
    ended = world.ended(again)
    assert ended["status"] == "Succeeded"
    assert ended["correlationId"] == run["correlationId"]
    assert world.totals() == before
    assert world.tracking(run["correlationId"])["hm_state"] == "committed"


def test_gateway_speaks_http2_over_tls_behind_the_same_boundaries(world: World) -> None:
    plan = world.machine.plan
    tls = ssl.create_default_context(cafile=str(plan.folder.tls / "ca.pem"))
    tls.load_cert_chain(certificate_file(plan.folder, "flow-invoice-intake"))
    audience = gateway_audience(world.machine.boot.folder.name, plan.environment)

    async def answers() -> list[httpx.Response]:
        token = await world.machine.workload("flow-invoice-intake").token(audience)
        proof = {"authorization": f"Bearer {token}"}
        traced = {"x-correlation-id": str(uuid.uuid4())}
        async with httpx.AsyncClient(
            base_url=plan.origin(GATEWAY_TLS), http2=True, verify=tls, trust_env=False
        ) as client:
            return [
                await client.post(NORMALIZE, headers=headers, json={})
                for headers in (traced, proof, proof | traced)
            ]

    found = world.do(answers())
    assert {each.http_version for each in found} == {"HTTP/2"}
    assert [(each.status_code, each.json()["failure"]["type"]) for each in found] == [
        (401, "unauthorized"),
        (400, "malformed_request"),
        (422, "validation_error"),
    ]


@pytest.mark.skipif(not HAS_SHARED_PORTS, reason="a port belongs to one process here")
def test_every_process_of_the_gateway_answers_and_leaves_evidence(world: World) -> None:
    plan = world.machine.plan
    assert plan.gateways == gateway_count(None, os.cpu_count() or 1)
    sent = [str(uuid.uuid4()) for _ in range(40)]

    async def ask(correlation_id: str) -> int:
        async with httpx.AsyncClient(trust_env=False) as client:  # a connection of its own
            answer = await client.post(
                plan.origin("gateway") + NORMALIZE, headers={"x-correlation-id": correlation_id}
            )
        return answer.status_code

    async def ask_all() -> list[int]:
        return list(await asyncio.gather(*map(ask, sent)))

    assert set(world.do(ask_all())) == {401}

    def writers() -> set[str] | None:
        store = open_reader(plan.folder.evidence_database)
        try:
            found = [by_correlation_id(store, each) for each in sent]
        finally:
            store.close()
        return {one.chain for each in found for one in each} if all(found) else None

    chains = world.until(writers, "a record of each call")
    assert len(chains) == plan.gateways
    assert world.verify().intact
