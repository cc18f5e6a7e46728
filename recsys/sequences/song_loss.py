"""The cross-entropy of a softmax over all songs, some positions at a time: all logits are never there at once."""

from typing import Any

import torch
from torch import Tensor

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
        songs = len(kernel)
        is_cuda = read.is_cuda
        dtype = torch.bfloat16 if is_cuda else read.dtype
        rows = max(64, (_LOGITS_AT_ONCE if is_cuda else _LOGITS_AT_ONCE_ON_CPU) // songs)
        told, narrow, shift = read.to(dtype), kernel.to(dtype), bias.to(dtype)
        losses, to_read = [], []
        to_kernel, to_bias = torch.zeros_like(kernel), torch.zeros_like(bias)
        for first in range(0, len(read), rows):
            part = told[first : first + rows]
            logits = torch.addmm(shift, part, narrow.T)  # (rows, songs)
            losses.append(_softmax(logits, targets[first : first + rows], weights[first : first + rows]))
            to_read.append(logits @ narrow)
            to_kernel += logits.T @ part
            to_bias += logits.sum(dim=0, dtype=to_bias.dtype)
        ctx.save_for_backward(torch.cat(to_read).to(read.dtype), to_kernel, to_bias)
        return torch.cat(losses).sum().to(read.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        to_read, to_kernel, to_bias = ctx.saved_tensors
        own = gradients[0]
        return to_read * own, to_kernel * own, to_bias * own, None, None


def _softmax(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross-entropies of rows; their logits become the gradient."""
    if logits.is_cuda:
        from recsys.sequences.cluster_kernels import softmax_rows

        return softmax_rows(logits, targets, weights)
    weights = weights.to(logits.dtype)
    log_total = torch.logsumexp(logits, dim=1)
    losses = weights * (log_total - logits.gather(1, targets[:, None])[:, 0])
    logits.sub_(log_total[:, None]).exp_()
    logits.scatter_add_(1, targets[:, None], torch.full_like(logits[:, :1], -1.0).expand(len(targets), 1))
    logits.mul_(weights[:, None])
    return losses
