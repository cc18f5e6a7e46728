"""The cross-entropy of a softmax over all songs, some positions at a time: all logits are never there at once."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

_LOGITS_AT_ONCE = 2**27
"""256 MB of bfloat16 numbers on a GPU, and"""
_LOGITS_AT_ONCE_ON_CPU = 2**23


def song_loss(read: Tensor, kernel: Tensor, bias: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """sum_i weights_i (log sum_s exp l_is - l_i,target(i)), l = read kernel^T + bias, with gradients to these three.

    The gradients are worked out with the loss. On a GPU the products are of bfloat16 numbers.

    Args:
        read: what stands at each position, (n, width).
        kernel: (songs, width).
        bias: (songs,).
        targets: rows of songs, (n,).
        weights: float32, (n,).
    """
    loss: Tensor = _SongLoss.apply(read, kernel, bias, targets, weights)  # type: ignore[no-untyped-call]
    return loss


class _SongLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, read: Tensor, kernel: Tensor, bias: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        songs, width = kernel.shape
        is_cuda = read.is_cuda
        dtype = torch.bfloat16 if is_cuda else read.dtype
        rows = max(64, (_LOGITS_AT_ONCE if is_cuda else _LOGITS_AT_ONCE_ON_CPU) // songs)
        # The bias is a column of the kernel, and what it is multiplied with is 1: sums over positions come with the
        # products. Sides are multiples of what the GPU's products like.
        side, tile = -(width + 1) % 8, -songs % 64 if is_cuda else 0
        told = pad(torch.cat([read, torch.ones_like(read[:, :1])], dim=1), (0, side)).to(dtype)
        narrow = pad(torch.cat([kernel, bias[:, None]], dim=1), (0, side, 0, tile)).to(dtype)
        losses, to_read, to_kernel = [], [], kernel.new_zeros(narrow.shape)
        for first in range(0, len(read), rows):
            part = told[first : first + rows]
            logits = part @ narrow.T  # (rows, songs and some more)
            losses.append(_softmax(logits, targets[first : first + rows], weights[first : first + rows], songs))
            to_read.append(logits @ narrow[:, :width])
            to_kernel += logits.T @ part
        told_apart = torch.cat(to_read).to(read.dtype), to_kernel[:songs, :width], to_kernel[:songs, width]
        ctx.save_for_backward(*told_apart)
        return torch.cat(losses).sum().to(read.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        to_read, to_kernel, to_bias = ctx.saved_tensors
        own = gradients[0]
        return to_read * own, to_kernel * own, to_bias * own, None, None


def _softmax(logits: Tensor, targets: Tensor, weights: Tensor, songs: int) -> Tensor:
    """Weighted cross-entropies of rows; their logits become the gradient."""
    if logits.is_cuda:
        from recsys.sequences.cluster_kernels import softmax_rows

        return softmax_rows(logits, targets, weights, songs)
    weights = weights.to(logits.dtype)
    log_total = torch.logsumexp(logits, dim=1)
    losses = weights * (log_total - logits.gather(1, targets[:, None])[:, 0])
    logits.sub_(log_total[:, None]).exp_()
    logits.scatter_add_(1, targets[:, None], torch.full_like(logits[:, :1], -1.0))
    logits.mul_(weights[:, None])
    return losses
