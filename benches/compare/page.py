"""The page of results, and the charts in docs/."""

import math
import re
from pathlib import Path

DOCS = Path("docs")
RESULTS = Path("benches/compare/RESULTS.md")
COLOURS = ["#2f81f7", "#d29922", "#3fb950", "#db61a2"]
# Grey that can be read on white and on black.
STYLE = "<style>text{font:13px system-ui,sans-serif;fill:#808890}.title{font-size:15px}.axis{stroke:#808890;stroke-opacity:.4}</style>"


def write(name, text, charts):
    """Put a part where the page has its marks."""
    begin, end = f"<!-- benches/compare/run --part {name} -->", "<!-- end -->"
    marks = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    old = RESULTS.read_text()
    assert marks.search(old), f"{RESULTS} has no {begin}"
    RESULTS.write_text(marks.sub(lambda _: "\n".join([begin, *text, end]), old))
    for file, svg in charts.items():
        (DOCS / file).write_text(svg)


def svg(width, height, title, parts):
    """A whole picture."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">'
    return "\n".join([head, STYLE, f'<text class="title" x="10" y="22">{title}</text>', *parts, "</svg>\n"])


def bars(groups, title):
    """Seconds of each method, on a logarithmic axis."""
    parts, y, left, width = [], 50, 330, 400
    seconds = [value for methods in groups.values() for value in methods.values()]
    low = 10 ** math.floor(math.log10(min(seconds)))
    scale = width / math.log10(max(seconds) / low)
    for group, methods in groups.items():
        parts.append(f'<text x="10" y="{y}">{group}</text>')
        for name, value in methods.items():
            label = {"bare": "bare reading of the rows"}.get(name, name)
            colour = COLOURS[0] if name.startswith("logout") else COLOURS[1] if name == "bare" else "#808890"
            length = max(2, math.log10(value / low) * scale)
            y += 24
            parts += [
                f'<text x="{left - 10}" y="{y}" text-anchor="end">{label}</text>',
                f'<rect x="{left}" y="{y - 13}" width="{length:.0f}" height="17" rx="2" fill="{colour}"/>',
                f'<text x="{left + length + 8:.0f}" y="{y}">{value:.2f} s</text>',
            ]
        y += 40
    parts.append(f'<text x="{left}" y="{y - 12}">seconds, logarithmic</text>')
    return svg(left + width + 90, y, title, parts)


def lines(series, title):
    """Microseconds a row by rows."""
    left, top, width, height = 60, 40, 560, 260
    rows = sorted({x for points in series.values() for x, _ in points})
    first, last = math.log10(rows[0]), math.log10(rows[-1])
    most = max(y for points in series.values() for _, y in points) * 1.1

    def place(x, y):
        across = (math.log10(x) - first) / ((last - first) or 1)
        return f"{left + across * width:.0f},{top + height - y / most * height:.0f}"

    parts = [f'<path class="axis" fill="none" d="M{left},{top}V{top + height}H{left + width}"/>']
    for x in rows:
        parts.append(f'<text x="{place(x, 0).split(",")[0]}" y="{top + height + 20}" text-anchor="middle">{x:,}</text>')
    for share in (0.25, 0.5, 0.75, 1):
        y = most * share
        parts.append(f'<text x="{left - 8}" y="{place(rows[0], y).split(",")[1]}" text-anchor="end">{y:.2f}</text>')
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(place(*point) for point in points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>')
        parts += [f'<circle r="3.5" fill="{colour}" cx="{at.split(",")[0]}" cy="{at.split(",")[1]}"/>' for at in path.split()]
        x, y = 10 + 320 * (number % 2), top + height + 48 + 22 * (number // 2)
        parts += [
            f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>',
            f'<text x="{x + 20}" y="{y}">{name}</text>',
        ]
    return svg(left + width + 40, top + height + 90, title, parts)
