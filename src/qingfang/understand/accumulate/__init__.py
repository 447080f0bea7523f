"""What sessions, persons and groups have learned by now, and when parts become a whole: start with
memory.py.

`facts` is what one statement brings, `knowledge` what is remembered of everybody; each of the other
modules holds one way in which parts become a whole.
"""

from qingfang.understand.accumulate.facts import Facts
from qingfang.understand.accumulate.findings import FINDINGS
from qingfang.understand.accumulate.knowledge import DAY, HOUR, Learner, Limits
from qingfang.understand.accumulate.memory import ROOM, TABLES, Memory

__all__ = [
    "DAY",
    "FINDINGS",
    "HOUR",
    "ROOM",
    "TABLES",
    "Facts",
    "Learner",
    "Limits",
    "Memory",
]
