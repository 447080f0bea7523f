"""Verdict → what is done about it: who is told, how, and that it arrived.

Rules this room keeps:

1. It never decides: what is said was decided before, and is in the ledger before it is said.
2. What leaves the house names no item, no prescriber and no statement (`notice`).
3. Nothing that was to be told is dropped silently: it is sent, said to be among others («另有 N 条»),
   or lies visibly among the dead letters.
"""
