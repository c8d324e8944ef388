"""validate-parameters against an OpenAPI document: references, arrays, repeated parameters."""

from __future__ import annotations

import json
from pathlib import Path

from extractor_folder import ExtractorFolder, served

POLICY = (
    "<policies><inbound><validate-parameters specified-parameter-action='prevent' "
    "unspecified-parameter-action='ignore'/><return-response><set-body>in</set-body>"
    "</return-response></inbound><backend/><outbound/><on-error/></policies>"
)
SCHEMAS = {
    "Id": {"type": "integer", "minimum": 1},
    "Ids": {"type": "array", "items": {"$ref": "#/components/schemas/Id"}},
    "Share": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "nullable": True},
}
PARAMETERS = [
    {"name": "id", "in": "query", "schema": {"$ref": "#/components/schemas/Id"}},
    {"name": "ids", "in": "query", "schema": {"$ref": "#/components/schemas/Ids"}},
    {
        "name": "list",
        "in": "query",
        "explode": False,
        "schema": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
    },
    {
        "name": "piped",
        "in": "query",
        "style": "pipeDelimited",
        "schema": {"type": "array", "items": {"type": "string", "maxLength": 2}},
    },
    {"name": "share", "in": "query", "schema": {"$ref": "#/components/schemas/Share"}},
]
PASS = ["", "id=7", "ids=1", "list=1,2", "piped=ab|cd", "share=0.5", "share=1e3", "other=x"]
FAIL = [
    "id=x",
    "id=0",
    "id=1_0",
    "id=7&id=x",  # the back end may read the second
    "list=1,x",
    "list=1,2,3",
    "piped=ab|cde",
    "share=0",
    "share=nan",
    "share=1e999",
]


async def test_each_parameter_is_judged_by_its_schema_wherever_that_is_written(
    tmp_path: Path,
) -> None:
    folder = ExtractorFolder(tmp_path)
    folder.api("asked")
    operation = {
        "operationId": "list",
        "parameters": PARAMETERS,
        "responses": {"200": {"description": "x"}},
    }
    document = {
        "openapi": "3.0.1",
        "paths": {"/items": {"get": operation}},
        "components": {"schemas": SCHEMAS},
    }
    (tmp_path / "apis" / "asked" / "specification.json").write_text(json.dumps(document))
    (tmp_path / "apis" / "asked" / "policy.xml").write_text(POLICY)
    async with served(tmp_path) as front:
        told = {each: (await front.get(f"/orders/items?{each}"))[0] for each in PASS + FAIL}
    assert told == {**dict.fromkeys(PASS, 200), **dict.fromkeys(FAIL, 400)}
