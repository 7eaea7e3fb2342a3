"""Returns of different environments on one scale: 0 is a random policy, 1 a reference.

The choice of both ends decides how much an environment weighs, so whatever is averaged on this
scale is to be shown together with them.
"""

import csv
import math
import stat
from pathlib import Path

_MAX_FILE = 1_000_000  # bytes
_HEADER = ["env", "low", "high"]

# Random: the mean of 100 to 1000 episodes of uniform actions, measured with Gymnasium 1.4; of
# HalfCheetah, Hopper, Walker2d, Ant and Humanoid the numbers of SimbaV2 (arXiv:2502.15280).
# Reference: the return at which Gymnasium calls a task solved; without one, what is noted.
_CLASSIC = {
    "CartPole-v1": (22.2, 475.0),
    "Acrobot-v1": (-498.3, -100.0),
    "MountainCar-v0": (-200.0, -110.0),
    "MountainCarContinuous-v0": (-33.2, 90.0),
    "Pendulum-v1": (-1240.9, -150.0),  # as TD3, DDPG and TQC of RL Zoo, -151 to -152
}
_BOX2D = {
    "LunarLander-v3": (-181.7, 200.0),
    "LunarLanderContinuous-v3": (-209.8, 200.0),
    "BipedalWalker-v3": (-102.8, 300.0),
    "BipedalWalkerHardcore-v3": (-107.7, 300.0),
}

# Versions that later ones changed too much to share a reference are missing: Ant and Humanoid but
# for v4 (contact forces), Walker2d-v5 (friction of a foot).
_MUJOCO = {
    # TD3 after a million steps, SimbaV2's normalization
    **{f"HalfCheetah-v{v}": (-289.4, 10574.0) for v in (2, 3, 4, 5)},
    **{f"Hopper-v{v}": (18.8, 3226.0) for v in (2, 3, 4, 5)},
    **{f"Walker2d-v{v}": (2.8, 3946.0) for v in (2, 3, 4)},
    "Ant-v4": (-70.3, 3942.0),
    "Humanoid-v4": (120.4, 5165.0),
    # solved
    **{f"Swimmer-v{v}": (0.6, 360.0) for v in (2, 3, 4, 5)},
    **{f"Reacher-v{v}": (-42.9, -3.75) for v in (2, 4, 5)},
    **{f"InvertedPendulum-v{v}": (6.1, 950.0) for v in (2, 4)},
    "InvertedPendulum-v5": (5.1, 950.0),  # no reward for the step that fails
    **{f"InvertedDoublePendulum-v{v}": (57.4, 9100.0) for v in (2, 4)},
    "InvertedDoublePendulum-v5": (47.4, 9100.0),
}

SCORES = {**_CLASSIC, **_BOX2D, **_MUJOCO}  # environment id -> (random, reference)


def normalize(values, low, high):
    """``values`` on the scale where ``low`` is 0 and ``high`` is 1.

    Args:
        values (ndarray or float): returns; may lie outside.
        low, high (float): what a random policy and the reference reach.

    Returns:
        ndarray or float: as ``values``.

    Example:
        >>> normalize(248.6, *SCORES["CartPole-v1"])
        0.5
    """
    return (values - low) / (high - low)


def read_scores(path):
    """Ends of the scale from a CSV file with the columns ``env``, ``low`` and ``high``.

    Args:
        path (Path): the file; its first line names the columns.

    Returns:
        dict: environment id to ``(low, high)``; ``low`` may be the larger number.

    Raises:
        ValueError: it cannot be read as such a table; the message names the line.
    """
    path, scores = Path(path), {}
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):  # to open a FIFO would wait for ever
            raise ValueError(f"{path}: not a file; expected a CSV file of env,low,high")
        if info.st_size > _MAX_FILE:
            raise ValueError(f"{path}: larger than {_MAX_FILE} bytes; expected env,low,high")
        text = path.read_bytes().decode("utf-8-sig")
        rows = [row for row in csv.reader(text.splitlines()) if row]
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; expected a CSV file of env,low,high") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not readable as CSV ({error})") from None
    if not rows or [cell.strip() for cell in rows[0]] != _HEADER:
        first = rows[0] if rows else []
        raise ValueError(f"{path}: the first line is {first!r:.80}; expected env,low,high")
    for row in rows[1:]:
        env, low, high = _read_row(path, row)
        if env in scores:
            raise ValueError(f"{path}: {env!r} stands there twice; expected one line for each")
        scores[env] = low, high
    return scores


def _read_row(path, row):
    try:
        env, (low, high) = row[0].strip(), map(float, row[1:])
        if env and math.isfinite(low) and math.isfinite(high) and low != high:
            return env, low, high
    except ValueError:
        pass
    raise ValueError(
        f"{path}: {','.join(row)!r:.80}; expected an environment and two different numbers"
    )
