"""Statistics of streams of numbers; NumPy in, NumPy out."""

import numpy as np


class RunningMeanVar:
    """Mean and (population) variance of everything seen so far, one batch at a time.

    Batches are merged by the pairwise formula of Chan, so any split of the data gives the same
    moments up to rounding.  Before any data the mean is 0 and the variance 1, with the weight of
    1e-4 samples.  Standardize in float64, as ``(x - mean) / sqrt(var + 1e-8)``.

    Args:
        shape (tuple): shape of one sample; ``()`` for numbers.

    Attributes:
        mean (ndarray): ``[*shape]`` float64; replaced, never written into, by each call.
        var (ndarray): ``[*shape]`` float64; likewise.
        n (int): number of samples so far.

    Example:
        >>> f = RunningMeanVar(shape=())
        >>> f([1, 2])
        >>> f([3])
        >>> f([4])
        >>> float(f.mean), float(f.var)
        (2.499937501562461, 1.2501499923440393)

    Reference:
        Chan et al., Updating Formulae and a Pairwise Algorithm for Computing Sample Variances,
        1979, eq. 2.1.
    """

    _prior = 1e-4  # samples

    def __init__(self, shape):
        self.shape = tuple(shape)
        self.n = 0
        self.mean = np.zeros(self.shape)
        self.var = np.ones(self.shape)

    def __call__(self, x) -> None:
        """Take in ``x``, ``[N, *shape]`` with ``N >= 1``, any real dtype.

        Raises:
            ValueError: if ``x`` has another shape.
        """
        x = np.asarray(x)
        num = len(x) if x.ndim else 0
        if not num or x.shape[1:] != self.shape:
            raise ValueError(
                f"RunningMeanVar: got a batch of shape {x.shape}; expected [N, *{self.shape}]"
            )

        count = self.n + self._prior
        total = count + num
        squares = 0.0  # sum of squared deviations within the batch
        if num == 1:
            mean = x[0]
        else:
            # ndarray.mean and ndarray.var cost three times as much for small batches.
            mean = np.add.reduce(x, dtype=np.float64) / num
            squares = np.add.reduce(np.square(x - mean))

        delta = mean - self.mean
        self.var = (self.var * count + squares + delta * delta * (count * num / total)) / total
        self.mean = self.mean + delta * (num / total)
        self.n += num

    def state_dict(self) -> dict:
        """Return number, mean and variance."""
        return {"n": self.n, "mean": np.array(self.mean), "var": np.array(self.var)}

    def load_state_dict(self, state: dict) -> None:
        """Go on from what ``state_dict`` returned.

        Raises:
            ValueError: if it was taken from samples of another shape.
        """
        mean, var = np.array(state["mean"], np.float64), np.array(state["var"], np.float64)
        if mean.shape != self.shape or var.shape != self.shape:
            raise ValueError(
                f"RunningMeanVar: got moments of shape {mean.shape} and {var.shape}; "
                f"expected {self.shape}"
            )
        self.n, self.mean, self.var = int(state["n"]), mean, var
