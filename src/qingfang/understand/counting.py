"""A finding under a definition of what counts (`definition`): what does not count is no usage.

Rules this module keeps:

1. What may be of a kind that counts, counts: the kinds are all that are possible (`kinds`).
2. A finding that does not count is `none` and nothing is accumulated of it; whose patient it is
   (`pins`) stays known, as of any reading.
3. Where the definition decided, a reason says so and names the article.
"""

from __future__ import annotations

from qingfang.understand.definition import EVERY_KIND, ORDINARY, Definition
from qingfang.understand.reasons import reason
from qingfang.understand.rules import Finding

_ONLY_ORDINARY = frozenset({ORDINARY})


def hold(finding: Finding, definition: Definition) -> None:
    """Change the finding into what it is under the definition."""
    if finding.disclosure not in {"usage", "clinical"}:
        return
    usage = finding.disclosure == "usage"
    span = (finding.reasons[0].start, finding.reasons[0].end) if finding.reasons else None
    if not finding.kinds & definition.counted:
        _let_go(finding)
        if usage:
            finding.reasons = [reason("definition.apart", span, article=definition.cited)]
    elif usage and not finding.contents & frozenset(definition.contents):
        _let_go(finding)
        finding.reasons = [reason("definition.names", span, article=definition.cited)]
    elif usage and finding.kinds == _ONLY_ORDINARY:
        finding.reasons.append(reason("definition.consumable", span, article=definition.cited))
    elif usage and finding.kinds != EVERY_KIND and not finding.kinds <= definition.counted:
        finding.reasons.append(reason("definition.untold", span, article=definition.cited))


def _let_go(finding: Finding) -> None:
    finding.yields = None
    if finding.disclosure == "usage":
        finding.disclosure, finding.grain, finding.subtype, finding.scope = "none", None, None, None
