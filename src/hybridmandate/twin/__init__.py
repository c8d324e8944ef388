"""Stand-ins for services that are only sold as a service: Entra, Dataverse, Microsoft Graph.

Each answers in the real service's own protocol and error shape and is held to the official client
packages, never to a client of ours. What is not supported answers with the service's own error and
says so. May import contracts, evidence, identity, manifest and durable; never another tier.
"""
