"""What an encoder in training is worth on the validation part: accuracy of a head, and the vote's R-precision."""

from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.evaluation import BaseEvaluator

from recsys.titles.finetune_data import Examples, Integers, Tokens, playlist_songs, title_songs
from recsys.titles.finetune_losses import TitleLoss
from recsys.titles.snapshot import TitleSnapshot

NEIGHBOURS = 100
TEMPERATURE = 0.1

_BATCH = {"cpu": 64, "cuda": 4096}


def encode_titles(model: SentenceTransformer, tokens: Tokens, titles: Integers) -> torch.Tensor:
    """Unit vectors (titles, dimension), float32, on the model's device; titles of like length share a batch."""
    device = model.device
    order = titles[np.argsort(tokens.lengths[titles], kind="stable")]
    size = _BATCH.get(device.type, 64)
    was_training = model.training
    model.eval()
    with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext():
        parts = []
        for start in range(0, len(order), size):
            features = {name: ids.to(device) for name, ids in tokens.batch(order[start : start + size]).items()}
            parts.append(torch.nn.functional.normalize(model(features)["sentence_embedding"].float(), dim=1))
    model.train(was_training)
    vectors = torch.empty((len(titles), parts[0].shape[1]), device=device)
    vectors[torch.from_numpy(np.argsort(tokens.lengths[titles], kind="stable")).to(device)] = torch.cat(parts)
    return vectors


class ValidationScores(BaseEvaluator):
    """Scores on the validation part. With classes: accuracy, every epoch; without: R-precision of the vote.

    The vote is a plain one, the same for every loss: the nearest train titles vote for their playlists' songs. It is
    no substitute for `recsys evaluate titles`, which asks the database.
    """

    def __init__(
        self, snapshot: TitleSnapshot, tokens: Tokens, examples: Examples, loss: TitleLoss, playlists: int, seed: int
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.primary_metric: str = "r_precision" if examples.classes is None or loss.head is None else "accuracy"
        self._tokens = tokens
        self._loss = loss
        validation = snapshot.of_part("validation")
        self._titles = self._labels = np.empty(0, dtype=np.int64)
        if examples.classes is not None:
            number = np.full(int(max(snapshot.cluster.max(), 0)) + 2, -1, dtype=np.int64)
            number[examples.classes] = np.arange(len(examples.classes))
            labels = number[snapshot.cluster[validation]]
            self._titles = snapshot.title[validation[labels >= 0]].astype(np.int64)
            self._labels = labels[labels >= 0]
        self._vote = None
        if len(snapshot.tracks) and len(validation):
            asked = np.sort(np.random.default_rng(seed).permutation(validation)[:playlists])
            self._vote = _Vote(snapshot, tokens, asked)

    @property
    def is_possible(self) -> bool:
        """Whether there is something to score."""
        return bool(len(self._labels)) if self.primary_metric == "accuracy" else self._vote is not None

    def __call__(  # type: ignore[override]
        self, model: SentenceTransformer, output_path: str | None = None, epoch: int = -1, steps: int = -1
    ) -> dict[str, float]:
        """The primary metric, and the loss where it is accuracy."""
        scores = self.accuracy(model) if self.primary_metric == "accuracy" else self.r_precision(model)
        self.store_metrics_in_model_card_data(model, scores, epoch, steps)
        return scores

    def accuracy(self, model: SentenceTransformer) -> dict[str, float]:
        """How often the head names the playlist's own class first, and its cross-entropy; each title encoded once."""
        titles, inverse = np.unique(self._titles, return_inverse=True)
        with torch.inference_mode():
            chances = self._loss.outputs(encode_titles(model, self._tokens, titles)).log_softmax(dim=1)
            rows, labels = (torch.from_numpy(values).to(chances.device) for values in (inverse, self._labels))
            is_right = chances.argmax(dim=1)[rows] == labels
            return {
                "accuracy": is_right.float().mean().item(),
                "cross_entropy": -chances[rows, labels].mean().item(),
            }

    def r_precision(self, model: SentenceTransformer) -> dict[str, float]:
        """Mean R-precision over songs of the validation playlists that are asked; nothing where there are none."""
        return {} if self._vote is None else {"r_precision": self._vote.r_precision(model)}


class _Vote:
    def __init__(self, snapshot: TitleSnapshot, tokens: Tokens, asked: Integers) -> None:
        train = snapshot.of_part("train")
        self._tokens = tokens
        self._voters = np.unique(snapshot.title[train]).astype(np.int64)
        playlists = np.bincount(snapshot.title[train], minlength=len(snapshot.titles))[self._voters]
        counts = title_songs(snapshot, train)[self._voters]
        self._profiles = sparse.diags(1 / np.sqrt(playlists)).astype(np.float32) @ counts
        self._asked, self._of_asked = np.unique(snapshot.title[asked].astype(np.int64), return_inverse=True)
        self._answers = playlist_songs(snapshot)[asked]

    def r_precision(self, model: SentenceTransformer) -> float:
        voters = encode_titles(model, self._tokens, self._voters)
        nearest, places = (encode_titles(model, self._tokens, self._asked) @ voters.T).topk(
            min(NEIGHBOURS, len(self._voters)), dim=1
        )
        weights = ((nearest - nearest[:, :1]) / TEMPERATURE).exp().cpu().numpy()
        starts = np.arange(len(self._asked) + 1) * weights.shape[1]
        shape = (len(self._asked), len(self._voters))
        heard = sparse.csr_matrix((weights.ravel(), places.cpu().numpy().ravel(), starts), shape=shape)
        votes = (heard @ self._profiles).tocsr()
        return float(np.mean([self._precision(votes, row) for row in range(self._answers.shape[0])]))

    def _precision(self, votes: Any, row: int) -> float:
        answers = _entries(self._answers, row)[0]
        songs, weights = _entries(votes, int(self._of_asked[row]))
        best = songs[np.lexsort((songs, -weights))[: len(answers)]]
        return len(np.intersect1d(best, answers)) / len(answers)


def _entries(matrix: Any, row: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    own = slice(matrix.indptr[row], matrix.indptr[row + 1])
    return matrix.indices[own], matrix.data[own]
