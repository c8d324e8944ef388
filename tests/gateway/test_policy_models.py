"""Policies for language models: content safety, semantic cache, token limits of streams."""

from __future__ import annotations

import json
from typing import Any

import pytest
from policy_bench import Answer, Bench

from hybridmandate.governance.gateway.configuration import BackendEntry
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.model_messages import (
    answer_usage,
    completion_text,
    prompt_messages,
    prompt_tokens,
)
from hybridmandate.governance.gateway.policies.llm_content_safety import windows

SAFETY = {"safety": BackendEntry("safety", "https://safety.example")}
EMBEDDINGS = {
    "embed": BackendEntry(
        "embed", "https://ai.example/openai/deployments/e/embeddings", headers={"api-key": ("k",)}
    )
}
ASK = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "hello"},
    ]
}
CATEGORIES = "<categories><category name='Hate' threshold='4'/></categories>"


def safety(attributes: str = "", children: str = CATEGORIES) -> str:
    return f"<llm-content-safety backend-id='safety' {attributes}>{children}</llm-content-safety>"


def severity(number: int) -> Answer:
    return 200, {
        "blocklistsMatch": [],
        "categoriesAnalysis": [{"category": "Hate", "severity": number}],
    }


@pytest.mark.parametrize(
    ("inbound", "answers", "status", "reason"),
    [
        (safety(), {"text:analyze": severity(3)}, 200, None),
        (safety(), {"text:analyze": severity(4)}, 403, "ContentSafetyViolation"),
        (
            safety("shield-prompt='true'", ""),
            {"text:shieldPrompt": (200, {"userPromptAnalysis": {"attackDetected": True}})},
            403,
            "ContentSafetyViolation",
        ),
        (
            safety("shield-prompt='true'", ""),
            {"text:shieldPrompt": (200, {"userPromptAnalysis": {"attackDetected": False}})},
            200,
            None,
        ),
        (
            safety(children="<blocklists><id>names</id></blocklists>"),
            {"text:analyze": (200, {"blocklistsMatch": [{"x": 1}], "categoriesAnalysis": []})},
            403,
            "ContentSafetyViolation",
        ),
        (safety(), {"text:analyze": (500, {})}, 500, "ContentSafetyFailure"),
        (safety(), {"text:analyze": (200, {"odd": 1})}, 500, "ContentSafetyFailure"),
    ],
)
async def test_prompts_are_judged_before_the_back_end_sees_them(
    inbound: str, answers: dict[str, Any], status: int, reason: str | None
) -> None:
    bench = Bench(inbound, answers=answers, backends=SAFETY)
    ended = await bench.call(ASK)
    assert ended.response.status == status
    assert (ended.last_error.reason if ended.last_error else None) == reason
    assert bool(bench.wire.to("back.example")) == (status == 200)


async def test_content_safety_is_asked_as_its_reference_says() -> None:
    bench = Bench(
        safety(children=CATEGORIES + "<blocklists><id>names</id></blocklists>"),
        answers={"text:analyze": severity(0)},
        backends=SAFETY,
    )
    await bench.call(ASK)
    asked = bench.wire.to("safety.example")[0]
    assert asked.url == "https://safety.example/contentsafety/text:analyze?api-version=2024-09-01"
    assert (
        "Authorization",
        "Bearer token-for-https://cognitiveservices.azure.com",
    ) in asked.headers
    assert isinstance(asked.body, bytes)
    assert json.loads(asked.body) == {
        "text": "Be kind.\nhello",
        "outputType": "FourSeverityLevels",
        "categories": ["Hate"],
        "blocklistNames": ["names"],
        "haltOnBlocklistHit": True,
    }


async def test_completions_are_judged_when_asked_for() -> None:
    def judge(body: bytes) -> Answer:
        return severity(6 if "evil" in json.loads(body)["text"] else 0)

    bench = Bench(
        safety("enforce-on-completions='true'"),
        answers={
            "text:analyze": judge,
            "back.example": (200, {"choices": [{"message": {"content": "evil"}}]}),
        },
        backends=SAFETY,
    )
    ended = await bench.call(ASK)
    assert ended.response.status == 403
    assert b"evil" not in (ended.response.body.content or b"")


