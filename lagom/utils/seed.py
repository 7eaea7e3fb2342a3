"""Seeds: one integer seeds a job, a ``Seeder`` draws as many more as are wanted from it."""

import random
from contextlib import contextmanager

import numpy as np


class Seeder:
    """Draw random seeds from one initial seed; consecutive calls go on with the same stream.

    It keeps a generator of its own: NumPy's global random state is neither read nor changed.

    Args:
        init_seed (int): where the stream begins, in ``[0, 2**32)``.

    Raises:
        ValueError: if ``init_seed`` is not such a number.

    Example:
        >>> seeder = Seeder(init_seed=0)
        >>> seeder(size=5)
        [209652396, 398764591, 924231285, 1478610112, 441365315]
    """

    def __init__(self, init_seed=0):
        try:
            self.rng = np.random.RandomState(init_seed)
        except (TypeError, ValueError):
            raise ValueError(
                f"Seeder: init_seed is {init_seed!r}; expected an integer in [0, 2**32)"
            ) from None

    def __call__(self, size: int | list[int] = 1) -> list:
        """Return ``size`` seeds as Python integers in ``[0, 2**31 - 1)``.

        Args:
            size (int or list): how many; ``[2, 3]`` gives two lists of three.
        """
        return self.rng.randint(2**31 - 1, size=size, dtype=np.int64).tolist()

    def state_dict(self) -> dict:
        """Return where the stream stands, as numbers, strings and arrays."""
        return self.rng.get_state(legacy=False)

    def load_state_dict(self, state: dict) -> None:
        """Go on where ``state_dict`` was taken."""
        self.rng.set_state(state)


def set_global_seeds(seed: int) -> None:
    """Seed PyTorch (CPU and every GPU), NumPy's global generator and Python's ``random``.

    Args:
        seed (int): in ``[0, 2**32)``, the range of NumPy's.
    """
    import torch

    torch.manual_seed(seed)  # all CUDA devices included
    np.random.seed(seed)
    random.seed(seed)


def random_state():
    """The state of the global generators of torch, NumPy and Python, as plain data."""
    import torch

    version, internal, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        "numpy": np.random.get_state(legacy=False),
        "python": [version, np.array(internal, np.uint32), gauss],
    }


def load_random_state(state):
    """Restore what :func:`random_state` gave."""
    import torch

    torch.set_rng_state(state["torch"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
    np.random.set_state(state["numpy"])
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal.tolist()), gauss))


@contextmanager
def undisturbed_random_state():
    """Whatever draws from the global generators inside, they go on afterwards as if it had not."""
    state = random_state()
    try:
        yield
    finally:
        load_random_state(state)
