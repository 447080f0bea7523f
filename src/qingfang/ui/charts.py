"""Charts as inline SVG, drawn on the server: they need no script, print, and follow dark and light.

Rules this module keeps:

1. A chart has a name and says its figures in words as well: a description for who hears the page,
   a title on each column for who points at it.
2. Places along the width are per cent of it and heights are pixels, so that a chart fits a phone
   without its letters shrinking. Colours are classes of the style sheet: the page's policy forbids
   inline styles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

HEIGHT, TOP, BOTTOM = 220, 14, 22
LABELS = 7


class Series:
    """One colour of a chart: `css` is a class of the style sheet, `values` one number a column."""

    def __init__(self, name: str, css: str, values: Sequence[int]) -> None:
        self.name, self.css, self.values = name, css, values


def ceiling(most: int) -> int:
    """The next round number (1, 2, 4, 5 or 10 times a power of ten, at least 4) above `most`."""
    if most <= 4:
        return 4
    power = 10 ** int(math.log10(most))
    return next(n * power for n in (1, 2, 4, 5, 10) if n * power >= most)


def columns(name: str, labels: Sequence[str], series: Sequence[Series]) -> SafeString:
    """Columns side by side, the series stacked. `labels` name the columns."""
    count = max(1, len(labels))
    totals = [sum(s.values[n] for s in series) for n in range(len(labels))]
    top = ceiling(max(totals, default=0))
    plot = HEIGHT - TOP - BOTTOM
    step = 100 / count
    grid = format_html_join(
        "",
        '<line class="chart-grid" x1="0" x2="100%" y1="{0}" y2="{0}"></line>'
        '<text class="chart-text" x="0" y="{1}">{2}</text>',
        (
            (
                TOP + plot - plot * part // 4,
                TOP + plot - plot * part // 4 - 3,
                f"{top * part // 4:,}",
            )
            for part in (0, 2, 4)
        ),
    )
    return format_html(
        '<figure class="chart"><svg class="chart-plot" role="img" aria-label="{}">'
        "<desc>{}</desc>{}{}{}</svg>{}</figure>",
        name,
        _told(labels, series, totals),
        grid,
        _columns(labels, series, totals, plot / top, step),
        format_html_join(
            "",
            '<text class="chart-text" text-anchor="middle" x="{}%" y="{}">{}</text>',
            (
                (f"{(n + 0.5) * step:.2f}", HEIGHT - 5, label)
                for n, label in enumerate(labels)
                if not (count - 1 - n) % math.ceil(count / LABELS)
            ),
        ),
        _legend(series),
    )


def _columns(
    labels: Sequence[str], series: Sequence[Series], totals: Sequence[int], unit: float, step: float
) -> SafeString:
    drawn = []
    for n, label in enumerate(labels):
        y = float(HEIGHT - BOTTOM)
        parts = []
        for one in series:
            height = one.values[n] * unit
            if height:
                y -= height
                parts.append(
                    (
                        f"{(n + 0.15) * step:.2f}",
                        f"{y:.1f}",
                        f"{step * 0.7:.2f}",
                        f"{height:.1f}",
                        one.css,
                    )
                )
        said = _("，").join(f"{s.name} {s.values[n]:,}" for s in series if s.values[n])
        shape = '<rect x="{}%" y="{}" width="{}%" height="{}" class="{}"></rect>'
        # The whole height answers to the pointer, also where the column is low.
        drawn.append(
            format_html(
                '<g><title>{}</title><rect x="{}%" y="{}" width="{}%" height="{}" class="chart-hit">'
                "</rect>{}</g>",
                f"{label}: {said or totals[n]}",
                f"{n * step:.2f}",
                TOP,
                f"{step:.2f}",
                HEIGHT - TOP - BOTTOM,
                format_html_join("", shape, parts),
            )
        )
    return format_html_join("", "{}", ((one,) for one in drawn))


def _told(labels: Sequence[str], series: Sequence[Series], totals: Sequence[int]) -> str:
    """The figures in words; columns of nothing are left out."""
    told = [
        f"{label}: {_('、').join(f'{s.name} {s.values[n]:,}' for s in series if s.values[n])}"
        for n, label in enumerate(labels)
        if totals[n]
    ]
    return "; ".join(told) or _("全部为零")


def _legend(series: Sequence[Series]) -> SafeString:
    if len(series) < 2:
        return SafeString("")
    return format_html(
        '<figcaption class="chart-legend" aria-hidden="true">{}</figcaption>',
        format_html_join(
            "",
            '<span><svg width="12" height="12"><rect width="12" height="12" rx="2" class="{}"></rect>'
            "</svg> {}</span>",
            ((s.css, s.name) for s in series),
        ),
    )


def ranks(rows: Sequence[tuple[str, int]], css: str) -> SafeString:
    """A list with a bar behind each number, the longest for the largest."""
    most = max((number for _label, number in rows), default=0) or 1
    return format_html(
        '<ol class="chart-ranks">{}</ol>',
        format_html_join(
            "",
            '<li><span class="chart-rank">{}</span><svg height="10" aria-hidden="true" focusable="false">'
            '<rect width="{}%" height="10" rx="2" class="{}"></rect></svg><span class="num">{}</span></li>',
            ((label, f"{100 * number / most:.1f}", css, f"{number:,}") for label, number in rows),
        ),
    )
