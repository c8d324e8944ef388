"""The governance tier: what enforces reality at the edges of the other two tiers.

``gateway`` runs API policies, ``data`` is the governed interface to Dataverse. May import
contracts, evidence, identity, manifest and durable; never orchestration, execution or twin.
"""
