"""`python -m tests.support.staff CONFIG`: puts invented staff into a console's database."""

from __future__ import annotations

import sys
from pathlib import Path

from qingfang.web import server

STAFF = (
    ("9001", "discipline", ("application_manager",), "周监察"),
    ("9002", "office", ("auditor",), "吴审计"),
    ("9004", "office", ("security_administrator",), "王安全"),
    ("9006", "office", ("applicant",), "陈申请"),
    ("9009", "clinical", (), "蒋无权"),
)

if __name__ == "__main__":
    server.set_up(Path(sys.argv[1]))
    from tests.support.people import person

    for number, kind, roles, name in STAFF:
        person(number, kind, *roles, name=name, password=True)
