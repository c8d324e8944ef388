"""The composition root: boots a whole hybrid solution on one machine.

Here the tiers meet, and only here: each process is put together from one tier's parts, the plan of
the run and the solution. May import everything below; only ``cli`` and ``console`` import it.
"""
