"""Clusters on a plane: every playlist or song a dot near those like it, as a PNG or as a page to point at."""

from __future__ import annotations

import colorsys
import html
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recsys.errors import SettingsError

DOTS = 3_000
"""What is drawn at most; of more, so many by chance."""

FEWEST_NAMED = 3
"""Dots that a cluster must have to be named among more than 500."""

ENDINGS = (".png", ".html")

_COMPONENTS = 50
"""Principal components that t-SNE reads."""

_PERPLEXITY = 30
_FEWEST_FOR_TSNE = 20


@dataclass(frozen=True)
class Words:
    """What a picture calls its dots, and what it says of clusters."""

    dots: str
    """In the plural, "playlists"."""
    dot_name: str
    """What a dot is called by, "title"."""
    names: str
    """What clusters are named by, "most frequent titles"."""
    measure: str
    """What is measured of clusters, "exact match"."""


@dataclass(frozen=True)
class Group:
    """A cluster; it is named by the first of its names."""

    number: int
    size: int
    measure: str
    names: Sequence[str]


@dataclass(frozen=True)
class Picture:
    """Dots on a plane, x and y between 0 and 1, with their clusters' numbers and their names."""

    places: npt.NDArray[np.float32]  # (dots, 2)
    numbers: npt.NDArray[np.int32]  # (dots,)
    names: list[str]
    clusters: Sequence[Group]
    """Those that any dot belongs to, largest first."""
    words: Words
    caption: str


def check_endings(paths: Sequence[Path]) -> None:
    """Refuse a file that cannot be drawn, before the work begins.

    Raises:
        SettingsError: its ending is neither .png nor .html, or its folder is not there.
    """
    for path in paths:
        if path.suffix.lower() not in ENDINGS:
            raise SettingsError(f"{path} cannot be drawn: name a file that ends in .png or .html")
        if not path.absolute().parent.is_dir():
            raise SettingsError(f"{path} cannot be written: there is no folder {path.absolute().parent}")


def make_picture(
    vectors: npt.NDArray[np.float32],
    numbers: npt.NDArray[np.int32],
    names: Sequence[str],
    clusters: Sequence[Group],
    words: Words,
    *,
    of: int | None = None,
    seed: int = 0,
) -> Picture:
    """Put vectors (dots, dimension) on a plane: principal components, then t-SNE. There may be more, `of` in all."""
    chosen = np.arange(len(vectors))
    if len(chosen) > DOTS:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, DOTS, replace=False))
    of = len(vectors) if of is None else of
    dots = f"{of:,}" if len(chosen) == of else f"{len(chosen):,} of {of:,}"
    shown = set(numbers[chosen].tolist())
    return Picture(
        _project(vectors[chosen], seed),
        numbers[chosen],
        [names[place] for place in chosen.tolist()],
        [cluster for cluster in clusters if cluster.number in shown],
        words,
        f"{dots} {words.dots}, {len(clusters):,} clusters, named by their {words.names}",
    )


