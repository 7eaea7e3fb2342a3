"""Sweeps: the score of every configuration, and what each varied hyperparameter explains."""

import math
from dataclasses import dataclass

import numpy as np

from lagom.vis.curves import final_scores, student_t
from lagom.vis.importance import importance, make_key
from lagom.vis.runs import split_key
from lagom.vis.style import BROKEN, count_seeds, differing, plain, shorten, text_of

MAX_KEY = 6  # panels of a figure
_MIN_FIT = 8  # configurations; fewer say nothing about several keys


@dataclass(frozen=True, eq=False)
class Trial:
    """A configuration of a sweep.

    Args:
        ID (int): its number in the experiment.
        config (dict): dotted key to value.
        runs (list of Run): its seeds.
        scores (ndarray): ``[len(runs)]``, mean of the last 10 % of the rows of each; NaN where
            nothing is logged.
        mean (float): over the seeds; NaN if all of them failed or diverged, or none has a score.
        half (float): half the width of the 95 % Student-t interval; NaN for a single seed.
    """

    ID: int
    config: dict
    runs: list
    scores: np.ndarray
    mean: float
    half: float

    @property
    def is_broken(self):
        """Whether no seed is left that did not fail or diverge."""
        return all(run.status in BROKEN for run in self.runs)


@dataclass(frozen=True)
class Sweep:
    """What came out of a sweep.

    Args:
        trials (list of Trial): the configurations.
        keys (list of Key): what differs between them, the most important first.
        shares (ndarray): ``[len(keys)]``, see ``importance``; NaN without a fit.
        R2 (float): cross-validated; NaN without a fit.
        y (str): what the score is.
    """

    trials: list
    keys: list
    shares: np.ndarray
    R2: float
    y: str

    @property
    def best(self):
        """The trials that have a mean, the highest first."""
        scored = [trial for trial in self.trials if math.isfinite(trial.mean)]
        return sorted(scored, key=lambda trial: -trial.mean)


def make_sweep(curves, y="return"):
    """The configurations of a sweep with their scores, and what each key explains.

    Args:
        curves (list of Curve): as ``make_curves`` gave them for the runs of one algorithm in one
            environment, without groups.
        y (str): column that was taken.

    Returns:
        Sweep: its importances come from the configurations that have a mean; fewer than 8 of them
        are not fitted.

    Raises:
        ValueError: several environments or algorithms, or no key that differs.
    """
    runs = [run for curve in curves for run in curve.runs]
    for name, found in (
        ("environments", {run.environment for run in runs}),
        ("algorithms", {run.algo for run in runs}),
    ):
        if len(found) > 1:
            few = ", ".join(shorten(plain(text)) for text in sorted(found)[:3])
            raise ValueError(
                f"--sweep: {len(found)} {name} ({few}); expected the runs of one; name the "
                "folders of its configurations, such as PATH/0 PATH/1"
            )
    trials = [_make_trial(curve) for curve in curves]
    names = differing([trial.config for trial in trials]) if trials else []
    if not names:
        what = f"no key differs between {len(trials)} configurations"
        raise ValueError(f"--sweep: {what}; expected the runs of a sweep, such as agent.lr=0.1,0.2")
    keys = []
    for name in names:
        values = [trial.config.get(name, "-") for trial in trials]
        keys.append(make_key(name, values, [plain(text_of(value)) for value in values]))
    means = np.array([trial.mean for trial in trials])  # [N]
    shares, R2 = np.full(len(keys), np.nan), np.nan
    if np.isfinite(means).sum() >= _MIN_FIT:
        shares, R2 = importance(keys, means)
    order = np.argsort(-shares, kind="stable") if R2 > 0 else np.arange(len(keys))
    return Sweep(trials, [keys[i] for i in order], shares[order], float(R2), split_key(y)[1])


def _make_trial(curve):
    runs, scores = curve.runs, final_scores(curve)
    mean, half = student_t(scores)
    if all(run.status in BROKEN for run in runs):
        mean = half = np.nan
    return Trial(runs[0].ID, runs[0].config, runs, scores, float(mean), float(half))


def describe(sweep):
    """What a reader of the figure or the table has to know, as sentences."""
    num = len(sweep.trials)
    broken = sum(trial.is_broken for trial in sweep.trials)
    unknown = num - len(sweep.best) - broken
    running = sum(run.status == "running" for trial in sweep.trials for run in trial.runs)
    notes = [f"{num} configurations"]
    notes += [f"{broken} × all of whose seeds failed or diverged"] if broken else []
    notes += [f"{unknown} without a score"] if unknown else []
    notes += [f"{running} seeds still running"] if running else []
    if not math.isfinite(sweep.R2):
        fit = f"Fewer than {_MIN_FIT} with a score, or all alike: no importance is estimated"
    elif sweep.R2 <= 0:
        fit = f"An additive fit explains nothing (cross-validated R² = {sweep.R2:.2f})"
    else:
        fit = f"Importance from an additive fit, cross-validated R² = {sweep.R2:.2f}"
    hidden = len(sweep.keys) - MAX_KEY
    fit += f"; {MAX_KEY} of {len(sweep.keys)} keys are drawn" if hidden > 0 else ""
    return [
        f"{', '.join(notes)}.",
        f"{fit}.",
        f"The best of {num} look better than they are: run them with new seeds to report them.",
    ]


def best_rows(sweep, num):
    """The best configurations as rows of text, the header first.

    Args:
        sweep (Sweep): as ``make_sweep`` gave it.
        num (int): greatest number of configurations.

    Returns:
        list: lists of str: rank, ID, value of each key, mean with interval, seeds in words.
    """
    index = {id(trial): i for i, trial in enumerate(sweep.trials)}
    names = [plain(key.name.removeprefix("agent.")) for key in sweep.keys]
    rows = [["rank", "ID", *names, f"final {sweep.y}", "seeds"]]
    for rank, trial in enumerate(sweep.best[:num], 1):
        values = [key.texts[index[id(trial)]] for key in sweep.keys]
        half = f" ± {trial.half:.3g}" if math.isfinite(trial.half) else ""
        mean = f"{trial.mean:.4g}{half}"
        rows.append([str(rank), str(trial.ID), *values, mean, count_seeds(trial.runs)])
    return rows
