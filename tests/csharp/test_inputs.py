"""Which expressions depend on a few inputs alone, and what is read of these."""

from __future__ import annotations

import pytest

from hybridmandate.governance.gateway.csharp import (
    Budget,
    Jwt,
    MappingValues,
    Response,
    Run,
    compile_expression,
    parse_json,
)

from .sample import context

TOKEN = Jwt({}, {"oid": "someone"})


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ('@(((string)context.Variables["a"]).StartsWith("x"))', ("va",)),
        ('@(((string)context.Variables["a"] + context.Variables["b"]).Trim())', ("va", "vb")),
        ('@(context.Variables.GetValueOrDefault<string>("none", "d").Trim())', (...,)),
        ('@(context.Variables.ContainsKey("a") && "a".Equals("b"))', (True,)),
        ('@(context.Request.Headers.GetValueOrDefault("X-One", "").Contains("1"))', (("1", "2"),)),
        ('@(string.Join(",", context.Request.Headers.Keys))', (("X-One",),)),
        ('@(context.Response.Headers.GetValueOrDefault("Y", "").Length > 0 && "".Trim() == "")',
         (("3",),)),
        ('@(context.Response.StatusCode.ToString())', (201,)),
        ('@(((Jwt)context.Variables["jwt"]).Claims.GetValueOrDefault("oid", ""))', (TOKEN,)),
        ('@{ var a = (string)context.Variables["a"]; if (a == "") { return a; } return a.Trim(); }',
         ("va",)),
    ],
)  # fmt: skip
def test_expression_tells_the_inputs_it_depends_on(text: str, inputs: tuple[object, ...]) -> None:
    given = context()
    given.variables = {"a": "va", "b": "vb", "jwt": TOKEN}
    given.request.headers = MappingValues({"X-One": ["1", "2"]})
    given.response = Response(201, "Created", MappingValues({"Y": ["3"]}), None)
    read = compile_expression(text, line=1, column=1).inputs
    assert read is not None
    assert set(read(Run(given, Budget()))) == set(inputs)


@pytest.mark.parametrize(
    "text",
    [
        '@((string)context.Variables["a"])',
        '@(context.RequestId.ToString("N").Substring(0, 4))',
        '@(Guid.NewGuid().ToString())',
        '@(DateTime.UtcNow.ToString() + (string)context.Variables["a"])',
        '@(((string)context.Variables["a"]).Trim() + new Random().Next())',
        '@(context.Request.Body.As<string>().Trim() + (string)context.Variables["a"])',
        '@(((JObject)context.Variables["a"]).ToString())',
        '@(context.Variables.GetValueOrDefault<string>((string)context.Variables["a"], "").Trim())',
        '@(context.Request.Headers["X-One"].First().Trim() + (string)context.Variables["a"])',
        '@(((string)context.Variables["a"]).Split(\',\').Any(x => x == context.Request.Method))',
        '@(context.Request.Url.Path.StartsWith("/a") && (string)context.Variables["a"] == "")',
        '@{ context.Trace(((string)context.Variables["a"]).Trim()); return ""; }',
        '@{ int n; return int.TryParse((string)context.Variables["a"], out n) ? n : 0; }',
    ],
)  # fmt: skip
def test_expression_that_depends_on_more_tells_none(text: str) -> None:
    assert compile_expression(text, line=1, column=1).inputs is None


@pytest.mark.parametrize("value", [1, True, b"x", parse_json("{}"), 1.5])
def test_what_is_no_text_cannot_be_compared(value: object) -> None:
    text = '@(((string)context.Variables["a"]).StartsWith("x"))'
    read = compile_expression(text, line=1, column=1).inputs
    assert read is not None
    given = context()
    given.variables["a"] = value
    (seen,) = read(Run(given, Budget()))
    assert seen is not value
    assert not isinstance(seen, str | int)