def test_long_texts_are_judged_whole_in_windows_that_overlap() -> None:
    assert list(windows("abcdefg", 4, 1)) == ["abcd", "defg"]
    assert list(windows("abcde", 4, 1)) == ["abcd", "de"]
    assert list(windows("", 4, 1)) == []
    assert "".join(windows("x" * 25_000, 10_000, 0)) == "x" * 25_000


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (-3, 2), (3, 3), (3, 9), (3, -4)])
def test_no_sizes_of_windows_leave_anything_unjudged(size: int, overlap: int) -> None:
    pieces = list(windows("abcdefghij", size, overlap))
    assert set("".join(pieces)) == set("abcdefghij")
    assert len(pieces) <= 10


@pytest.mark.parametrize(
    "body",
    [
        {"instructions": "evil"},
        {"messages": [], "prompt": "evil"},
        {**ASK, "input": "evil"},
        b"evil, and no JSON",
    ],
)
async def test_a_prompt_in_an_unknown_form_is_judged_too(body: Any) -> None:
    def judge(sent: bytes) -> Answer:
        return severity(6 if "evil" in json.loads(sent)["text"] else 0)

    bench = Bench(safety(), answers={"text:analyze": judge}, backends=SAFETY)
    assert (await bench.call(body)).response.status == 403


@pytest.mark.parametrize(
    "children",
    [
        "<categories><category name='Rude' threshold='1'/></categories>",
        "<categories><category name='Hate' threshold='8'/></categories>",
        "<categories output-type='Two'/>",
    ],
)
def test_categories_are_a_closed_list(children: str) -> None:
    with pytest.raises(PolicyDocumentError):
        Bench(safety(children=children), backends=SAFETY)


def embed(body: bytes) -> Answer:
    text = json.loads(body)["input"]
    vector = [1.0, 0.0] if "hello" in text else [0.9, 0.1] if "hi" in text else [0.0, 1.0]
    return 200, {"data": [{"embedding": vector}]}


def cached(threshold: str = "0.05", more: str = "") -> Bench:
    return Bench(
        f"<llm-semantic-cache-lookup score-threshold='{threshold}' embeddings-backend-id='embed' "
        f'{more}><vary-by>@(context.Request.Headers.GetValueOrDefault("tenant",""))</vary-by>'
        "</llm-semantic-cache-lookup>",
        "<llm-semantic-cache-store duration='60'/>",
        answers={"/embeddings": embed, "back.example": (200, {"answer": 1})},
        backends=EMBEDDINGS,
    )


