"""Covariance matrices and their square roots, for CMA-ES."""

import numpy as np

_JITTER = 10.0  # times the precision of the dtype: what is added first where rounding did harm


class Full:
    """A covariance matrix ``[dim, dim]`` and its Cholesky factor, which may lag behind.

    Args:
        dim (int): size; it begins as the identity.
        dtype (dtype): float32 or float64.
    """

    def __init__(self, dim, dtype):
        from scipy.linalg import blas, lapack  # half a symmetric matrix is half the work

        letter = "s" if dtype == np.float32 else "d"
        self._syrk, self._trmm, self._trsm, self._potrf = (
            getattr(module, letter + name)
            for module, name in ((blas, "syrk"), (blas, "trmm"), (blas, "trsm"), (lapack, "potrf"))
        )
        self.C = np.eye(dim, dtype=dtype, order="F")  # its lower triangle
        self.A = self.C.copy(order="F")

    def times(self, z):
        """``A z`` for each row of ``z`` ``[N, dim]``."""
        return self._trmm(1.0, self.A, z.T, lower=1).T

    def solve(self, y):
        """The ``z`` of :meth:`times` for ``y`` ``[N, dim]``."""
        return self._trsm(1.0, self.A, y.T, lower=1).T

    def update(self, decay, weights, y):
        """``C <- decay C + sum_i weights_i y_i y_i'``, for ``y`` ``[N, dim]``."""
        steps = (np.sqrt(np.abs(weights)).astype(y.dtype)[:, None] * y).T
        for sign in (1.0, -1.0):
            chosen = weights * sign > 0
            if chosen.any():
                part = np.asfortranarray(steps[:, chosen])
                self.C = self._syrk(sign, part, decay, self.C, lower=1, overwrite_c=1)
                decay = 1.0

    def refactor(self):
        """Bring the factor up to date; a matrix that rounding made indefinite is lifted."""
        A, failed = self._potrf(self.C, lower=1, clean=1)
        lift = _JITTER * np.finfo(self.C.dtype).eps * float(np.abs(self.C.diagonal()).max())
        while failed:
            self.C.flat[:: len(self.C) + 1] += lift
            A, failed = self._potrf(self.C, lower=1, clean=1)
            lift *= 10
        self.A = A

    def stds(self):
        """Square roots of the variances, ``[dim]``."""
        return np.sqrt(np.maximum(self.C.diagonal(), 0))

    def state_dict(self):
        """Return matrix and factor."""
        return {"C": self.C.copy(), "A": self.A.copy()}

    def load_state_dict(self, state):
        """Go on from ``state``."""
        self.C, self.A = np.asfortranarray(state["C"]), np.asfortranarray(state["A"])


class Separable:
    """A covariance matrix that is a diagonal, ``[dim]``.

    Args:
        dim (int): size; it begins as the identity.
        dtype (dtype): float32 or float64.
    """

    def __init__(self, dim, dtype):
        self.C = np.ones(dim, dtype)
        self.A = self.C.copy()

    def times(self, z):
        """``A z`` for each row of ``z`` ``[N, dim]``."""
        return self.A * z

    def solve(self, y):
        """The ``z`` of :meth:`times` for ``y`` ``[N, dim]``."""
        return y / self.A

    def update(self, decay, weights, y):
        """``C <- decay C + sum_i weights_i y_i^2``, for ``y`` ``[N, dim]``."""
        self.C = (decay * self.C + weights @ np.square(y)).astype(self.C.dtype)

    def refactor(self):
        """Bring the root up to date."""
        tiny = np.finfo(self.C.dtype).tiny
        self.C = np.maximum(self.C, tiny)
        self.A = np.sqrt(self.C)

    def stds(self):
        """Square roots of the variances, ``[dim]``."""
        return np.sqrt(self.C)

    def state_dict(self):
        """Return the diagonal and its root."""
        return {"C": self.C.copy(), "A": self.A.copy()}

    def load_state_dict(self, state):
        """Go on from ``state``."""
        self.C, self.A = state["C"].copy(), state["A"].copy()
