"""Replay: trajectories in, random transitions out."""

from dataclasses import replace

import numpy as np

from lagom.data.frames import Frames
from lagom.data.table import Table
from lagom.utils import nested


class ReplayBuffer:
    """The newest transitions of some sub-environments, sampled uniformly with replacement.

    With ``n_step`` above 1 a sample spans ``k`` steps: ``n_step``, or fewer if the episode, or what
    is known of it so far, ends before.  Targets are ``reward + discount * V(next_observation)``
    for any ``n_step``, without the second term where ``terminated``.

    Args:
        capacity (int): rows, one a transition; what an episode ended on takes one, too.
        num_stream (int): sub-environments; each has the same share of the rows.
        n_step (int): number of rewards summed up before the value of what follows.
        gamma (float): discount per step, in [0, 1].
        seed (int): of the generator that draws samples where no other is given.
        stack (int): frames that observations consist of; above 1 each frame is kept once
            (:class:`lagom.data.frames.Frames`), and samples are the same.

    Raises:
        ValueError: if a number is out of its range.

    Example:
        >>> from lagom.data import Trajectory
        >>> replay = ReplayBuffer(100, n_step=2, gamma=0.5)
        >>> replay.add([Trajectory(np.eye(3), np.zeros(2, int), np.array([1.0, 2.0]), True)])
        >>> D = replay.sample(8)
        >>> len(replay), D["observation"].shape, {*D["reward"].tolist()}, {*D["discount"].tolist()}
        (2, (8, 3), {2.0}, {0.5, 0.25})

    Reference:
        Lin, Self-Improving Reactive Agents Based on Reinforcement Learning, Planning and Teaching,
        1992; n steps as in Hessel et al., Rainbow, 2018 (arXiv:1710.02298).
    """

    def __init__(self, capacity, num_stream=1, n_step=1, gamma=0.99, seed=0, stack=1):
        if n_step < 1 or not 0 <= gamma <= 1:
            raise ValueError(
                f"ReplayBuffer: n_step is {n_step!r} and gamma {gamma!r}; "
                "expected at least one step, and a discount in [0, 1]"
            )
        self.n_step, self.gamma, self.stack = n_step, gamma, stack
        self.rng = np.random.default_rng(seed)
        self._table = Table(capacity, num_stream)
        self._frames = None
        if stack != 1:
            self._frames = Frames(stack, num_stream, self._table.num_row // num_stream)
        self._offsets = num_stream * np.arange(n_step + 1)  # of a row and its successors
        self._powers = float(gamma) ** np.arange(n_step + 1)

    def __len__(self):
        """Number of transitions that can be sampled."""
        return self._table.num_valid

    @property
    def nbytes(self):
        """Bytes of memory reserved; most of it by ``allocate`` or the first ``add``."""
        return self._table.nbytes + (self._frames.nbytes if self._frames else 0)

    def allocate(self, observation, action):
        """Reserve the memory before there is data, and learn from ``nbytes`` how much it is.

        The operating system hands it out as rows are written.

        Args:
            observation (object): its space, or an array of one; or dictionaries and tuples of
                such.
            action (object): likewise.

        Raises:
            ValueError: if that is not arrays of numbers, there cannot be so much memory, or
                transitions would be lost.
        """
        if len(self):
            raise ValueError(
                f"ReplayBuffer.allocate: there are {len(self)} transitions; expected none yet"
            )
        if self._frames:
            observation = self._frames.layout(observation)
            self._frames.allocate()
        self._table.allocate(observation, action)

    def add(self, D):
        """Take in trajectories, of each stream in the order in which they happened.

        A trajectory that begins with the very observation at which an unfinished one of its stream
        stopped goes on with that.  Otherwise the unfinished one ends there, as at a time limit.

        Args:
            D (list): :class:`Trajectory` objects; ``stream`` is below ``num_stream``, ``T >= 1``.

        Raises:
            ValueError: if one is not such, its arrays differ from those before in shape or kind, or
                there cannot be so much memory; it is not taken in, nor are those behind it.
        """
        for tau in D:
            self._append(tau)

    def _append(self, tau):
        """Take in one trajectory; return the rows that have changed."""
        if self._frames and tau.T > 0 and 0 <= tau.stream < self._table.num_stream:
            obs, actions = (
                nested.stack(x) if isinstance(x, list) else x
                for x in (tau.observations, tau.actions)
            )
            if self._frames.array is None:
                self.allocate(nested.index(obs, 0), nested.index(actions, 0))
            tau = replace(tau, observations=self._frames.encode(obs, tau.stream))
        return self._table.append(tau)

    def sample(self, N, rng=None):
        """Draw ``N`` transitions, each time all with the same chance.

        Args:
            N (int): how many.
            rng (Generator): NumPy's, of the run; by default the buffer's own.

        Returns:
            dict: new arrays: ``observation`` and ``next_observation`` ``[N, *obs]``, ``action``
            ``[N, *action]`` (dictionaries and tuples if they came as such), ``reward`` ``[N]``
            float32, the discounted sum of ``k`` rewards, ``discount`` ``[N]`` float32,
            ``gamma**k``, ``terminated`` ``[N]`` bool, whether the next observation is a terminal
            state (one at a time limit is not), and ``index`` ``[N]`` int64, their rows.

        Raises:
            ValueError: if there is nothing to draw, or ``N`` is not positive.
        """
        self._check(N)
        # Rows that hold no transition are passed over; the margin makes a second round rare.
        num = int(1.1 * N * self._table.num_used / len(self)) + 16
        rows = self._draw(num, rng or self.rng)
        while len(rows) < N:
            rows = np.concatenate([rows, self._draw(num, rng or self.rng)])
        return self._transitions(rows[:N])

    def _check(self, N):
        if N < 1 or not len(self):
            raise ValueError(
                f"{type(self).__name__}.sample: N is {N!r}, of {len(self)} transitions; "
                "expected at least one"
            )

    def _draw(self, num, rng):
        """Those of ``num`` random rows that hold a transition."""
        rows = rng.integers(self._table.num_used, size=num)
        return rows[self._table.valid[rows]]

    def _transitions(self, rows):
        """What begins in ``rows`` [N]."""
        table = self._table
        if self.n_step == 1:
            both = table.array.take(rows[:, None] + self._offsets, mode="wrap")  # [N, 2]
            first, then = both[:, 0], both[:, 1]
            reward, terminated = first["reward"], first["terminated"]
            discount = np.full(len(rows), self.gamma, np.float32)
        else:
            steps = (rows + self._offsets[:, None]) % table.num_row  # [n_step + 1, N]
            # The first row without a transition is where the episode ended, or stands now.
            alive = np.logical_and.accumulate(table.valid[steps[:-1]])  # [n_step, N]
            k, N = alive.sum(0), np.arange(len(rows))  # [N]
            first, then = table.array.take(rows), table.array.take(steps[k, N])
            rewards = np.where(alive, table.fields["reward"][steps[:-1]], 0)
            reward = (self._powers[:-1] @ rewards).astype(np.float32)
            terminated = table.fields["terminated"][steps[k - 1, N]]
            discount = self._powers[k].astype(np.float32)
        return {
            "observation": self._observations(first, rows),
            "action": nested.map_leaves(first.__getitem__, table.names["action"]),
            "reward": reward,
            "next_observation": self._observations(then, rows),
            "terminated": terminated,
            "discount": discount,
            "index": rows,
        }

    def _observations(self, records, rows):
        """What of ``records`` of the table are observations, of the streams of ``rows``."""
        table = self._table
        obs = nested.map_leaves(records.__getitem__, table.names["observation"])
        return self._frames.decode(obs, rows % table.num_stream) if self._frames else obs

    def state_dict(self):
        """All that samples depend on, hyperparameters aside; save it before more is added.

        Plain values and arrays, but for the :class:`Rows` of each stream.
        """
        state = {"rng": self.rng.bit_generator.state, "table": self._table.state_dict()}
        return state | {"frames": self._frames.state_dict()} if self._frames else state

    def load_state_dict(self, state):
        """Go on where ``state_dict`` was taken; rows are copied.

        Raises:
            ValueError: if that was another capacity, number of streams, or ``stack``.
        """
        if ("frames" in state) != (self._frames is not None):
            raise ValueError(
                "ReplayBuffer: got a state in which frames are kept "
                f"{'once' if 'frames' in state else 'in stacks'}; expected the same stack"
            )
        self.rng.bit_generator.state = state["rng"]
        self._table.load_state_dict(state["table"])
        if self._frames:
            self._frames.load_state_dict(state["frames"])
