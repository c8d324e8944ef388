"""Evidence: what happened, in one schema for all tiers, append-only and chained by hash (L3–L7).

`record` is the schema and the seam that tiers write to, `writer` and `store` keep it,
`verification` and `checkpoint` show tampering, `trace` and `questions` tell a transaction's story.
Imports nothing of ours but ``contracts``.
"""
