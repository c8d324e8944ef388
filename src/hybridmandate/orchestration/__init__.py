"""The orchestration tier: flows as exported, run unmodified.

``definition`` loads a cloud flow, ``expressions`` evaluates its expressions, ``engine`` is the pure
stepper, ``shells`` run it (in memory with a virtual clock, or durably), ``connectors`` speak to the
services, ``triggers`` start runs, ``history`` keeps what happened. May import contracts, evidence,
identity, manifest and durable; never another tier.
"""
