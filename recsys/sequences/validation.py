"""How well a sequence network foretells the songs of tracklists that it was not trained on."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from recsys.sequences.foreteller import SONGS, Foreteller
from recsys.sequences.hierarchy import song_assignments
from recsys.sequences.sequence_data import Part

POSITIONS = 4096
"""That are foretold at most, drawn once."""
BEAM = 8
CUTOFF = 20

_POSITIONS_AT_ONCE = 512


class Validation:
    """Positions whose songs are known, after at least one song."""

    def __init__(self, part: Part, device: torch.device) -> None:
        """Draw positions of the sub-lists."""
        row, step = np.nonzero(part.steps.is_known[:, 1:])
        drawn = np.random.default_rng(0).permutation(len(row))[:POSITIONS]
        self.rows = row[drawn]
        """The sub-list of each position."""
        rows, place = np.unique(self.rows, return_inverse=True)
        self._inputs = torch.from_numpy(part.steps.inputs[rows]).to(device)
        self._djs = torch.from_numpy(part.djs[rows]).to(device)
        self._quarters = torch.from_numpy(part.quarters[rows]).to(device)
        self._place = torch.from_numpy(place).to(device)
        self._step = torch.from_numpy(step[drawn] + 1).to(device)
        self._targets = torch.from_numpy(part.steps.targets[row[drawn], step[drawn] + 1]).to(device)

    def measured(self, foreteller: Foreteller) -> dict[str, float]:
        """HR@20 and MRR@20 of the next song, and by level the accuracy with true parents and without.

        The true cluster of a song is its most probable one. Without true parents each level takes the most probable
        cluster of the level above. Empty where there is nothing to validate.
        """
        if not len(self._targets):
            return {}
        hidden = self._hidden(foreteller)
        measured: dict[str, Tensor] = {}
        ranks = []
        for part, targets in self._parts(hidden):
            scores = foreteller.next_scores(part, BEAM)
            own = scores.gather(1, targets[:, None])
            ranks.append(1 + (scores > own).sum(dim=1))
        rank = torch.cat(ranks)
        is_hit = rank <= CUTOFF
        measured["hit_20"] = is_hit.double().mean()
        measured["mrr_20"] = torch.where(is_hit, 1 / rank.double(), 0).mean()
        if foreteller.levels:
            assignments = foreteller.frozen.assignments
            clusters = [song_assignments(assignments, level).argmax(dim=1) for level in range(foreteller.levels)]
            hits = self._level_hits(foreteller, hidden, clusters)
            measured |= {name: is_hit.double().mean() for name, is_hit in hits.items()}
        return {f"validation.{name}": float(value) for name, value in measured.items()}

    def level_hits(self, foreteller: Foreteller, clusters: Sequence[Tensor]) -> dict[str, Tensor]:
        """Whether each position's cluster is foretold, and its song, `given` true parents and `alone`.

        Args:
            foreteller: of at least one level of clusters.
            clusters: the true one of each song, (songs,), by level from the songs upwards.
        """
        return self._level_hits(foreteller, self._hidden(foreteller), clusters)

    def _hidden(self, foreteller: Foreteller) -> Tensor:
        return foreteller.read(self._inputs, self._djs, self._quarters)[self._place, self._step]

    def _level_hits(self, foreteller: Foreteller, hidden: Tensor, clusters: Sequence[Tensor]) -> dict[str, Tensor]:
        hits: dict[str, list[Tensor]] = {}
        for part, targets in self._parts(hidden):
            given: Tensor | None = None
            alone: Tensor | None = None
            for level in range(foreteller.levels - 1, SONGS - 1, -1):
                name = "songs" if level == SONGS else f"clusters_{level}"
                own = targets if level == SONGS else clusters[level][targets]
                for kind, teacher in (("given", given), ("alone", alone)):
                    if level == SONGS:
                        best = foreteller.song_logits(part, teacher).argmax(dim=1)
                    else:
                        best = foreteller.cluster_logits(part, level, teacher).argmax(dim=1)
                    hits.setdefault(f"{kind}_{name}", []).append(best == own)
                    alone = best if kind == "alone" else alone
                given = own
        return {name: torch.cat(found) for name, found in hits.items()}

    def _parts(self, hidden: Tensor) -> list[tuple[Tensor, Tensor]]:
        parts = (torch.split(hidden, _POSITIONS_AT_ONCE), torch.split(self._targets, _POSITIONS_AT_ONCE))
        return list(zip(*parts, strict=True))
