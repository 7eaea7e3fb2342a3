"""What arrays amount to: moments and extremes, and how well one predicts another."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Describe:
    """Number, moments and extremes of some values; prints as five lines.

    Args:
        count (int): how many values.
        mean (float or ndarray): their mean, ``[...]``: the shape of the values without the axis.
        std (float or ndarray): ``[...]``, the population standard deviation (divided by ``count``).
        min (float or ndarray): ``[...]``, the smallest value, of the type of the values.
        max (float or ndarray): ``[...]``, the largest.
        repr_indent (int): number of tabs before each line.
        repr_prefix (str, optional): stands before the first line, such as a line break.
    """

    count: int
    mean: float
    std: float
    min: float
    max: float
    repr_indent: int = 0
    repr_prefix: str | None = None

    def __repr__(self):
        tabs = "\t" * self.repr_indent
        names = ("count", "mean", "std", "min", "max")
        return (self.repr_prefix or "") + "\n".join(
            f"{tabs}{name}: {getattr(self, name)}" for name in names
        )


def describe(x, axis=-1, repr_indent=0, repr_prefix=None):
    """Describe the values of ``x`` along an axis.

    Args:
        x (ndarray): ``[..., N, ...]``, real numbers; or None.
        axis (int): along which the values stand.
        repr_indent (int): see :class:`Describe`.
        repr_prefix (str, optional): likewise.

    Returns:
        Describe: with numbers if ``x`` has one dimension, arrays otherwise; moments are computed
        in float64. None if ``x`` is None or empty.

    Raises:
        ValueError: if ``x`` has no such axis.

    Example:
        >>> describe([1, 2, 3, 4])
        count: 4
        mean: 2.5
        std: 1.118033988749895
        min: 1
        max: 4
    """
    if x is None:
        return None
    x = np.asarray(x)
    if x.size == 0:
        return None
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"describe: x has shape {x.shape}; expected an axis {axis!r}")
    values = (
        x.mean(axis, dtype=np.float64),
        x.std(axis, dtype=np.float64),
        x.min(axis),
        x.max(axis),
    )
    if x.ndim == 1:
        values = (value.item() for value in values)
    return Describe(x.shape[axis], *values, repr_indent, repr_prefix)


def explained_variance(y_true, y_pred, *, sample_weight=None, multioutput="uniform_average"):
    r"""Fraction of the variance of ``y_true`` that ``y_pred`` explains.

    .. math::
        EV(y, \hat y) = 1 - \frac{\mathrm{Var}(y - \hat y)}{\mathrm{Var}(y)}

    1 is a perfect prediction up to a constant, 0 what a constant prediction gives, and below 0 it
    is worse than that.  Where ``y_true`` is constant: 1 if the error is constant too, else 0.
    Axes of size 1 are dropped first.

    Args:
        y_true (ndarray): ``[N]``, or ``[N, K]`` for ``K`` outputs.
        y_pred (ndarray): as ``y_true``, the prediction.
        sample_weight (ndarray, optional): ``[N]`` weights, not negative, not all zero.
        multioutput (str or ndarray): over the outputs, ``"uniform_average"``,
            ``"variance_weighted"`` (by the variance of ``y_true``) or an average with the weights
            ``[K]``; ``"raw_values"`` for no average.

    Returns:
        float: the average; an ndarray ``[K]`` with ``"raw_values"``.  NaN if a number is not
        finite.

    Raises:
        ValueError: if shapes do not fit, there are no samples, or an argument is out of range.

    Example:
        >>> explained_variance(y_true=[3, -0.5, 2, 7], y_pred=[2.5, 0.0, 2, 8])
        0.9571734475374732
        >>> explained_variance(y_true=[[3, -0.5, 2, 7]], y_pred=[[2.5, 0.0, 2, 8]])
        0.9571734475374732
        >>> explained_variance([[0.5, 1], [-1, 1], [7, -6]], [[0, 2], [-1, 2], [8, -5]])
        0.9838709677419355
        >>> explained_variance([[0.5, 1], [-1, 10], [7, -6]], [[0, 2], [-1, 0.00005], [8, -5]])
        0.6704023148857179
    """
    y_true, y_pred = (np.squeeze(np.asarray(y, np.float64)) for y in (y_true, y_pred))
    if y_true.shape != y_pred.shape or y_true.ndim > 2 or y_true.size == 0:
        raise ValueError(
            f"explained_variance: y_true has shape {y_true.shape} and y_pred {y_pred.shape}, "
            "without axes of size 1; expected [N] or [N, K], the same for both"
        )
    N = len(y_true) if y_true.ndim else 1
    y_true, y_pred = y_true.reshape(N, -1), y_pred.reshape(N, -1)  # [N, K]
    w = np.ones(N) if sample_weight is None else _weights("sample_weight", sample_weight, N)
    with np.errstate(all="ignore"):  # 0 / 0, and what is not finite gives NaN
        unexplained, variance = _variance(y_true - y_pred, w), _variance(y_true, w)  # [K]
        scores = 1.0 - unexplained / variance
    scores = np.where(variance == 0, np.where(unexplained > 0, 0.0, 1.0 - unexplained), scores)
    if not isinstance(multioutput, str):
        return float(np.average(scores, weights=_weights("multioutput", multioutput, len(scores))))
    if multioutput == "raw_values":
        return scores
    if multioutput == "uniform_average" or (
        multioutput == "variance_weighted" and not variance.any()
    ):
        return float(scores.mean())
    if multioutput == "variance_weighted":
        return float(np.average(scores, weights=variance))
    raise ValueError(
        f"explained_variance: multioutput is {multioutput!r}; expected 'uniform_average', "
        "'variance_weighted', 'raw_values' or weights"
    )


def _variance(y, weights):
    y = y - y[weights.argmax()]  # what does not vary is exactly zero from here on
    mean = np.average(y, axis=0, weights=weights)
    return np.average(np.square(y - mean), axis=0, weights=weights)


def _weights(name, x, size):
    weights = np.asarray(x, np.float64)
    if weights.shape != (size,) or not (weights >= 0).all() or not weights.sum() > 0:
        raise ValueError(
            f"explained_variance: {name} is {x!r}; expected {size} weights, none negative, "
            "not all 0"
        )
    return weights
