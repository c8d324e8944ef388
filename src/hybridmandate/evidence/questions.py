"""The seven questions of requirement L5, each answered from records that are named with it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from hybridmandate.evidence.trace import Step, Trace, in_time_order

QUESTIONS: Mapping[str, str] = MappingProxyType(
    {
        "time-in-flow": "How long was it in the flow before the first call left?",
        "throttled": "Was it throttled, and how often?",
        "executed": "Was it executed, or refused at the edge?",
        "timeout-or-validation": "Was it a time-out or a handled validation error?",
        "retries": "Were retries idempotent or duplicating?",
        "payload": "How large were the payloads, and which thresholds were crossed?",
        "denied": "Who was denied?",
    }
)
_THROTTLED = frozenset({"throttled", "quota_exceeded"})
_DENIED = frozenset({"unauthorized", "forbidden"})
_DENYING_KINDS = frozenset({"token.refused", "data.refused", "egress.refused"})
_EXECUTED = frozenset({"succeeded", "partiallySucceeded", "accepted"})
_KEYS = ("idempotencyKey", "key", "payloadDigest")


@dataclass(frozen=True, slots=True)
class Answer:
    """``answer`` is a sentence for people, ``value`` the same for machines, ``proof`` the refs of
    the records that it rests on."""

    id: str
    question: str
    answer: str
    value: Any
    proof: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {
            "id": self.id,
            "question": self.question,
            "answer": self.answer,
            "value": self.value,
            "proof": list(self.proof),
        }


def answers(trace: Trace) -> tuple[Answer, ...]:
    """All seven, in the order of the requirement."""
    steps = in_time_order(trace.steps)
    return tuple(_ANSWERS[id](id, steps) for id in QUESTIONS)


def _answer(id: str, answer: str, value: Any, proof: Iterable[Step]) -> Answer:
    return Answer(id, QUESTIONS[id], answer, value, tuple(step.ref for step in proof))


def _time_in_flow(id: str, steps: list[Step]) -> Answer:
    flow = next((step for step in steps if step.tier == "flow"), None)
    call = next((step for step in steps if step.kind == "gateway.call"), None)
    if flow is None and call is None:
        return _answer(id, "no flow and no call is on record", None, ())
    if flow is None or call is None:
        missing = "no flow is on record" if flow is None else "no call left the flow"
        return _answer(id, missing, None, [step for step in (flow, call) if step])
    waited = round((call.time_ns - flow.time_ns) / 1e6, 3)
    return _answer(id, f"{waited:,.0f} ms", {"milliseconds": waited}, (flow, call))


def _throttled(id: str, steps: list[Step]) -> Answer:
    # The flow notes the same refusal again as its action's; only the refusing side is counted.
    refusals = [step for step in steps if step.failure_type in _THROTTLED]
    at_the_source = [step for step in refusals if step.tier != "flow"] or refusals
    by_tier = dict(Counter(step.tier for step in at_the_source))
    if not at_the_source:
        return _answer(id, "no", {"times": 0, "byTier": {}}, ())
    places = ", ".join(f"{count}× at {tier}" for tier, count in by_tier.items())
    value = {"times": len(at_the_source), "byTier": by_tier}
    return _answer(id, f"yes: {places}", value, at_the_source)


def _executed(id: str, steps: list[Step]) -> Answer:
    calls = [step for step in steps if step.kind == "gateway.call"]
    refused = [step for step in calls if _is_edge_refusal(step)]
    reached = [step for step in calls if not _is_edge_refusal(step)]
    policies = Counter(str(s.detail.get("refusedBy", "unnamed")) for s in refused)
    value = {
        "executed": len(reached),
        "refusedAtTheEdge": len(refused),
        "policies": dict(policies),
    }
    if not calls:
        executed = [step for step in steps if step.kind == "call.finished"]
        value["executed"] = len(executed)
        text = "executed without a gateway record" if executed else "no call is on record"
        return _answer(id, text, value, executed)
    parts = []
    if reached:
        parts.append(f"{len(reached)} passed to the back end")
    if refused:
        names = ", ".join(f"{name} {count}×" for name, count in policies.items())
        parts.append(f"{len(refused)} refused at the edge ({names})")
    return _answer(id, "; ".join(parts), value, calls)


def _is_edge_refusal(step: Step) -> bool:
    if step.detail.get("backend") is True:
        return False
    return step.outcome in ("refused", "denied") or "refusedBy" in step.detail


def _timeout_or_validation(id: str, steps: list[Step]) -> Answer:
    timeouts = [s for s in steps if s.failure_type == "timeout" or s.outcome == "timedOut"]
    handled = [s for s in steps if s.failure_type == "validation_error" or s.outcome == "rejected"]
    words = [
        word
        for word, found in (("a time-out", timeouts), ("a handled validation error", handled))
        if found
    ]
    others = sorted(
        {step.failure_type for step in steps if step.failure_type} - {"timeout", "validation_error"}
    )
    text = " and ".join(words) if words else "neither"
    if others:
        text += f" (other failures: {', '.join(others)})"
    value = {"timeouts": len(timeouts), "validationErrors": len(handled), "otherFailures": others}
    return _answer(id, text, value, [s for s in steps if s in timeouts or s in handled])


def _retries(id: str, steps: list[Step]) -> Answer:
    again = [step for step in steps if step.attempt > 1 or step.kind.endswith(".retry")]
    replayed = [step for step in steps if step.outcome in ("replayed", "alreadyProcessed")]
    keyed: defaultdict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in steps:
        if step.kind == "call.finished" and step.outcome in _EXECUTED:
            key = next((str(step.detail[k]) for k in _KEYS if k in step.detail), None)
            if key is not None:
                keyed[step.subject, key].append(step)
    doubled = [step for same in keyed.values() if len(same) > 1 for step in same]
    value = {"retries": len(again), "replayed": len(replayed), "duplicates": len(doubled)}
    if doubled:
        subjects = ", ".join(sorted({step.subject for step in doubled}))
        text = f"duplicating: {subjects} ran more than once for the same call"
        return _answer(id, text, value, [*again, *doubled])
    if replayed:
        text = f"idempotent: {len(replayed)} answered from the first outcome"
        return _answer(id, text, value, [*again, *replayed])
    if again:
        text = "no repeated call was executed twice; none needed a replay"
        return _answer(id, text, value, again)
    return _answer(id, "there were no retries", value, ())


def _payload(id: str, steps: list[Step]) -> Answer:
    calls = [step for step in steps if step.kind == "gateway.call"]
    sized = calls or [step for step in steps if step.bytes_in or step.bytes_out]
    crossed = [
        step
        for step in steps
        if step.kind == "policy.threshold" or step.failure_type == "payload_too_large"
    ]
    thresholds = [step.subject for step in crossed]
    value = {
        "largestIn": max((step.bytes_in for step in sized), default=0),
        "largestOut": max((step.bytes_out for step in sized), default=0),
        "totalIn": sum(step.bytes_in for step in sized),
        "totalOut": sum(step.bytes_out for step in sized),
        "thresholdsCrossed": thresholds,
    }
    text = (
        f"largest in {value['largestIn']:,} bytes, largest out {value['largestOut']:,} bytes; "
        + (f"crossed: {', '.join(thresholds)}" if thresholds else "none crossed")
    )
    largest = sorted(sized, key=lambda step: step.bytes_in + step.bytes_out, reverse=True)[:1]
    return _answer(id, text, value, [*largest, *crossed])


def _denied(id: str, steps: list[Step]) -> Answer:
    denials = [
        step
        for step in steps
        if step.failure_type in _DENIED
        or step.outcome == "denied"
        or (step.kind in _DENYING_KINDS and step.failed)
    ]
    at_the_source = [step for step in denials if step.tier != "flow"] or denials
    who = Counter(step.principal or "an unknown caller" for step in at_the_source)
    value = [
        {"principal": s.principal, "subject": s.subject, "kind": s.kind, "tier": s.tier}
        for s in at_the_source
    ]
    if not at_the_source:
        return _answer(id, "nobody", value, ())
    text = ", ".join(f"{name} ({count}×)" for name, count in who.items())
    return _answer(id, text, value, at_the_source)


_ANSWERS: Mapping[str, Callable[[str, list[Step]], Answer]] = MappingProxyType(
    {
        "time-in-flow": _time_in_flow,
        "throttled": _throttled,
        "executed": _executed,
        "timeout-or-validation": _timeout_or_validation,
        "retries": _retries,
        "payload": _payload,
        "denied": _denied,
    }
)
