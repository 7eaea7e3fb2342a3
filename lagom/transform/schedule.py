"""Values that change with the timestep; learning rates use ``torch.optim.lr_scheduler``."""


class LinearSchedule:
    """A straight line from ``initial`` to ``final``, constant before and after.

    Args:
        initial (float): value up to timestep ``start``.
        final (float): value from timestep ``start + N`` on.
        N (int): length of the change, in timesteps; positive.
        start (int): timestep at which the change begins; not negative.

    Raises:
        ValueError: if ``N`` or ``start`` is out of range.

    Example:
        >>> schedule = LinearSchedule(initial=1.0, final=0.1, N=3, start=0)
        >>> [schedule(i) for i in range(6)]
        [1.0, 0.7, 0.4, 0.1, 0.1, 0.1]
    """

    def __init__(self, initial, final, N, start=0):
        if N <= 0:
            raise ValueError(f"LinearSchedule: N is {N!r}; expected a positive number of timesteps")
        if start < 0:
            raise ValueError(f"LinearSchedule: start is {start!r}; expected a timestep, 0 or later")
        self.initial = initial
        self.final = final
        self.N = N
        self.start = start
        self.current = None

    def __call__(self, x):
        """Return the value at timestep ``x`` (an int, not negative)."""
        if x < 0:
            raise ValueError(f"LinearSchedule: timestep is {x!r}; expected 0 or later")
        if x <= self.start:
            self.current = self.initial
        elif x >= self.start + self.N:
            self.current = self.final
        else:
            fraction = float(x - self.start) / self.N
            self.current = self.initial + fraction * (self.final - self.initial)
        return self.current

    def get_current(self):
        """Return the value of the last call, ``None`` before the first."""
        return self.current

    def state_dict(self):
        """Return what a schedule remembers: the value of the last call."""
        return {"current": self.current}

    def load_state_dict(self, state):
        """Continue from what :meth:`state_dict` returned."""
        self.current = state["current"]
