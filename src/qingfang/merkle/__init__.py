"""A Merkle tree over what was recorded: roots, and proofs that a short text can carry.

Nothing here reads a file or a clock; `record` says what the leaves are.
"""
