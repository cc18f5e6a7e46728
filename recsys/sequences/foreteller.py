"""A trained network that foretells the next song without knowing its clusters: it sums over them."""

import torch
from torch import Tensor

from recsys.sequences.encoders import EncoderState, RecurrentEncoder
from recsys.sequences.sequence_module import Frozen, Predictor

SONGS = -1
"""The level below that of the first clusters."""

_LOGITS_AT_ONCE = 2**26

_LEAST_CHANCE = 1e-38
"""So that no logarithm is of 0."""


class Foreteller:
    """Tensors in and out, on the network's device, without a gradient."""

    def __init__(self, predictor: Predictor, frozen: Frozen) -> None:
        self.predictor, self.frozen = predictor.eval(), frozen
        self.levels = len(frozen.features)

    @torch.inference_mode()
    def read(self, inputs: Tensor, djs: Tensor, quarters: Tensor | None = None) -> Tensor:
        """States (n, steps, width) after each of the inputs (n, steps), by default of the latest quarter."""
        quarters = self._latest(djs) if quarters is None else quarters
        return self.predictor.read(self.frozen.inputs[inputs], djs, quarters)

    @torch.inference_mode()
    def step(self, state: EncoderState | None, inputs: Tensor, djs: Tensor) -> EncoderState:
        """The state after one more input (n,)."""
        encoder = self.predictor.encoder
        if not isinstance(encoder, RecurrentEncoder):
            read = inputs[:, None] if state is None else torch.cat([state.songs, inputs[:, None]], dim=1)
            # The filler in front stays; of the songs as many as there are places.
            places = len(encoder.position)
            read = read if read.shape[1] <= places else torch.cat([read[:, :1], read[:, 1 - places :]], dim=1)
            return EncoderState(self.read(read, djs)[:, -1], None, read)
        before, after = self.predictor.context(djs, self._latest(djs))
        told = self.frozen.inputs[inputs]
        empty = told.new_zeros(len(inputs), encoder.width)
        inner = (empty, empty) if state is None or state.inner is None else state.inner
        inner = encoder.step(told if before is None else told + before, inner)
        return EncoderState(inner[0] if after is None else inner[0] + after, inner, inputs[:, None])

    @torch.inference_mode()
    def cluster_logits(self, hidden: Tensor, level: int, teacher: Tensor | None) -> Tensor:
        """(n, k_level) of states (n, width), given clusters (n,) of the level above; the top level has none."""
        features = self.frozen.features
        return self.predictor.mixed(hidden, level, features, teacher) @ features[level].T

    @torch.inference_mode()
    def song_logits(self, hidden: Tensor, teacher: Tensor | None, songs: Tensor | None = None) -> Tensor:
        """(n, songs), given clusters (n,) of the lowest level, where there are any; of all songs or of some rows."""
        z = self.predictor.mixed(hidden, SONGS, self.frozen.features, teacher) if self.levels else hidden
        kernel, bias = self.frozen.kernel, self.frozen.bias
        if songs is not None:
            kernel, bias = kernel[songs], bias[songs]
        return torch.addmm(bias, z, kernel.T)

    def narrowed(self, songs: Tensor) -> "Foreteller":
        """The same network, whose song logits are of some songs."""
        frozen = self.frozen._replace(kernel=self.frozen.kernel[songs], bias=self.frozen.bias[songs])
        return Foreteller(self.predictor, frozen)

    @torch.inference_mode()
    def next_scores(self, hidden: Tensor, beam: int) -> Tensor:
        """Log probabilities (n, songs), summed over the clusters of a beam.

        From the top level down the `beam` most probable clusters of a level are kept, where the probability of a
        cluster is summed over the kept ones above, and counted as if there were no others; a beam of all clusters
        makes it the exact sum.
        """
        if not self.levels:
            return torch.log_softmax(self.song_logits(hidden, None), dim=1)
        chosen, chances = self._clusters(hidden, beam)  # (n, kept)
        rows = max(1, _LOGITS_AT_ONCE // len(self.frozen.kernel))
        summed = torch.zeros((len(hidden), len(self.frozen.kernel)), device=hidden.device)
        for first in range(0, len(hidden), rows):
            part = slice(first, first + rows)
            for place in range(chosen.shape[1]):
                own = torch.softmax(self.song_logits(hidden[part], chosen[part, place]), dim=1)
                summed[part].addcmul_(own, chances[part, place, None].exp())
        return summed.clamp_(min=_LEAST_CHANCE).log_()

    def _clusters(self, hidden: Tensor, beam: int) -> tuple[Tensor, Tensor]:
        """Clusters of the lowest level that a beam keeps and the logs of their probabilities, each (n, kept)."""
        top = self.levels - 1
        scores = torch.log_softmax(self.cluster_logits(hidden, top, None), dim=1)
        chosen, chances = _kept(scores, beam)
        for level in range(top - 1, -1, -1):
            count, kept = chosen.shape
            repeated = hidden[:, None].expand(-1, kept, -1).flatten(0, 1)
            below = torch.log_softmax(self.cluster_logits(repeated, level, chosen.flatten()), dim=1)
            scores = torch.logsumexp(below.view(count, kept, -1) + chances[..., None], dim=1)
            chosen, chances = _kept(scores, beam)
        return chosen, chances

    def _latest(self, djs: Tensor) -> Tensor:
        return torch.full_like(djs, self.predictor.sizes.quarters - 1)


def _kept(scores: Tensor, beam: int) -> tuple[Tensor, Tensor]:
    best = torch.topk(scores, min(beam, scores.shape[1]), dim=1)
    return best.indices, torch.log_softmax(best.values, dim=1)
