"""An environment put through what training will ask of it."""

import signal
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import gymnasium

from lagom.envs import check_api, check_life
from lagom.envs.check_api import Failed
from lagom.envs.check_life import Noted
from lagom.envs.registry import make

_SECONDS = 120  # that a check may take
_HERE = {str(Path(file).resolve().parent) for file in (__file__, gymnasium.__file__)}


class Result(NamedTuple):
    """What came out of a check.

    Attributes:
        name (str): of the check.
        outcome (str): ``ok``, ``failed``, ``note`` (nothing is wrong) or ``skipped``.
        detail (str): what was found.
        advice (str): what to do about it; empty if nothing.
    """

    name: str
    outcome: str
    detail: str
    advice: str = ""


def check_env(id, kwargs=None, render=False):
    """Check the environment called ``id``.

    Args:
        id (str or function): as for :func:`lagom.envs.make`; or what makes the environment, of
            keyword arguments.
        kwargs (dict): for the environment's constructor.
        render (bool): check pictures, too.

    Returns:
        list: a :class:`Result` for each check; those that cannot be tried any more are skipped.
        Whatever an environment raises fails the check it happens in.

    Example:
        >>> {result.outcome for result in check_env("CartPole-v1") if result.name != "speed"}
        {'ok'}
    """
    maker = id if callable(id) else partial(make, id, disable_env_checker=True)
    maker = partial(maker, **(kwargs or {}))
    made, results = [], []

    def try_it(name, function, *args):
        results.append(_result(name, function, *args))
        return results[-1].outcome in ("ok", "note")

    def first():
        made.append(maker())
        return str(made[0])

    def one(name):
        return try_it(name, getattr(check_api, name), made[0])

    going = try_it("make", first)
    going = going and one("spaces")
    going = going and all([one("reset"), one("step")])
    if going:
        going = all([one("observations"), one("rewards"), one("actions")])
        for name in check_life.NAMES:
            try_it(name, getattr(check_life, name), maker)
        if render:
            try_it("rendering", check_life.rendering, maker)
    else:
        reason = f"{results[-1].name if len(results) < 3 else 'reset or step'} failed"
        names = ["spaces", "reset", "step", "observations", "rewards", "actions"]
        names += [*check_life.NAMES, *["rendering"] * render]
        results += [Result(name, "skipped", reason) for name in names[len(results) - 1 :]]
    return results


def _result(name, function, *args):
    try:
        with _time_limit():
            return Result(name, "ok", function(*args))
    except Noted as noted:
        return Result(name, "note", noted.detail, noted.advice)
    except Failed as failed:
        return Result(name, "failed", failed.detail, failed.advice)
    except Exception as error:  # whatever the environment does
        advice = "" if name == "make" else f"raised {_where(error)}"
        message = str(error).splitlines()[0] if str(error) else ""
        kind = "" if name == "make" and isinstance(error, ValueError) else type(error).__name__
        return Result(name, "failed", f"{kind}: {message}" if kind else message, advice)


def _where(error):
    """The last line of code outside of lagom and Gymnasium, or else the last one."""
    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        text = f"in {Path(file).name}, line {trace.tb_lineno}"
        if not any(file.startswith(folder) for folder in _HERE) or not place:
            place = text
        trace = trace.tb_next
    return place


@contextmanager
def _time_limit():
    """Raise ``TimeoutError`` in code that takes too long, as far as Python runs it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        raise TimeoutError(f"no end after {_SECONDS:g} s")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
