"""What strategies are built with: checks, and conditions of options."""

import math
from difflib import get_close_matches

import numpy as np

_COUNTS = ("popsize", "seed", "num_top")  # whole numbers, whatever their type was


def check_start(name, x0, sigma0, scalar=False):
    """``x0`` and ``sigma0`` as new arrays: of float32 if ``x0`` is an array of that, else float64.

    Args:
        name (str): of the strategy.
        x0 (list or ndarray): ``[dim]``.
        sigma0 (float or ndarray): scalar or ``[dim]``.
        scalar (bool): whether only a scalar will do.

    Raises:
        ValueError: if numbers are missing or not finite, or a standard deviation is not positive.
    """
    dtype = np.float32 if getattr(x0, "dtype", None) == np.float32 else np.float64
    start, std = np.array(x0, dtype), np.array(sigma0, dtype)
    if start.ndim != 1 or not start.size or not np.isfinite(start).all():
        raise ValueError(f"{name}: x0 is {x0!r}; expected finite numbers, [dim]")
    fits = std.shape == () or (std.shape == start.shape and not scalar)
    if not fits or not (np.isfinite(std) & (std > 0)).all():
        expected = "a positive number" if scalar else "positive numbers, [] or [dim]"
        raise ValueError(f"{name}: sigma0 is {sigma0!r}; expected {expected}")
    return start, std


def checked_options(name, options, opts, dim, sigma0):
    """All options of a strategy: those given, checked, and the defaults of the others.

    Args:
        name (str): of the strategy.
        options (dict): name -> (default, or a function of dimension and mean standard deviation;
            what is expected; condition), without ``seed``, which every strategy has.
        opts (dict): given ones; ``None`` means the default.
        dim (int): number of parameters.
        sigma0 (ndarray): initial standard deviation.

    Raises:
        ValueError: for an unknown option, or a value of no use.
    """
    opts, options = opts or {}, {**options, "seed": _SEED}
    for key in opts:
        if key not in options:
            near = get_close_matches(key, options, n=1)
            raise ValueError(
                f"{name}: no option {key!r}; expected some of {', '.join(options)}"
                + (f"; did you mean {near[0]}?" if near else "")
            )
    checked = {}
    for key, (default, expected, holds) in options.items():
        value = opts.get(key)
        if value is None:
            value = default(dim, float(np.mean(sigma0))) if callable(default) else default
        elif not holds(value):
            raise ValueError(f"{name}: {key} is {value!r}; expected {expected}")
        checked[key] = int(value) if key in _COUNTS and value is not None else value
    return checked


def is_number(x):
    """Whether ``x`` is a finite number, and not true or false."""
    kinds = int | float | np.integer | np.floating
    return isinstance(x, kinds) and not isinstance(x, bool) and math.isfinite(x)


def is_whole(x, low, high=math.inf):
    """Whether ``x`` is a whole number in ``[low, high)``."""
    return is_number(x) and x == int(x) and low <= x < high


_SEED = (
    lambda dim, sigma: int(np.random.SeedSequence().generate_state(1)[0]),
    "a whole number in [0, 2**32)",
    lambda x: is_whole(x, 0, 2**32),
)
# (default, what is expected, condition), and the last two alone
POPSIZE = (64, "an even number of at least 2", lambda x: is_whole(x, 2) and x % 2 == 0)
POPSIZE_LOG = (
    lambda dim, sigma: 4 + int(3 * math.log(dim)),
    "a whole number of at least 2",
    lambda x: is_whole(x, 2),
)
FLAG = "true or false", lambda x: isinstance(x, bool)
POSITIVE = "a number greater than 0", lambda x: is_number(x) and x > 0
NOT_NEGATIVE = "a number of at least 0", lambda x: is_number(x) and x >= 0
SHARE = "a number in [0, 1)", lambda x: is_number(x) and 0 <= x < 1