def user(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


async def calls(bench: Bench, *asked: tuple[str, str]) -> int:
    for text, tenant in asked:
        ended = await bench.call(user(text), tenant=tenant)
        assert ended.response.body.content == b'{"answer": 1}'
    return len(bench.wire.to("back.example"))


@pytest.mark.parametrize(
    ("threshold", "asked", "calls_of_back_end"),
    [
        ("0.05", (("hello", "a"), ("hi", "a")), 1),
        ("0.001", (("hello", "a"), ("hi", "a")), 2),
        ("0.05", (("hello", "a"), ("other", "a")), 2),
        ("0.05", (("hello", "a"), ("hello", "b")), 2),
    ],
    ids=["near", "stricter", "far", "another tenant"],
)
async def test_the_nearest_answer_within_the_threshold_is_given(
    threshold: str, asked: tuple[tuple[str, str], ...], calls_of_back_end: int
) -> None:
    assert await calls(cached(threshold), *asked) == calls_of_back_end


async def test_values_that_vary_are_never_taken_for_one_another() -> None:
    vary = '<vary-by>@(context.Request.Headers.GetValueOrDefault("user",""))</vary-by>'
    bench = Bench(
        "<llm-semantic-cache-lookup score-threshold='0.05' embeddings-backend-id='embed'>"
        f"{vary.replace('user', 'tenant')}{vary}</llm-semantic-cache-lookup>",
        "<llm-semantic-cache-store duration='60'/>",
        answers={"/embeddings": embed, "back.example": (200, {"answer": 1})},
        backends=EMBEDDINGS,
    )
    for tenant, person in (("a|b", "c"), ("a", "b|c")):
        await bench.call(user("hello"), tenant=tenant, user=person)
    assert len(bench.wire.to("back.example")) == 2


async def test_a_cached_answer_ends_with_its_duration() -> None:
    bench = cached()
    await calls(bench, ("hello", "a"))
    bench.now += 61
    assert await calls(bench, ("hello", "a")) == 2


async def test_embeddings_are_asked_with_the_back_ends_own_credentials() -> None:
    bench = cached()
    await calls(bench, ("hello", "a"))
    asked = bench.wire.to("/embeddings")[0]
    assert asked.url.startswith("https://ai.example/openai/deployments/e/embeddings?api-version=")
    assert ("api-key", "k") in asked.headers
    assert not any(name == "Authorization" for name, _ in asked.headers)


async def test_without_embeddings_the_call_goes_on_uncached() -> None:
    bench = cached()
    bench.wire.answers["/embeddings"] = (500, {})
    assert await calls(bench, ("hello", "a"), ("hello", "a")) == 2
    assert [kind for kind, *_ in bench.told] == ["semantic-cache.failed"] * 2


async def test_longer_conversations_are_not_looked_up() -> None:
    bench = cached(more="max-message-count='1'")
    await bench.call(ASK)
    assert not bench.wire.to("/embeddings")


@pytest.mark.parametrize("threshold", ["2", "-0.1", "near", "nan"])
def test_the_threshold_is_a_number_from_nought_to_one(threshold: str) -> None:
    with pytest.raises(PolicyDocumentError, match=r"0\.0 to 1\.0"):
        cached(threshold)


STREAM = (
    b'data: {"choices":[{"delta":{"content":"one "}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"two three"}}]}\n\n'
)
ENDED = b"data: [DONE]\n\n"


async def test_a_stream_counts_by_its_usage_or_else_by_an_estimate() -> None:
    limit = (
        "<llm-token-limit counter-key='k' tokens-per-minute='1000' estimate-prompt-tokens='false' "
        "tokens-consumed-variable-name='used'/>"
    )
    told = b'data: {"choices":[],"usage":{"total_tokens":77}}\n\n'
    for body, used in ((STREAM + told + ENDED, 77), (STREAM + ENDED, 2 + 4)):
        bench = Bench(limit, answers={"back.example": (200, body)})
        ended = await bench.call({**user("hello"), "stream": True})
        assert ended.variables["used"] == used


async def test_a_streamed_prompt_over_the_limit_is_refused_before_it_is_sent() -> None:
    bench = Bench(
        "<llm-token-limit counter-key='k' tokens-per-minute='10' estimate-prompt-tokens='false'/>"
    )
    ended = await bench.call({**user("x" * 100), "stream": True})
    assert ended.response.status == 429
    assert not bench.wire.sent


def test_messages_are_read_from_every_shape_of_request() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:"}}
    parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, image]}]}
    assert prompt_messages(json.dumps(parts).encode())[0].images == 1
    assert prompt_tokens(json.dumps(parts).encode()) == 1201
    for shape in ({"prompt": "a"}, {"input": "a"}, {"prompt": ["a"]}):
        assert [each.text for each in prompt_messages(json.dumps(shape).encode())] == ["a"]
    for broken in (None, b"", b"[1]", b"{", b'{"messages": 3}', b"[" * 100_000):
        assert prompt_messages(broken) == []


def test_answers_are_read_whole_and_as_events() -> None:
    assert completion_text(STREAM + ENDED) == "one two three"
    answer = {"output": [{"content": [{"type": "output_text", "text": "hi"}]}]}
    assert completion_text(json.dumps(answer).encode()) == "hi"
    usage = {"usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}
    assert answer_usage(json.dumps(usage).encode())["prompt_tokens"] == 3