def _project(vectors: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float32]:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    components = min(_COMPONENTS, *vectors.shape)
    with threadpool_limits(1):  # the same picture on any number of cores
        reduced = PCA(components, random_state=seed).fit_transform(vectors)
        if len(vectors) >= _FEWEST_FOR_TSNE:
            perplexity = min(_PERPLEXITY, len(vectors) // 4)
            reduced = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(reduced)
    places = np.zeros((len(vectors), 2), dtype=np.float32)
    places[:, : min(2, components)] = reduced[:, :2]
    spread = np.ptp(places, axis=0)
    return (places - places.min(axis=0)) / np.where(spread > 0, spread, 1)  # type: ignore[no-any-return]


def draw(path: Path, picture: Picture) -> None:
    """Write a picture to a file; its ending says how.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_bytes(to_png(picture) if path.suffix.lower() == ".png" else to_html(picture).encode())


def _colour(number: int) -> tuple[float, float, float]:
    """A colour that differs from those of the numbers next to it."""
    return colorsys.hls_to_rgb(number * 0.618034 % 1, (0.42, 0.55, 0.36)[number % 3], (0.75, 0.6)[number % 2])


# --- PNG -------------------------------------------------------------------------------------------------------


def to_png(picture: Picture) -> bytes:
    """The picture with the names of as many clusters as fit without touching, the largest first."""
    from matplotlib import patheffects
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 12), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.margins(0.02)
    colours = [_colour(number) for number in picture.numbers.tolist()]
    axes.scatter(
        picture.places[:, 0],
        picture.places[:, 1],
        s=22 if len(colours) > 500 else 40,
        c=colours,
        alpha=0.75,
        linewidths=0,
    )
    axes.set_title(picture.caption, loc="left", fontsize=14)
    canvas.draw()  # type: ignore[no-untyped-call]
    halo = patheffects.withStroke(linewidth=2.5, foreground="white")
    fewest = FEWEST_NAMED if len(colours) > 500 else 1
    taken: list[Any] = []
    for cluster in picture.clusters:
        dots = picture.places[picture.numbers == cluster.number]
        name = _drawable(cluster.names)
        if not name or len(dots) < fewest:
            continue
        centre = np.median(dots, axis=0)
        across, up = axes.transData.transform(centre)
        ink = [0.55 * part for part in _colour(cluster.number)]
        text = axes.text(0, 0, name, color=ink, fontsize=10, fontweight="bold", ha="center", va="center")
        text.set_path_effects([halo])
        text.set_parse_math(False)
        for lift in (0, 12, -12):
            x, y = axes.transData.inverted().transform((across, up + lift))
            text.set_position((x, y))
            box = text.get_window_extent().padded(2)
            if not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
        else:
            text.remove()
    written = BytesIO()
    figure.savefig(written, format="png")
    return written.getvalue()


def _drawable(names: Sequence[str]) -> str:
    """The first name that the font has letters for, without its other signs, and not too long."""
    from matplotlib.font_manager import findfont, get_font

    letters = get_font(findfont("DejaVu Sans")).get_charmap()
    for told in names:
        name = "".join(letter for letter in told if ord(letter) in letters).strip()
        if any(letter.isalnum() for letter in name):
            return name if len(name) <= 24 else f"{name[:23].rstrip()}…"
    return ""


# --- HTML ------------------------------------------------------------------------------------------------------


def to_html(picture: Picture) -> str:
    """A page that needs nothing else: point at a dot for its name and cluster, with a table of the clusters below."""
    known = {cluster.number: place for place, cluster in enumerate(picture.clusters)}
    data = {
        "x": picture.places[:, 0].round(4).tolist(),
        "y": picture.places[:, 1].round(4).tolist(),
        "cluster": [known[number] for number in picture.numbers.tolist()],
        "name": picture.names,
        "dots": picture.words.dots,
        "clusters": [
            {
                "number": cluster.number,
                "name": cluster.names[0] if cluster.names else "",
                "size": cluster.size,
                "colour": "#" + "".join(f"{round(255 * part):02x}" for part in _colour(cluster.number)),
            }
            for cluster in picture.clusters
        ],
    }
    rows = "\n".join(
        f"<tr data-cluster={place} tabindex=0>"
        f"<td>{cluster.number}<td>{cluster.size:,}<td>{html.escape(cluster.measure)}"
        f"<td>{html.escape(', '.join(cluster.names))}"
        for place, cluster in enumerate(picture.clusters)
    )
    page = (files("recsys.titles") / "cluster_picture.html").read_text(encoding="utf-8")
    # Inside a script element only "<" could end it.
    written = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"caption": html.escape(picture.caption), "rows": rows, "data": written, **asdict(picture.words)}
    return re.sub(rf"\{{({'|'.join(parts)})\}}", lambda found: parts[found[1]], page)
