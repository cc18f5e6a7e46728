"""The methods that are measured against each other on a snapshot of graphs, by name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from recsys.device import Device
from recsys.evaluation.graph import GraphResult, Scorer, TruthOptions, check_truth, evaluate_graph
from recsys.evaluation.graph_baselines import DjNeighbours, OwnRepeats, Popularity, SongNeighbours
from recsys.evaluation.graph_factors import fit_als, fit_bpr, fit_lightgcn
from recsys.evaluation.graph_learned import ABLATIONS, PASSES, fit_blend, fit_mgccf
from recsys.evaluation.method_names import known_names
from recsys.progress import Progress, silent
from recsys.tracklists.graph_snapshot import GraphSnapshot
from recsys.tracklists.later import Later
from recsys.tracklists.mgccf import Part


@dataclass(frozen=True)
class Fitting:
    """How a method is fitted."""

    device: Device = "auto"
    seed: int = 0
    progress: Progress = silent


Fit = Callable[[GraphSnapshot, Fitting], Scorer]


def _ablation(without: tuple[Part, ...]) -> Fit:
    return lambda snapshot, how: fit_mgccf(snapshot, without, device=how.device, seed=how.seed, progress=how.progress)


METHODS: Mapping[str, Fit] = {
    "popularity": lambda snapshot, _: Popularity(snapshot),
    "own": lambda snapshot, _: OwnRepeats(snapshot),
    "own-90d": lambda snapshot, _: OwnRepeats(snapshot, 90),
    "dj-knn": lambda snapshot, _: DjNeighbours(snapshot),
    "item-knn": lambda snapshot, _: SongNeighbours(snapshot),
    "als": lambda snapshot, how: fit_als(snapshot, seed=how.seed, progress=how.progress),
    "bpr": lambda snapshot, how: fit_bpr(snapshot, seed=how.seed, progress=how.progress),
    "blend": lambda snapshot, how: fit_blend(snapshot, seed=how.seed, progress=how.progress),
    "lightgcn": lambda snapshot, how: fit_lightgcn(snapshot, device=how.device, seed=how.seed, progress=how.progress),
    **{name: _ablation(without) for name, without in ABLATIONS.items()},
    "sampled": lambda snapshot, how: fit_mgccf(
        snapshot, passes=PASSES, device=how.device, seed=how.seed, progress=how.progress
    ),
}
"""Fitted on a snapshot when they are asked for."""


DEFAULT_METHODS = tuple(name for name in METHODS if name not in ("lightgcn", *ABLATIONS, "sampled"))
"""The others take a GPU a minute and a processor hours."""


def chosen_methods(names: Iterable[str] = DEFAULT_METHODS) -> dict[str, Fit]:
    """What is measured, by the name that it has in tables.

    Raises:
        UnknownNameError: there is no such method.
    """
    return {name: METHODS[name] for name in known_names(names, METHODS)}


@dataclass(frozen=True)
class Measured:
    """What came of some methods."""

    results: list[GraphResult]
    missing: dict[str, str]
    """The package for want of which a method was left out, by the method."""


def measure(
    snapshot: GraphSnapshot,
    later: Later,
    methods: Mapping[str, Fit],
    options: TruthOptions | None = None,
    fitting: Fitting | None = None,
) -> Measured:
    """Fit one method after the other, and score its answers.

    Raises:
        NotReadyError: nothing that is held out can be measured.
    """
    fitting = fitting or Fitting()
    options = options or TruthOptions()
    check_truth(snapshot, later, options)
    results: list[GraphResult] = []
    missing: dict[str, str] = {}
    for name, fit in methods.items():
        fitting.progress(f"fitting {name}", 0, 0)
        try:
            scorer = fit(snapshot, fitting)
        except ModuleNotFoundError as error:
            missing[name] = error.name or str(error)
            continue
        results += evaluate_graph(snapshot, later, {name: scorer}, options, progress=fitting.progress)
    return Measured(results, missing)
