"""Where a replay buffer keeps the frames of stacked observations: each once."""

from itertools import pairwise

import numpy as np

from lagom.data.memory import check_memory
from lagom.data.rows import Rows
from lagom.utils import nested


class Frames:
    """Rings of frames, one for each stream; a stacked observation is the numbers of its frames.

    An observation that is the one before it, moved on by a frame, costs one frame.  So does one
    that repeats a frame, as after a reset.  Every other costs what it has, which is exact too, but
    there is room for a few of these only.

    Frames are numbered from the beginning of their stream; number ``n`` lies in slot ``n %
    capacity`` of its ring.

    Args:
        num (int): frames of an observation, at least 2; ``[num, H, W]``, or, where the first axis
            has another length, in a row along the last axis, the oldest first
            (:class:`lagom.envs.image.FrameStack`).
        num_stream (int): sub-environments.
        num_row (int): observations of each stream, the newest ones, that must stay known.

    Raises:
        ValueError: ``num`` is smaller.
    """

    def __init__(self, num, num_stream, num_row):
        if num < 2:
            raise ValueError(f"ReplayBuffer: stack is {num!r}; expected at least 1")
        self.num, self.num_stream = num, num_stream
        # Beside one a row: what the oldest looks back upon, 16 surprises, and the open slot.
        self.capacity = num_row + 17 * num
        self.array = None

    @property
    def nbytes(self):
        """Bytes of memory reserved."""
        return 0 if self.array is None else self.array.nbytes

    def layout(self, observation):
        """What takes the place of ``observation``, a space or an array, in the rows of a table.

        Beside masks it is the entry ``"observation"`` that is stacked.

        Raises:
            ValueError: it is not as many frames.
        """
        obs = nested.simple_spaces(observation)
        stack = obs["observation"] if isinstance(obs, dict) else obs
        shape, dtype = tuple(stack.shape), np.dtype(stack.dtype)
        self.is_first = len(shape) == 3 and shape[0] == self.num
        if not self.is_first and (not shape or shape[-1] % self.num):
            raise ValueError(
                f"ReplayBuffer: observations have shape {shape}; expected {self.num} stacked ones"
            )
        self.shape, self.dtype = shape, dtype
        self.width = int(np.prod(shape)) // self.num * dtype.itemsize
        numbers = np.empty(self.num, np.int64)
        return {**obs, "observation": numbers} if isinstance(obs, dict) else numbers

    def allocate(self):
        """Reserve the memory, after ``layout``.

        Raises:
            ValueError: there cannot be so much.
        """
        check_memory(self.num_stream * self.capacity, self.width, "frames")
        self.array = np.zeros((self.num_stream, self.capacity, self.width), np.uint8)
        self._rows = [Rows(ring) for ring in self.array]
        self._newest = np.full((self.num_stream, self.num), -1)  # numbers of the last observation

    def encode(self, observations, b):
        """Keep the frames of a trajectory's observations ``[T + 1, *obs]``; return the numbers.

        Returns:
            ndarray: ``[T + 1, num]`` int64; in dictionaries, in the place of the stacks.

        Raises:
            ValueError: they have another shape or kind than before.
        """
        if isinstance(observations, dict):
            numbers = self.encode(observations["observation"], b)
            return {**observations, "observation": numbers}
        kind = observations.dtype
        if observations.shape[1:] != self.shape or not np.can_cast(kind, self.dtype, "same_kind"):
            raise ValueError(
                f"ReplayBuffer.add: observation is {kind} of shape {observations.shape}; "
                f"expected {self.dtype} of shape {(len(observations), *self.shape)}"
            )
        x = self._apart(observations)  # [T + 1, num, width]
        moved = (x[1:, :-1] == x[:-1, 1:]).all((1, 2))  # [T]
        numbers, newest = np.empty(x.shape[:2], np.int64), self._newest[b]
        goes_on = newest[0] >= 0 and np.array_equal(self._bytes(newest, b), x[0])
        numbers[0] = newest if goes_on else self._keep(x[0], b)
        for t in range(1, len(x)):
            if moved[t - 1]:
                numbers[t, :-1], numbers[t, -1:] = numbers[t - 1, 1:], self._keep(x[t, -1:], b)
            else:
                numbers[t] = self._keep(x[t], b)
        self._newest[b] = numbers[-1]
        return numbers

    def _keep(self, frames, b):
        """Write ``frames`` ``[num, width]``, of equal ones in a row the first; their numbers."""
        is_new = np.array([True, *(x.tobytes() != y.tobytes() for x, y in pairwise(frames))])
        numbers = self._rows[b].count + is_new.cumsum() - 1
        self._rows[b].extend(frames[is_new])
        return numbers

    def decode(self, numbers, b):
        """The observations ``[N, *obs]`` of such numbers ``[N, num]``, of the streams ``b`` [N].

        Raises:
            ValueError: frames are no longer known, as there were too many for the observations.
        """
        if isinstance(numbers, dict):
            return {**numbers, "observation": self.decode(numbers["observation"], b)}
        counts = np.array([rows.count for rows in self._rows])
        if (numbers[:, 0] <= counts[b] - self.capacity).any():
            raise ValueError(
                "ReplayBuffer: observations have more new frames than steps; expected ones that "
                "move on by a frame a step, and repeat the first, as env.stack makes them"
            )
        x = self._bytes(numbers, b[:, None]).view(self.dtype)
        if self.is_first:
            return x.reshape(-1, *self.shape)
        x = x.reshape(-1, self.num, *self.shape[:-1], self.shape[-1] // self.num)
        return np.moveaxis(x, 1, -2).reshape(-1, *self.shape)

    def _apart(self, x):
        """Stacks ``[N, *obs]`` as the bytes of their frames, ``[N, num, width]``."""
        if not self.is_first:
            x = np.moveaxis(x.reshape(len(x), *self.shape[:-1], self.num, -1), -2, 1)
        x = np.ascontiguousarray(x, self.dtype)
        return x.reshape(len(x), self.num, -1).view(np.uint8)

    def _bytes(self, numbers, b):
        slots = numbers % self.capacity + self.capacity * b
        return self.array.reshape(-1, self.width).take(slots, axis=0)  # [..., width]

    def state_dict(self):
        """Plain values, and for each stream a window on its ring, not a copy."""
        if self.array is None:
            return {"shape": []}
        return {
            "shape": [*self.shape],
            "dtype": self.dtype.str,
            "rows": [Rows(rows.ring, rows.count) for rows in self._rows],
            "newest": self._newest.copy(),
        }

    def load_state_dict(self, state):
        """Go on from ``state``.  Frames are copied, so their rings may be memory maps.

        Raises:
            ValueError: it is of another capacity, or number of streams.
        """
        self.array = None
        if not state["shape"]:
            return
        self.layout(np.empty(state["shape"], state["dtype"]))
        self.allocate()
        saved, own = ([rows.ring.shape for rows in x] for x in (state["rows"], self._rows))
        if saved != own:
            raise ValueError(f"ReplayBuffer: got frames of shapes {saved}; expected {own}")
        for rows, other in zip(self._rows, state["rows"], strict=True):
            num = min(other.count, other.capacity)
            rows.ring[:num], rows.count = other.ring[:num], other.count
        self._newest = state["newest"].copy()
