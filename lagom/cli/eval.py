"""``lagom eval``: what a saved policy earns, on episodes of its own, and how it looks."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from lagom.cli.plot import check_path, complain, echo, report
from lagom.cli.progress import columns
from lagom.experiment.storage import is_storage_full, read_json
from lagom.vis.contrast import contrast
from lagom.vis.runs import read_states
from lagom.vis.style import plain, shorten
from lagom.vis.verdicts import number
from lagom.vis.video import SUFFIXES, Film, VideoWriter

_MAX_FILM = 10  # episodes in one picture


def evaluate(path, episodes=10, video=None, cells=1, seed=0, as_json=False):
    """Evaluate the policies of the runs at or below ``path``, greedily.

    Args:
        path (Path): a job, a configuration, an experiment, or a folder with a policy alone.
        episodes (int): of each run.
        video (Path): film of the first ``cells`` episodes; with several runs, one film each, whose
            names get the ID and the seed.
        cells (int): episodes side by side in the film, ten at most.
        seed (int): another one plays other episodes.
        as_json (bool): print everything, as one JSON object.

    Returns:
        int: exit code: 0 evaluated, 2 wrong words, 4 cannot write, 5 a policy is missing or cannot
        be played, 6 storage full.
    """
    path, video = Path(path), None if video is None else Path(video)
    try:
        check_path(path)
        _check_words(episodes, video, cells, seed)
    except ValueError as error:
        return complain(f"error: {plain(error)}", 2)
    targets, messages = find_policies(path)
    report(messages)
    if not targets:
        what = "a policy is written when a run is done; lagom status shows how far it is"
        return complain(f"error: no policy in {plain(path)}; {what}", 5)
    rows, code = [], 0
    for target in targets:
        own = video if video is None or len(targets) == 1 else _numbered(video, target)
        row, worst = _evaluate_one(target, episodes, own, cells, seed)
        code = max(code, worst)
        rows += [row] if row else []
    if not rows:
        return code
    summary = _over_seeds(rows)
    if as_json:
        text = {"runs": _finite(rows), "configurations": _finite(summary)}
        echo(json.dumps(text, indent=1, allow_nan=False))
    else:
        _print(rows, summary)
    return code


def _check_words(episodes, video, cells, seed):
    if episodes < 1:
        raise ValueError(f"--episodes: got {episodes}; expected at least 1")
    if not 1 <= cells <= _MAX_FILM:
        raise ValueError(f"--cells: got {cells}; expected 1 to {_MAX_FILM}")
    if not 0 <= seed < 2**30:
        raise ValueError(f"--seed: got {seed}; expected 0 to {2**30 - 1}")
    if video is not None and video.suffix.lower() not in SUFFIXES:
        expected = f"expected a name in {', '.join(SUFFIXES)}"
        raise ValueError(f"--video: {str(video)!r} is no film; {expected}")
    if video is not None and not video.parent.is_dir():
        raise ValueError(f"--video: no such folder {str(video.parent)!r}; make it first")


def find_policies(path):
    """The saved policies at or below ``path``.

    Args:
        path (Path): a job, a configuration, an experiment, or a folder with a policy alone.

    Returns:
        tuple: dictionaries of ``policy`` (Path), and of ``path``, ``experiment``, ``ID``, ``seed``
        and ``timestep`` (None for a policy alone); and messages about runs that have none.
    """
    if (path / "policy.json").exists():
        nothing = dict.fromkeys(("experiment", "ID", "seed", "timestep"))
        return [{"policy": path, "path": str(path), **nothing}], []
    runs, _, messages = read_states([path])
    targets = []
    for run in runs:
        if (run.path / "policy" / "policy.json").exists():
            targets.append(
                {
                    "policy": run.path / "policy",
                    "path": str(run.path),
                    "experiment": run.experiment,
                    "ID": run.ID,
                    "seed": run.seed,
                    "timestep": run.state.get("timestep"),
                }
            )
        else:
            messages.append(f"{run.path}: no policy; the run is {run.status}")
    return targets, messages


def _numbered(video, target):
    return video.with_stem(f"{video.stem}-{target['ID']}-{target['seed']}")


def _evaluate_one(target, episodes, video, cells, seed):
    """A row of numbers, None if the policy cannot be played; and an exit code."""
    from lagom.experiment.evaluate import evaluate as play

    policy, code = target["policy"], 0
    film = None if video is None else _open_film(policy, video, min(cells, episodes))
    try:
        config = read_json(policy / "policy.json")["config"]
        names = {"algo": str(config["algo.name"]), "env": str(config["env.id"])}
        played = play(policy, episodes, seed, film)
    except (ValueError, OSError) as error:
        return None, complain(f"error: {plain(error)}", 5)
    except (KeyError, TypeError) as error:
        return None, complain(f"error: {plain(policy)}: policy refused: {error!r}", 5)
    except Exception as error:  # the environment's own
        where = plain(target["path"])
        return None, complain(f"error: {where}: {type(error).__name__}: {plain(error)}", 3)
    if film is not None:
        code = film.finish()
    returns = np.array(played["returns"])
    estimate = contrast([returns], [1.0])
    return {
        **{key: value for key, value in target.items() if key != "policy"},
        **names,
        "episodes": len(returns),
        "return": float(returns.mean()),
        "return_std": float(returns.std()),
        "low": estimate.low,
        "high": estimate.high,
        "length": float(np.mean(played["lengths"])),
        **played,
        "video": None if film is None or code else str(film.writer.path),
    }, code


def _open_film(policy, video, num):
    """Where pictures go; None, with a message, if there are none to be had."""
    from lagom.experiment.evaluate import film_rate

    try:
        return _Recording(VideoWriter(video, film_rate(policy)), num, video)
    except (ValueError, OSError) as error:
        complain(f"no video: {plain(error)}; the evaluation goes on without")
        return None


class _Recording:
    """A film that never stops the evaluation: what goes wrong with it is told in the end.

    Args:
        writer (VideoWriter): of the film.
        num (int): episodes side by side.
        wanted (Path): the file the user named.
    """

    def __init__(self, writer, num, wanted):
        self.writer, self.wanted, self.error = writer, wanted, None
        self.film = Film(writer, num)

    def __call__(self, env, done):
        if self.error is None:
            try:
                self.film(env, done)
            except Exception as error:  # of the environment, its drivers or ffmpeg
                self.error = error

    def finish(self):
        """Write the film; return the exit code."""
        try:
            if self.error is None:
                self.writer.close()
        except OSError as error:
            code = 6 if is_storage_full(error) else 4
            what = f"cannot write {plain(self.writer.path)} ({error.strerror})"
            return complain(f"error: {what}; choose another file with --video", code)
        except RuntimeError as error:
            self.error = error
        if self.error is not None:
            return complain(f"error: no video: {type(self.error).__name__}: {plain(self.error)}", 3)
        instead = ""
        if self.writer.path != self.wanted:
            instead = (
                f", as there is no ffmpeg for {self.wanted.suffix}: pip install 'lagom[video]'"
            )
        seconds = self.writer.num / self.writer.fps
        complain(f"wrote {plain(self.writer.path)} ({seconds:.1f} s){instead}")
        return 0


def _over_seeds(rows):
    """What the runs of each configuration come to: a mean of means, with Student's interval."""
    groups = defaultdict(list)
    for row in rows:
        if row["ID"] is not None:
            groups[row["experiment"], row["ID"]].append(row)
    out = []
    for (experiment, ID), own in groups.items():
        estimate = contrast([np.array([row["return"] for row in own])], [1.0])
        out.append(
            {
                "experiment": experiment,
                "ID": ID,
                "algo": own[0]["algo"],
                "env": own[0]["env"],
                "seeds": [row["seed"] for row in own],
                "return": estimate.value,
                "return_std": float(np.std([row["return"] for row in own])),
                "low": estimate.low,
                "high": estimate.high,
            }
        )
    return out


