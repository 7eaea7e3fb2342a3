"""When to do what is not done every time: evaluations, checkpoints, log lines."""


class _Counter:
    """How far a counter is, and how many intervals of it have been answered for."""

    def __init__(self, mode):
        if mode not in ("accumulative", "incremental"):
            raise ValueError(
                f"{type(self).__name__}: mode is {mode!r}; expected 'accumulative' or 'incremental'"
            )
        self.mode = mode
        self.n = 0
        self.num_passed = 0

    def _advance(self, n):
        n = n.item() if hasattr(n, "item") else n  # the state stays free of arrays
        if not n >= 0:
            raise ValueError(f"{type(self).__name__}: n is {n!r}; expected 0 or more")
        self.n = n if self.mode == "accumulative" else self.n + n

    def state_dict(self) -> dict:
        """Return the counter and the number of intervals answered for."""
        return {"n": self.n, "num_passed": self.num_passed}

    def load_state_dict(self, state: dict) -> None:
        """Go on from what ``state_dict`` returned."""
        self.n, self.num_passed = state["n"], state["num_passed"]


class IntervalConditioner(_Counter):
    """True whenever a counter has completed another interval, and for ``n = 0``.

    Make it once, not once an iteration: it remembers what it has answered for.

    Args:
        interval (float): positive, in the unit of the counter (steps, episodes, iterations).
        mode (str): what calls are given.  ``"accumulative"``: the counter itself; a jump over
            several intervals is one True.  ``"incremental"``: what to add to it; each interval is
            one True and each call answers for one, so that calls catch up after a jump.

    Raises:
        ValueError: if ``interval`` is not positive, or ``mode`` neither of the two.

    Example:
        >>> is_due = IntervalConditioner(interval=10, mode="accumulative")
        >>> [n for n in [0, 4, 8, 12, 16, 20, 55, 56, 60] if is_due(n)]
        [0, 12, 20, 55, 60]
    """

    def __init__(self, interval, mode):
        if not interval > 0:
            raise ValueError(f"IntervalConditioner: interval is {interval!r}; expected above 0")
        super().__init__(mode)
        self.interval = interval

    def __call__(self, n) -> bool:
        """Whether it is time, now that the counter is at ``n``, or has grown by ``n``.

        Raises:
            ValueError: if ``n`` is negative.
        """
        self._advance(n)
        num_completed = int(self.n // self.interval)
        if n == 0 or num_completed <= self.num_passed:
            return bool(n == 0)
        self.num_passed = num_completed if self.mode == "accumulative" else self.num_passed + 1
        return True


class NConditioner(_Counter):
    """True at ``num_conditions`` moments, evenly spaced up to ``max_n``, and for ``n = 0`` before.

    A jump over several of the moments is one True, in either mode: there may be fewer, never more.
    After the last moment it is always False.

    Args:
        max_n (int): where the last moment is; positive, in the unit of the counter.
        num_conditions (int): how many moments, at least 1; moment ``k`` is reached as soon as the
            counter is at or above ``k * max_n / num_conditions``.
        mode (str): what calls are given: ``"accumulative"``, the counter itself, or
            ``"incremental"``, what to add to it.

    Raises:
        ValueError: if an argument is out of range, or ``mode`` neither of the two.

    Example:
        >>> is_due = NConditioner(max_n=100, num_conditions=4, mode="accumulative")
        >>> [n for n in range(0, 200, 10) if is_due(n)]
        [0, 30, 50, 80, 100]
    """

    def __init__(self, max_n, num_conditions, mode):
        if not max_n > 0:
            raise ValueError(f"NConditioner: max_n is {max_n!r}; expected above 0")
        if not num_conditions >= 1:
            raise ValueError(
                f"NConditioner: num_conditions is {num_conditions!r}; expected 1 or more"
            )
        super().__init__(mode)
        self.max_n, self.num_conditions = max_n, num_conditions

    def __call__(self, n) -> bool:
        """Whether it is time, now that the counter is at ``n``, or has grown by ``n``.

        Raises:
            ValueError: if ``n`` is negative.
        """
        self._advance(n)
        if self.num_passed == self.num_conditions:
            return False
        # In this order integers stay exact; a rounded interval may never reach its last multiple.
        num_reached = min(int(self.n * self.num_conditions // self.max_n), self.num_conditions)
        is_reached = num_reached > self.num_passed
        self.num_passed = max(self.num_passed, num_reached)
        return is_reached or bool(n == 0)
