"""Where a replay buffer keeps trajectories: every observation once, in rows of bytes."""

import numpy as np

from lagom.data.memory import check_memory
from lagom.data.rows import Rows
from lagom.utils import nested


class Table:
    """Rings of rows, one for each stream, in one array.

    A row holds an observation and what followed: action, reward, whether that was the end.  What
    came next is the observation in the stream's next row; what an episode ended on has a row of its
    own.  Slot ``r`` of stream ``b`` is row ``r * num_stream + b``: successors lie ``num_stream``
    rows further on, around the ring too, and one gather reads rows together with theirs.

    Args:
        capacity (int): rows.
        num_stream (int): sub-environments; each has the same share of the rows.

    Attributes:
        array (ndarray): ``[num_row]``, structured; None before the first ``append``.
        fields (dict): its columns.
        names (dict): the names of the columns that observations and actions are in, structured as
            they are.
        valid (ndarray): ``[num_row]`` bool, rows that hold a transition and have a successor.
        num_valid (int): number of those.
        num_used (int): rows up to the last one that was ever written.

    Raises:
        ValueError: if there are not at least one stream and two rows for each.
    """

    def __init__(self, capacity, num_stream):
        if num_stream < 1 or capacity < 2 * num_stream:
            raise ValueError(
                f"ReplayBuffer: capacity is {capacity!r} and num_stream {num_stream!r}; "
                "expected at least one stream, and two rows for each"
            )
        self.num_stream = num_stream
        self.num_row = (capacity // num_stream + 1) * num_stream  # one slot per stream is open
        self.num_valid = self.num_used = 0
        self.array = None

    @property
    def nbytes(self):
        """Bytes of memory reserved."""
        return 0 if self.array is None else self.array.nbytes + self.valid.nbytes

    def allocate(self, observation, action):
        """Reserve the memory for rows of what has a dtype and a shape, or a nest of such."""
        self.names, leaves = _named(observation=observation, action=action)
        for name, x in (("observation", observation), ("action", action)):
            if not nested.flat(self.names[name]):
                raise ValueError(f"ReplayBuffer: {name} is {x!r}; expected an array of numbers")
        fields = []
        for name, x in leaves.items():
            if x.dtype is None or x.shape is None or x.dtype.kind not in "biuf":
                raise ValueError(f"ReplayBuffer: {name} is {x!r}; expected an array of numbers")
            fields.append((name, x.dtype, x.shape))
        fields.sort(key=lambda field: -field[1].alignment)  # leaves no gaps
        fields += [("reward", np.float32), ("terminated", bool), ("end", bool)]
        dtype = np.dtype(fields, align=True)  # tensors can be made of the fields as they lie
        check_memory(self.num_row, dtype.itemsize + 1)
        self.layout = {name: [x.dtype.str, list(x.shape)] for name, x in leaves.items()}
        self.array = np.zeros(self.num_row, dtype)
        self.fields = {name: self.array[name] for name in dtype.names}
        self.valid = np.zeros(self.num_row, bool)
        ring = self.array.view(np.uint8).reshape(-1, self.num_stream, dtype.itemsize)
        self._rows = [Rows(ring[:, b]) for b in range(self.num_stream)]
        self._running = [False] * self.num_stream  # the open slot holds the newest observation
        self.num_valid = self.num_used = 0
        self._known_kinds = None

    def append(self, tau):
        """Write one trajectory; return the rows that have changed."""
        b, finished, arrays = tau.stream, bool(tau.finished), self._arrays(tau)
        rows, fields, B = self._rows[b], self.fields, self.num_stream
        if self._running[b]:
            if not self._continues(b, arrays):
                fields["end"][self._open(b)] = True
                rows.count += 1
            elif not finished and len(arrays["reward"]) == 1:
                return self._step(b, arrays)
        T = min(len(arrays["reward"]), rows.capacity - 1 - finished)  # the newest, if very many

        # T transitions, what the episode ended on, and the open slot; while an episode goes on,
        # its newest observation is in that.
        start, num = self._open(b), T + finished + 1
        where = np.arange(start, start + num * B, B)
        if where[-1] < self.num_row:  # slices of an array are several times faster than lists
            part = lambda i, j: slice(start + i * B, start + j * B, B)
        else:
            where %= self.num_row
            part = lambda i, j: where[i:j]
        for name, x in arrays.items():
            length = T + name.startswith("observation")
            fields[name][part(0, length)] = x[-length:]
        every, steps, rest = part(0, num), part(0, T), part(T, num)
        fields["terminated"][every] = fields["end"][every] = False
        if finished:
            fields["terminated"][where[T - 1]] = tau.terminated
            fields["end"][where[T]] = True

        self.num_valid += T - np.count_nonzero(self.valid[every])
        self.valid[steps], self.valid[rest] = True, False
        rows.count += num - 1
        self._note_use(b)
        self._running[b] = not finished
        return where

    def _step(self, b, arrays):
        """As ``append``, of a single step with which an episode goes on, in half the time."""
        fields, valid, row = self.fields, self.valid, self._open(b)
        then = (row + self.num_stream) % self.num_row
        for name, x in arrays.items():
            is_obs = name.startswith("observation")
            fields[name][then if is_obs else row] = x[-1]
        fields["terminated"][then] = fields["end"][then] = False
        self.num_valid += not valid[then]
        valid[row], valid[then] = True, False
        self._rows[b].count += 1
        self._note_use(b)
        return np.array([row, then])

    def _arrays(self, tau):
        """The arrays of a trajectory by the names of their fields, looked through."""
        obs, actions, T = tau.observations, tau.actions, tau.T
        if T < 1 or not 0 <= tau.stream < self.num_stream:
            raise ValueError(
                f"ReplayBuffer.add: got a trajectory with T {T} and stream {tau.stream}; "
                f"expected at least one step, and a stream below num_stream, {self.num_stream}"
            )
        if isinstance(obs, list) or isinstance(actions, list):
            obs, actions = (nested.stack(x) if isinstance(x, list) else x for x in (obs, actions))
        if self.array is None:
            self.allocate(nested.index(obs, 0), nested.index(actions, 0))
        if type(obs) is type(actions) is np.ndarray:
            arrays = {"observation": obs, "action": actions}
        else:
            _, arrays = _named(observation=obs, action=actions)
        arrays["reward"] = np.asarray(tau.rewards)
        kinds = {name: (x.ndim and len(x) - T, x.shape[1:], x.dtype) for name, x in arrays.items()}
        if kinds != self._known_kinds:  # mostly they are those of the trajectory before
            self._check_kinds(arrays, T)
            self._known_kinds = kinds
        return arrays

    def _check_kinds(self, arrays, T):
        if arrays.keys() != {*self.layout, "reward"}:
            names = [name for name in arrays if name != "reward"]
            raise ValueError(f"ReplayBuffer.add: got {names}; expected {[*self.layout]}")
        for name, x in arrays.items():
            field = self.fields[name]
            expected = (T + name.startswith("observation"), *field.shape[1:])
            if x.shape != expected or not np.can_cast(x.dtype, field.dtype, "same_kind"):
                raise ValueError(
                    f"ReplayBuffer.add: {name} is {x.dtype} of shape {x.shape}; "
                    f"expected {field.dtype} of shape {expected}"
                )

    def _open(self, b):
        """Row of the open slot of a stream."""
        rows = self._rows[b]
        return rows.count % rows.capacity * self.num_stream + b

    def _note_use(self, b):
        last = min(self._rows[b].count, self._rows[b].capacity - 1) * self.num_stream + b
        self.num_used = max(self.num_used, last + 1)

    def _continues(self, b, arrays):
        """Whether the arrays begin with the newest observation of the stream."""
        row = self._open(b)
        return all(
            field[row].tobytes() == arrays[name][0].astype(field.dtype, copy=False).tobytes()
            for name, field in self.fields.items()
            if name.startswith("observation")
        )

    def state_dict(self):
        """Plain values, the open rows, and for each stream a window on its ring, not a copy."""
        if self.array is None:
            return {"layout": {}}
        return {
            "layout": self.layout,
            "names": self.names,
            "rows": [Rows(rows.ring, rows.count) for rows in self._rows],
            # As bytes: indexing a structured array leaves the gaps between fields to chance.
            "open": np.stack([rows.ring[rows.count % rows.capacity] for rows in self._rows]),
            "running": [*self._running],
        }

    def load_state_dict(self, state):
        """Go on from ``state``.  Rows are copied, so their rings may be memory maps."""
        self.array, self.num_valid, self.num_used = None, 0, 0
        if not state["layout"]:
            return
        layout = state["layout"]
        empty = lambda name: np.empty(layout[name][1], layout[name][0])
        self.allocate(**nested.map_leaves(empty, state["names"]))
        saved, own = ([rows.ring.shape for rows in x] for x in (state["rows"], self._rows))
        if saved != own:
            raise ValueError(f"ReplayBuffer: got rings of shapes {saved}; expected {own}")
        for b, (rows, saved) in enumerate(zip(self._rows, state["rows"], strict=True)):
            num = min(saved.count, saved.capacity)
            rows.ring[:num], rows.count = saved.ring[:num], saved.count
            where = rows.slots(rows.oldest, rows.count) * self.num_stream + b
            self.valid[where] = ~self.fields["end"][where]
            rows.ring[rows.count % rows.capacity] = state["open"][b]
            self._note_use(b)
        self._running = [*state["running"]]
        self.num_valid = int(np.count_nonzero(self.valid))


def _named(**structures):
    """The leaves' own names in place of the leaves, and the leaves (arrays, spaces) by name."""
    structures = {key: nested.simple_spaces(x) for key, x in structures.items()}
    names = {key: nested.names(x, key) for key, x in structures.items()}
    array = lambda x: x if hasattr(x, "dtype") else np.asarray(x)
    return names, dict(zip(nested.flat(names), map(array, nested.flat(structures)), strict=True))
