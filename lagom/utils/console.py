"""Colors, elapsed time and questions on the terminal."""

import os
import sys
import time
from contextlib import contextmanager
from datetime import datetime, timedelta

# Foreground colors of the control function Select Graphic Rendition (ECMA-48, 8.3.117).
_CODES = {
    "black": 30,
    "red": 31,
    "green": 32,
    "yellow": 33,
    "blue": 34,
    "magenta": 35,
    "cyan": 36,
    "white": 37,
}
_BOLD, _RESET = "\033[1m", "\033[0m"


def color_str(string: str, color: str, bold: bool = False) -> str:
    """Return ``string`` wrapped in the escape codes of ``color``, where colors are wanted.

    They are wanted if stdout is a terminal.  The environment may say otherwise: ``NO_COLOR`` turns
    them off, ``FORCE_COLOR`` on, each by any value but the empty one; the former wins.

    Args:
        string (str): what to print.
        color (str): black, red, green, yellow, blue, magenta, cyan or white.
        bold (bool): bold as well.

    Raises:
        ValueError: if ``color`` is none of the eight, also where no colors are wanted.

    Example:
        >>> title = color_str("lagom", "green", bold=True)
    """
    if color not in _CODES:
        raise ValueError(f"color_str: color is {color!r}; expected one of {', '.join(_CODES)}")
    if os.environ.get("NO_COLOR") or not (os.environ.get("FORCE_COLOR") or sys.stdout.isatty()):
        return string
    return f"\033[{_CODES[color]}m{_BOLD if bold else ''}{string}{_RESET}"


def timed(color="green", bold=False):
    """Print how long a block, or each call of a function, took: seconds rounded, local time.

    An empty line, then ``Total time: H:MM:SS at YYYY-MM-DD HH:MM:SS``, also when an exception ends
    the block; the exception goes on its way.  A context manager and, with parentheses, a decorator.

    Args:
        color (str): of the line, as in :func:`color_str`.
        bold (bool): whether the line is bold.

    Raises:
        ValueError: if ``color`` is unknown; at once, not after the work.

    Example::

        with timed("cyan", bold=True):
            agent.learn(D)
    """
    color_str("", color)
    return _timed(color, bold)


@contextmanager
def _timed(color, bold):
    start = time.perf_counter()
    try:
        yield
    finally:
        elapsed = timedelta(seconds=round(time.perf_counter() - start))
        line = f"Total time: {elapsed} at {datetime.now():%Y-%m-%d %H:%M:%S}"
        print("\n" + color_str(line, color, bold))


def timeit(_func=None, *, color="green", bold=False):
    """Print how long each call of the decorated function took, as :func:`timed` does.

    Write ``@timeit`` or ``@timeit(color="blue")``.  Name, docstring and return value stay those of
    the function.

    Args:
        _func (callable): what is decorated, where there are no parentheses.
        color (str): of the line, as in :func:`color_str`.
        bold (bool): whether the line is bold.

    Raises:
        ValueError: if ``color`` is unknown.
    """
    decorate = timed(color, bold)
    return decorate if _func is None else decorate(_func)


def ask_yes_or_no(msg: str) -> bool:
    """Print ``msg`` and return whether the answer begins with y rather than n, in either case.

    Other answers, and empty ones, are asked for again.

    Raises:
        EOFError: if the input ends without an answer, as where there is no terminal.
    """
    print(msg)
    while True:
        try:
            answer = input(">>> ").strip().lower()
        except EOFError:
            raise EOFError(
                f"ask_yes_or_no: the input ended before {msg!r} was answered; expected y or n"
            ) from None
        if answer.startswith(("y", "n")):
            return answer.startswith("y")
        print("Please answer y or n.")
