"""The execution tier: runs declared operations behind the gateway, and nothing else.

Here live the host (who may call, what a call must look like, idempotency, jobs), the governed file
store, the egress guard and the shipped services. It never talks to Dataverse and imports no other
tier: business data comes through the data gateway, over HTTP (requirements T3, N1, N3, D1).
"""
