"""The life of a grant as a table; `as_text` prints it as documentation."""

from __future__ import annotations

from qingfang.people import policy

APPLIED, APPROVED, FILED, REFUSED, REVOKED = "applied", "approved", "filed", "refused", "revoked"
WITHDRAWN = "withdrawn"

TRANSITIONS: dict[tuple[str, str], tuple[str, frozenset[str]]] = {
    (APPLIED, "approve"): (APPROVED, policy.APPROVERS),
    (APPLIED, "refuse"): (REFUSED, policy.APPROVERS),
    (APPLIED, "withdraw"): (WITHDRAWN, frozenset({policy.APPLICANT})),
    (APPROVED, "file"): (FILED, frozenset({policy.FILER})),
    (APPROVED, "refuse"): (REFUSED, frozenset({policy.FILER})),
    (APPROVED, "withdraw"): (WITHDRAWN, frozenset({policy.APPLICANT})),
    (FILED, "revoke"): (REVOKED, frozenset({policy.FILER, policy.APPLICATION_MANAGER})),
}


def acts_from(status: str) -> list[str]:
    return [act for (start, act) in TRANSITIONS if start == status]


def as_text() -> str:
    lines = ["| from | act | to | done by |", "| --- | --- | --- | --- |"]
    for (start, act), (end, roles) in TRANSITIONS.items():
        lines.append(f"| {start} | {act} | {end} | {', '.join(sorted(roles))} |")
    return "\n".join(lines)
