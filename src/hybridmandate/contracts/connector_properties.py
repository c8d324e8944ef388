"""``apiProperties.json`` of a custom connector: how its connections prove themselves (P5, A6).

One set of connection parameters: a service principal with the client-credentials grant, because a
person's token opens no unattended path. The fields are filled in when a connection is made; the
file holds no secret. Form: https://learn.microsoft.com/connectors/custom-connectors/multi-auth.
"""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]

CLIENT_SECRET = "token:clientSecret"  # noqa: S105 - the parameter's name


def connector_properties(
    *, resource: str, publisher: str, tenant: str = "common", brand_color: str = "#1f4e79"
) -> JsonObject:
    """The properties of a connector whose gateway takes tokens for the audience ``resource``."""
    token = {
        "type": "oauthSetting",
        "oAuthSettings": {
            "identityProvider": "aad",
            "clientId": "",
            "scopes": [],
            "redirectMode": "GlobalPerConnector",
            "properties": {
                "IsFirstParty": "False",
                "AzureActiveDirectoryResourceId": resource,
                "IsOnbehalfofLoginSupported": False,
            },
            "customParameters": {
                "loginUri": {"value": "https://login.microsoftonline.com"},
                "tenantId": {"value": tenant},
                "resourceUri": {"value": resource},
                "enableOnbehalfOfLogin": {"value": "false"},
            },
        },
    }
    grant = _field("Grant Type", "Always client_credentials.", kind="string")
    grant["uiDefinition"]["constraints"].update(
        {
            "hidden": "true",
            "default": "client_credentials",
            "allowedValues": [{"text": "Client credentials", "value": "client_credentials"}],
        }
    )
    parameters = {
        "token": token,
        "token:clientId": _field(
            "Client ID", "Application id of the service principal.", kind="string"
        ),
        CLIENT_SECRET: _field(
            "Client Secret", "Secret of the service principal.", kind="securestring"
        ),
        "token:TenantId": _field("Tenant", "Tenant of the service principal.", kind="string"),
        "token:grantType": grant,
    }
    return {
        "properties": {
            "connectionParameterSets": {
                "uiDefinition": {
                    "displayName": "Authentication Type",
                    "description": "How the connection proves itself.",
                },
                "values": [
                    {
                        "name": "oauthSP",
                        "uiDefinition": {
                            "displayName": "Service principal",
                            "description": "A workload identity with the roles it needs.",
                        },
                        "parameters": parameters,
                    }
                ],
            },
            "iconBrandColor": brand_color,
            "capabilities": [],
            "publisher": publisher,
        }
    }


def _field(title: str, description: str, *, kind: str) -> JsonObject:
    constraints: JsonObject = {"required": "true"}
    if kind == "securestring":
        constraints["clearText"] = False
    return {
        "type": kind,
        "uiDefinition": {
            "displayName": title,
            "schema": {"type": kind, "description": description},
            "tooltip": description,
            "constraints": constraints,
        },
    }
