"""The API gateway: runs Azure API Management's policy documents, here as they run there.

``layout`` reads an extractor folder, ``server`` serves it; between them stand documents, policies
and a pure pipeline. May import contracts, evidence and identity; never another tier.
"""
