"""The methods that foretell the next song and are measured against each other, by name."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from recsys.errors import NotReadyError
from recsys.evaluation.method_names import known_names
from recsys.evaluation.next_baselines import (
    AssociationRules,
    DjPopularity,
    NearestTracklists,
    Past,
    Popularity,
    SequentialRules,
    WeightedNearestTracklists,
)
from recsys.evaluation.next_learned import GrownOnce
from recsys.evaluation.next_song import (
    NextSongMethod,
    NextSongOptions,
    NextSongResult,
    Ranks,
    ask,
    asked_tracklists,
    draw_positions,
    orders,
    score_method,
)
from recsys.progress import Progress, silent
from recsys.sequences.next_channels import CHANNELS
from recsys.tracklists.running_order import UNKNOWN, RunningOrder

Fit = Callable[[RunningOrder, Past], NextSongMethod]


def _as_it_is(fit: Fit) -> Callable[[], Fit]:
    return lambda: fit


METHODS: Mapping[str, Callable[[], Fit]] = {
    "popularity": _as_it_is(lambda _, past: Popularity(past)),
    "dj-popularity": _as_it_is(DjPopularity),
    "ar": _as_it_is(lambda _, past: AssociationRules(past)),
    "sr": _as_it_is(SequentialRules),
    "sknn": _as_it_is(lambda _, past: NearestTracklists(past)),
    "vsknn": _as_it_is(lambda _, past: WeightedNearestTracklists(past)),
    "next": GrownOnce,
    **{f"no-{channel}": partial(GrownOnce, (channel,)) for channel in CHANNELS},
}
"""How each is made from the past's tracklists, anew for a run; `no-` is `next` without a channel."""

DEFAULT_METHODS = tuple(name for name in METHODS if not name.startswith("no-"))


def chosen_methods(names: Iterable[str] = DEFAULT_METHODS) -> dict[str, Fit]:
    """What is measured, by the name that it has in tables.

    Raises:
        UnknownNameError: there is no such method.
    """
    return {name: METHODS[name]() for name in known_names(names, METHODS)}


def measure(
    order: RunningOrder,
    methods: Mapping[str, Fit],
    options: NextSongOptions | None = None,
    progress: Progress = silent,
) -> list[NextSongResult]:
    """Fit every method and score its answers, all at the same positions; the two views of one method in a row.

    Raises:
        NotReadyError: no later tracklist goes on with a known song.
    """
    options = options or NextSongOptions()
    lists = len(asked_tracklists(order.later, options.days))
    answered: dict[str, list[Ranks]] = {name: [] for name in methods}
    is_known = False
    for each in orders(order, options):
        share = len(each.later) / max(lists, 1)
        positions = draw_positions(each, replace(options, tracklists=math.ceil(share * options.tracklists)))
        is_known |= bool((positions.targets != UNKNOWN).any())
        past = Past(each, options.least_plays)
        for name, fit in methods.items():
            progress(f"fitting {name}", 0, 0)
            answered[name].append(ask(each, positions, fit(each, past), options, progress, name))
    if not is_known:
        raise NotReadyError(
            "nothing that is held out can be measured: no later tracklist goes on with a song of"
            f" {options.least_plays} plays"
        )
    return [result for name, ranks in answered.items() for result in score_method(name, ranks)]
