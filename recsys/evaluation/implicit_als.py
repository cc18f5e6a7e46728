"""Alternating least squares for implicit feedback (Hu, Koren and Volinsky, ICDM 2008), by the package `implicit`."""

from collections.abc import Callable
from typing import Any

from threadpoolctl import threadpool_limits


def fitted_als(
    held: Any,
    *,
    factors: int,
    regularization: float,
    confidence: float,
    iterations: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> Any:
    """A model of what each row holds, (rows, items); `progress` is told how many iterations of how many are done.

    Raises:
        ModuleNotFoundError: `implicit` is not installed.
    """
    from implicit.cpu.als import AlternatingLeastSquares

    # Its own threads share the work: those of BLAS beside them cost more than they bring.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=confidence,
            iterations=iterations,
            random_state=seed,
        )
        model.fit(held, show_progress=False, callback=lambda done, *_: progress(done + 1, iterations))
    return model
