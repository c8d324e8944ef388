"""Stand-in for Microsoft Entra ID: an issuer that `msal` and `azure-identity` accept unmodified.

Covers discovery, keys with rotation, client credentials by secret, certificate and federated
assertion, the password grant for tokens of people, and the managed-identity endpoints of App
Service and IMDS. What it does not cover answers with an AADSTS error that says so.
"""
