"""Replay of what there is more to learn from."""

import numpy as np

from lagom.data.replay import ReplayBuffer
from lagom.transform.segment_tree import MinTree, SumTree

_EPSILON = 1e-6  # added to TD errors; without error a transition would never be drawn again


class PrioritizedReplayBuffer(ReplayBuffer):
    r"""The newest transitions, sampled in proportion to their priorities.

    A transition enters with the largest priority so far, 1 at first.  :meth:`update` gives it the
    one of its TD error, :math:`p_i = |\delta_i| + \epsilon`.  Of ``M`` transitions it is drawn with
    probability :math:`P(i)`, and its loss is to be weighted by :math:`w_i`:

    .. math::
        P(i) = p_i^\alpha / \sum_j p_j^\alpha, \qquad
        w_i = (M P(i))^{-\beta} / \max_j (M P(j))^{-\beta}

    Args:
        capacity (int): as in :class:`ReplayBuffer`; so are ``num_stream``, ``n_step``, ``gamma``,
            ``seed`` and ``stack``.
        alpha (float): how much priorities count; 0 is uniform.
        beta (float): how much of the bias the weights correct; 1 is all.  Assign to it to anneal.

    Raises:
        ValueError: if a number is out of its range.

    Example:
        >>> from lagom.data import Trajectory
        >>> replay = PrioritizedReplayBuffer(100, alpha=1.0, beta=1.0)
        >>> replay.add([Trajectory(np.eye(3), np.arange(2), np.ones(2), terminated=True)])
        >>> replay.update([0, 1], td_error=[0.5, -1.0])
        >>> D = replay.sample(3)
        >>> D["action"].tolist(), D["weight"].round(3).tolist()
        ([0, 1, 1], [1.0, 0.5, 0.5])

    Reference:
        Schaul et al., Prioritized Experience Replay, 2016 (arXiv:1511.05952), eq. 1, section 3.4,
        algorithm 1 and appendix B.2.1; the proportional variant.
    """

    def __init__(
        self, capacity, num_stream=1, n_step=1, gamma=0.99, seed=0, alpha=0.6, beta=0.4, stack=1
    ):
        super().__init__(capacity, num_stream, n_step, gamma, seed, stack)
        if alpha < 0 or beta < 0:
            raise ValueError(
                f"PrioritizedReplayBuffer: alpha is {alpha!r} and beta {beta!r}; expected 0 or more"
            )
        self.alpha, self.beta = alpha, beta
        self._largest = 1.0  # priority so far
        num_leaf = 1 << (self._table.num_row - 1).bit_length()
        self._sums, self._minima = SumTree(num_leaf), MinTree(num_leaf)  # of p**alpha

    @property
    def nbytes(self):
        """Bytes of memory reserved; the trees have one node above 16."""
        return super().nbytes + 2 * 8 * self._sums.capacity * 16 // 15

    def _append(self, tau):
        self._set(super()._append(tau), self._largest**self.alpha)

    def _set(self, rows, priority):
        """Write ``p**alpha``; rows without a transition are never drawn, nor count as smallest."""
        valid = self._table.valid[rows]
        self._sums[rows] = np.where(valid, priority, 0.0)
        self._minima[rows] = np.where(valid, priority, np.inf)

    def sample(self, N, rng=None):
        """Draw ``N`` transitions, one from each of ``N`` equal stretches of summed priorities.

        Args:
            N (int): how many.
            rng (Generator): NumPy's, of the run; by default the buffer's own.

        Returns:
            dict: as of :meth:`ReplayBuffer.sample`, and ``weight``, ``[N]`` float32 in [0, 1].

        Raises:
            ValueError: if there is nothing to draw, or ``N`` is not positive.
        """
        self._check(N)
        stretches = (np.arange(N) + (rng or self.rng).random(N)) / N
        rows = self._sums.find_prefixsum_index(stretches * self._sums.sum())
        # M and the sum of priorities cancel out, and the smallest priority has the largest weight.
        weight = (self._sums[rows] / self._minima.min()) ** -self.beta
        return self._transitions(rows) | {"weight": weight.astype(np.float32)}

    def update(self, index, td_error):
        """Set the priorities of what was sampled, before more is added.

        Args:
            index (ndarray): ``[N]``, as ``sample`` gave it; of equal ones the last counts.
            td_error (ndarray): ``[N]``, of any sign.

        Raises:
            ValueError: if there is not one error for each index.
            FloatingPointError: if an error is not finite.
        """
        index, priority = np.asarray(index), np.abs(np.asarray(td_error, np.float64)) + _EPSILON
        if index.shape != priority.shape:
            raise ValueError(
                f"PrioritizedReplayBuffer.update: td_error has shape {priority.shape}; "
                f"expected {index.shape}, that of index"
            )
        if not np.isfinite(priority).all():
            raise FloatingPointError(
                "PrioritizedReplayBuffer.update: got a TD error that is not finite"
            )
        self._set(index, priority**self.alpha)
        self._largest = float(priority.max(initial=self._largest))

    def state_dict(self):
        """As of :class:`ReplayBuffer`, and the priorities."""
        priority = self._sums[: self._table.num_used]
        return super().state_dict() | {
            "priority": priority,
            "largest": self._largest,
            "beta": self.beta,
        }

    def load_state_dict(self, state):
        """Go on where ``state_dict`` was taken; rows are copied.

        Raises:
            ValueError: if that was another capacity, or number of streams.
        """
        super().load_state_dict(state)
        self.beta, self._largest = state["beta"], state["largest"]
        self._sums[:], self._minima[:] = 0.0, np.inf  # whatever was there before
        if len(self):
            self._set(np.arange(self._table.num_used), state["priority"])
