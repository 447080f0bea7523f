"""`qingfang bench recognition`: how well disclosures are recognised, and what it costs in alarms.

Own schemas in four dialects, every technique as readable text, meaning-preserving rewrites, and truth
by interference (docs/recognition.md).
"""

from __future__ import annotations

SCENES: tuple[str, ...] = tuple(f"T{n}" for n in range(69, 97))
"""Techniques of channel, blindness and process: not a matter of one session's SQL. `scenes.play`
plays them and gives `results.Scene`s."""
