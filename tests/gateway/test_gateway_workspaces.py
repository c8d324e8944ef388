"""Workspaces of the extractor's folder: the order of their scopes, and what lies in them alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from extractor_folder import ExtractorFolder, served

from hybridmandate.governance.gateway.effective_policy import effective_policy
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.gateway import Gateway
from hybridmandate.governance.gateway.layout import load_layout
from hybridmandate.governance.gateway.policy_findings import policy_findings

_STEP = (
    '<set-variable name=\'seen\' value=\'@(context.Variables.GetValueOrDefault("seen", "") + '
    '"{}>")\' />'
)
_SHOW = (
    '<return-response><set-body>@((string)context.Variables["seen"] + '
    '(context.Workspace == null ? "none" : context.Workspace.Name))</set-body></return-response>'
)


def _policy(inbound: str) -> str:
    return (
        f"<policies><inbound>{inbound}</inbound><backend><base /></backend>"
        "<outbound><base /></outbound><on-error><base /></on-error></policies>"
    )


def _step(name: str) -> str:
    return "<base />" + _STEP.format(name)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> ExtractorFolder:
    """A service with an API of its own and a workspace with API and product."""
    folder = ExtractorFolder(tmp_path / "policies")
    folder.api("open", path="open")
    (folder.path / "policy.xml").write_text(_policy(_STEP.format("global")).replace("<base />", ""))
    (folder.path / "apis/open/policy.xml").write_text(_policy(_step("api") + _SHOW))
    workspace = ExtractorFolder(_made(folder.path / "workspaces" / "team"))
    workspace.write("workspaceInformation.json", {"displayName": "Team A"})
    (workspace.path / "policy.xml").write_text(_policy(_step("workspace")))
    workspace.api("orders", subscriptionRequired=True)
    (workspace.path / "apis/orders/policy.xml").write_text(_policy(_step("api") + _SHOW))
    workspace.product("gold", ["orders"])
    (workspace.path / "products/gold/policy.xml").write_text(_policy(_step("product")))
    workspace.subscription("ours", "/products/gold")
    workspace.subscription("team", "/apis")
    return folder


def _made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


@pytest.mark.parametrize(
    ("path", "key", "status", "says"),
    [
        ("/orders/items", "secret-of-ours", 200, "global>workspace>product>api>Team A"),
        ("/orders/items", "secret-of-team", 200, "global>workspace>api>Team A"),
        ("/open/items", None, 200, "global>api>none"),
        ("/orders/items", None, 401, "missing subscription key"),
    ],
)
async def test_scopes_run_from_service_to_workspace_to_product_to_api(
    folder: ExtractorFolder, path: str, key: str | None, status: int, says: str
) -> None:
    async with served(folder.path) as front:
        headers = {} if key is None else {"ocp_apim_subscription_key": key}
        got, text = await front.get(path, **headers)
    assert (got, says in text) == (status, True), text


async def test_workspace_without_base_leaves_out_the_services_policies(
    folder: ExtractorFolder,
) -> None:
    file = folder.path / "workspaces/team/policy.xml"
    file.write_text(_policy(_STEP.format("workspace")))
    async with served(folder.path) as front:
        _, text = await front.get("/orders/items", ocp_apim_subscription_key="secret-of-team")
    assert text == "workspace>api>Team A"


async def test_subscription_to_a_workspace_opens_no_api_of_the_service(
    folder: ExtractorFolder,
) -> None:
    folder.api("closed", path="closed", subscriptionRequired=True)
    async with served(folder.path) as front:
        status, text = await front.get("/closed/items", ocp_apim_subscription_key="secret-of-team")
    assert status == 401
    assert "invalid subscription key" in text


def _value(folder: Path, name: str, value: str) -> None:
    ExtractorFolder(folder).write(
        f"named values/{name}/namedValueInformation.json", {"displayName": name, "value": value}
    )


async def test_named_values_and_fragments_are_those_of_the_workspace(
    folder: ExtractorFolder,
) -> None:
    team = folder.path / "workspaces/team"
    _value(folder.path, "who", "service")
    _value(team, "who", "team")
    fragment = team / "policy fragments" / "say"
    fragment.mkdir(parents=True)
    (fragment / "policy.xml").write_text(f"<fragment>{_STEP.format('{{who}}')}</fragment>")
    include = '<base /><include-fragment fragment-id="say" />'
    (team / "policy.xml").write_text(_policy(include))
    async with served(folder.path) as front:
        _, text = await front.get("/orders/items", ocp_apim_subscription_key="secret-of-team")
    assert text == "global>team>api>Team A"


def test_what_lies_at_service_level_is_unknown_in_a_workspace(folder: ExtractorFolder) -> None:
    _value(folder.path, "only-here", "x")
    policy = folder.path / "workspaces/team/policy.xml"
    policy.write_text(_policy("<base />\n<set-method>{{only-here}}</set-method>"))
    with pytest.raises(PolicyDocumentError) as caught:
        Gateway(load_layout(folder.path))
    assert (caught.value.file, caught.value.line) == (str(policy), 2)
    found = policy_findings(load_layout(folder.path))
    assert [(each.file, each.line) for each in found] == [(str(policy), 2)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: f.product("bronze", ["orders"]), "there is no API 'orders'"),
        (lambda f: f.api("orders", path="other"), "API 'orders' is there outside"),
        (lambda f: f.product("gold", ["open"]), "product 'gold' is there outside"),
        (
            lambda f: _made(f.path / "workspaces/team/workspaces/inner"),
            "a workspace holds no workspaces",
        ),
        (
            lambda f: (f.path / "workspaces/team/workspaceInformation.json").write_text("[]"),
            "an object with 'properties' is expected",
        ),
    ],
)
def test_what_reaches_out_of_a_workspace_is_refused(
    folder: ExtractorFolder, change: object, reason: str
) -> None:
    change(folder)  # type: ignore[operator]
    with pytest.raises(PolicyDocumentError) as caught:
        Gateway(load_layout(folder.path, named_values={"key-of-ours": "a"}))
    assert reason in caught.value.reason


def test_effective_policy_shows_the_workspace_between_service_and_api(
    folder: ExtractorFolder,
) -> None:
    shown = effective_policy(load_layout(folder.path), "orders", "list")
    places = [shown.index(f"<!-- scope: {name} -->") for name in ("global", "workspace", "api")]
    assert places == sorted(places)
