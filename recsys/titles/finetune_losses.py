"""What fine-tuning minimises. Titles are encoded by the encoder's own pooling, in training as in use."""

from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import BatchAllTripletLoss, MultipleNegativesRankingLoss
from torch import Tensor, nn

from recsys.errors import EncoderError
from recsys.titles.finetune import Loss
from recsys.titles.finetune_data import Examples


class TitleLoss(nn.Module):
    """Base of the losses: they take a batch of `TitleCollator`."""

    citation = """
@inproceedings{charoloispasqua2025playlists,
    title = "A Language Model-Based Playlist Generation Recommender System",
    author = "Charolois-Pasqua and Vellard and Rebboud and Lisena and Troncy",
    booktitle = "Proceedings of the Nineteenth ACM Conference on Recommender Systems",
    year = "2025",
    doi = "10.1145/3705328.3748053",
}
"""

    def __init__(self, model: SentenceTransformer, head_size: int | None = None) -> None:
        super().__init__()
        self.model = model
        dimension = dimension_of(model)
        self.scale = float(dimension**0.5)
        self.head = None if head_size is None else nn.Linear(dimension, head_size, device=model.device)
        if self.head is not None:
            for parameter in self.head.parameters():
                parameter.register_post_accumulate_grad_hook(_average_over_processes)  # type: ignore[no-untyped-call]

    def vectors(self, features: list[dict[str, Tensor]]) -> Tensor:
        """Unit vectors of the batch's titles: (titles, dimension)."""
        encoded = self.model(features[0])["sentence_embedding"]
        return nn.functional.normalize(encoded, dim=1)

    def outputs(self, vectors: Tensor) -> Tensor:
        """What the head makes of unit vectors, brought to unit variance: (titles, outputs), float32."""
        if self.head is None:
            raise TypeError(f"{type(self).__name__} has no head")
        return self.head(vectors * self.scale).float()  # type: ignore[no-any-return]


def dimension_of(model: SentenceTransformer) -> int:
    """The size of an encoder's vectors."""
    dimension = model.get_embedding_dimension()
    if dimension is None:
        raise EncoderError("the encoder does not say what size its vectors have: use another one with --encoder")
    return dimension


def _average_over_processes(parameter: Tensor) -> None:
    """Average a head's gradient over processes: the trainer does so for the encoder alone."""
    if parameter.grad is not None and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(parameter.grad)
        parameter.grad /= torch.distributed.get_world_size()


class ClassLoss(TitleLoss):
    """Cross-entropy of a softmax over classes: clusters (FT-C), or the songs of a title's playlists."""

    def forward(self, features: list[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """The mean over examples; labels are (examples, 2): row of the title, class."""
        chances = nn.functional.log_softmax(self.outputs(self.vectors(features)), dim=1)  # (titles, classes)
        return -chances[labels[:, 0], labels[:, 1]].mean()


class FactorLoss(TitleLoss):
    """One minus the cosine of what the head makes of a title and the mean factor of its playlists."""

    def __init__(self, model: SentenceTransformer, factors: Tensor) -> None:
        super().__init__(model, factors.shape[1])
        self.register_buffer("factors", factors, persistent=False)

    def forward(self, features: list[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """The mean over examples; labels are (examples, 2): row of the title, place of its factor."""
        outputs = self.outputs(self.vectors(features))[labels[:, 0]]  # (examples, factors)
        return 1 - nn.functional.cosine_similarity(outputs, self.factors[labels[:, 1]]).mean()  # type: ignore[index]


class VectorLoss(TitleLoss):
    """A loss of sentence-transformers over the vectors of a batch: batch-all triplets, or multiple negatives."""

    def __init__(self, model: SentenceTransformer, over: nn.Module) -> None:
        super().__init__(model)
        self.over = over

    @property
    def citation(self) -> str:  # type: ignore[override]
        """The citation of the loss."""
        return str(self.over.citation)

    def get_config_dict(self) -> dict[str, Any]:
        """What the model card says of the loss."""
        return {"over": type(self.over).__name__, **self.over.get_config_dict()}  # type: ignore[operator]

    def forward(self, features: list[dict[str, Tensor]], labels: Tensor) -> Tensor:
        """The loss; labels are (examples, columns + 1): rows of an example's titles, class."""
        vectors = self.vectors(features)
        columns = [vectors[labels[:, column]] for column in range(labels.shape[1] - 1)]
        return self.over.compute_loss_from_embeddings(columns, labels[:, -1])  # type: ignore[operator, no-any-return]


def make_loss(model: SentenceTransformer, loss: Loss, examples: Examples, *, margin: float, scale: float) -> TitleLoss:
    """The loss of this name for these examples; a head is new, and drawn from torch's generator."""
    if loss == "triplet":
        return VectorLoss(model, BatchAllTripletLoss(model, margin=margin))
    if loss in ("contrastive", "co-occurrence"):
        return VectorLoss(model, MultipleNegativesRankingLoss(model, scale=scale))
    if examples.factors is not None:
        return FactorLoss(model, torch.from_numpy(examples.factors))
    return ClassLoss(model, examples.head_size)
