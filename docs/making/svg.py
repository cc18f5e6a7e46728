"""Pieces of a picture, on a ground of its own so that it can be read on a white page and on a dark one."""

from collections.abc import Iterable
from html import escape

INK, PALE, LINE, GROUND = "#1f2933", "#616e7c", "#9aa5b1", "#fbfbf8"
BLUE, ORANGE, GREEN = "#2f6fb2", "#c8681c", "#3f8f5f"


def picture(width: int, height: int, what: str, pieces: Iterable[str]) -> str:
    """A whole file; `what` is for those who cannot see it."""
    body = "\n".join(pieces)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="Helvetica, Arial, sans-serif">
<title>{escape(what)}</title>
<rect width="{width}" height="{height}" rx="10" fill="{GROUND}"/>
{body}
</svg>
"""


def text(
    x: float, y: float, words: str, *, colour: str = INK, size: int = 13, at: str = "start", bold: bool = False
) -> str:
    """Words, their base line at y; `at` is what of them stands at x: start, middle or end."""
    looks = f'fill="{colour}" font-size="{size}" text-anchor="{at}"' + (' font-weight="bold"' if bold else "")
    return f'<text x="{x:g}" y="{y:g}" {looks}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, *, colour: str = BLUE) -> str:
    """A frame."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{colour}" fill-opacity=".1"'
        f' stroke="{colour}"/>'
    )


def bar(x: float, y: float, width: float, *, colour: str = BLUE) -> str:
    """A bar, 10 high, its upper edge at y."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="10" rx="2" fill="{colour}"/>'


def line(x: float, y: float, to_x: float, to_y: float, *, colour: str = LINE, width: float = 1.5) -> str:
    """A curve that leaves and arrives level."""
    middle = (x + to_x) / 2
    return (
        f'<path d="M{x:g} {y:g} C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}" fill="none"'
        f' stroke="{colour}" stroke-width="{width:g}"/>'
    )


def dot(x: float, y: float, *, colour: str = BLUE) -> str:
    """A dot."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="5" fill="{colour}"/>'
