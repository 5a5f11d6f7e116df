# SPDX-License-Identifier: Apache-2.0
"""Line charts as SVG, with logarithmic axes."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 70, 190, 40, 50
COLOURS = ("#555555", "#0072b2", "#56b4e9", "#d55e00", "#cc79a7")


def decades(low, high):
    return [10.0 ** power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def number(value):
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def chart(title, x_label, y_label, places, series):
    """places: the names along x, evenly spaced. series: {name: [y, or None]}."""
    values = [y for line in series.values() for y in line if y]
    ticks = decades(min(values), max(values))
    low, high = math.log10(ticks[0]), math.log10(ticks[-1])

    def x_of(i):
        return LEFT + (WIDTH - LEFT - RIGHT) * (i + 0.5) / len(places)

    def y_of(value):
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(value) - low) / (high - low)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
             f'font-size="13"><rect width="100%" height="100%" fill="white"/>',
             f'<text x="{LEFT}" y="24" font-size="16">{escape(title)}</text>',
             f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>',
             f'<text transform="translate(16 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>']
    for tick in ticks:
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_of(tick):.1f}" y2="{y_of(tick):.1f}" '
                     f'stroke="#dddddd"/><text x="{LEFT - 6}" y="{y_of(tick) + 4:.1f}" text-anchor="end">'
                     f'{number(tick)}</text>')
    for i, place in enumerate(places):
        parts.append(f'<text x="{x_of(i):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{escape(place)}</text>')
    for k, (name, line) in enumerate(series.items()):
        colour = COLOURS[k % len(COLOURS)]
        points = [(x_of(i), y_of(y)) for i, y in enumerate(line) if y]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        legend = TOP + 20 + 22 * k
        parts.append(f'<rect x="{WIDTH - RIGHT + 14}" y="{legend - 10}" width="12" height="12" fill="{colour}"/>'
                     f'<text x="{WIDTH - RIGHT + 32}" y="{legend}">{escape(name)}</text>')
    return "\n".join(parts) + "\n</svg>\n"
