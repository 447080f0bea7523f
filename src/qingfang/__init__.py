"""Qingfang 清方: keeps the figures of who prescribes how much of what out of the wrong hands.

`ls` of this folder shows the flow of a statement: `sense` → `decode` → `understand` → `judge` →
`act` → `record`, wired by `engine`; above them the pages people use. docs/architecture.md walks
one statement through all of it.
"""

__version__ = "0.1.0"