def _finite(rows):
    """Rows for JSON, which knows no NaN: the interval of a single number is null."""
    return [{k: None if v != v else v for k, v in row.items()} for row in rows]


def _print(rows, summary):
    header = ["run", "algorithm", "environment", "steps", "episodes", "return", "95 %", "length"]
    lines = []
    for row in rows:
        steps = "" if row["timestep"] is None else f"{row['timestep']:.10g}"
        names = [shorten(plain(row[key])) for key in ("algo", "env")]
        lines.append(
            [plain(row["path"]), *names, steps, str(row["episodes"]), *_earned(row)]
            + [f"{row['length']:.1f}"]
        )
    for line in columns([header, *lines]):
        echo(line)
    several = [row for row in summary if len(row["seeds"]) > 1]
    if several:
        header = ["over seeds", "algorithm", "environment", "seeds", "return", "95 %"]
        lines = [
            [
                plain(f"{Path(row['experiment']).name}/{row['ID']}"),
                *(shorten(plain(row[key])) for key in ("algo", "env")),
                str(len(row["seeds"])),
                *_earned(row),
            ]
            for row in several
        ]
        echo("")
        for line in columns([header, *lines]):
            echo(line)


def _earned(row):
    """``123.4 ± 5.6`` and ``118 to 129``."""
    spread = row["return_std"]
    value, low, high = (number(row[key], spread) for key in ("return", "low", "high"))
    interval = "-" if low == "-" else f"{low} to {high}"
    return [f"{value} ± {number(spread, spread)}", interval]
