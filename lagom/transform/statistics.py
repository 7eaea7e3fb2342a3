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


class PolyakAverage:
    r"""Running average that forgets, in float32.

    .. math::
        \bar x_1 = x_1, \qquad \bar x_t = \alpha \bar x_{t-1} + (1 - \alpha) x_t

    Args:
        alpha (float): weight of the past, in [0, 1]; with 0 only the last value counts.

    Raises:
        ValueError: if ``alpha`` is out of range.

    Example:
        >>> f = PolyakAverage(alpha=0.1)
        >>> [round(float(f(x)), 4) for x in (0.5, 1.5)]
        [0.5, 1.4]

    Reference:
        Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992; here with
        weights that decay exponentially.
    """

    def __init__(self, alpha):
        if not 0 <= alpha <= 1:
            raise ValueError(f"PolyakAverage: alpha is {alpha!r}; expected a number in [0, 1]")
        self.alpha = float(alpha)  # NumPy's float64 would make one of every average
        self.current = None

    def __call__(self, x):
        """Take in ``x``, a number or an array, and return the average.

        Returns:
            float32 or ndarray: shaped as ``x``; new at each call, not to be written into.

        Raises:
            ValueError: if ``x`` has another shape than before.
        """
        x = np.array(x, np.float32)[()]  # a number, not an array, without dimensions
        if self.current is None:
            self.current = x
        elif x.shape != self.current.shape:
            raise ValueError(
                f"PolyakAverage: got shape {x.shape}; expected {self.current.shape}, as before"
            )
        else:
            self.current = self.alpha * self.current + (1 - self.alpha) * x
        return self.current

    def get_current(self):
        """Return the average, ``None`` before the first call."""
        return self.current

    def state_dict(self):
        """Return the average."""
        return {"current": None if self.current is None else np.array(self.current)}

    def load_state_dict(self, state):
        """Go on from what ``state_dict`` returned."""
        current = state["current"]
        self.current = None if current is None else np.array(current, np.float32)[()]
