"""What the user sees of running jobs: bars on a terminal, a line per finished job elsewhere."""

import math
import sys
import time
import unicodedata

from lagom.experiment import storage
from lagom.vis.style import shorten

_MIN_WIDTH = 8  # places of a column that is cut
_SHOWN = 8  # running jobs with a bar of their own


class Display:
    """Shows jobs while they run; a context manager.

    Args:
        jobs (list): all jobs.
        varying (list): keys in which their configurations differ.
        workers (int): jobs at a time.
    """

    def __init__(self, jobs, varying, workers):
        self.jobs, self.varying = jobs, varying
        self.start, self.num_finished, self.bars = time.monotonic(), 0, {}
        self.total = self.progress = None
        configs = len({job.config["ID"] for job in jobs})
        algos, envs = (
            ", ".join(dict.fromkeys(job.config[key] for job in jobs))
            for key in ("algo.name", "env.id")
        )
        print(
            f"{algos} on {envs}: "
            f"{_count(configs, 'configuration')}, {_count(len(jobs), 'job')}, {workers} at a time"
            f" -> {first_folder(jobs)}",
            file=sys.stderr,
        )

    @property
    def seconds(self):
        """Seconds since the display was made."""
        return time.monotonic() - self.start

    def __enter__(self):
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self.progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.percentage:3.0f}%"),
                TextColumn("{task.fields[text]}", markup=False),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self.progress.start()
            if len(self.jobs) > 1:
                self.total = self.progress.add_task("all jobs", total=len(self.jobs), text="")
        return self

    def __exit__(self, *exc):
        if self.progress is not None:
            self.progress.stop()

    def update(self, running, finished):
        """Show that ``running`` jobs run and that ``finished`` ones (job, status, result) ended."""
        for job, status, result in finished:
            self.num_finished += 1
            self._finish(job, status, result)
        if self.progress is None:
            return
        for job in running[:_SHOWN]:
            status = read_status(job)
            bar = self.bars.get(job.logdir)
            if bar is None:
                total = job.config.get("train.timestep")
                bar = self.progress.add_task(label(job, self.varying), total=total, text="")
                self.bars[job.logdir] = bar
            self.progress.update(bar, completed=status.get("timestep", 0), text=_text(status))
        if self.total is not None:
            self.progress.update(self.total, completed=self.num_finished)

    def _finish(self, job, status, result):
        state = read_status(job)
        line = f"[{self.num_finished}/{len(self.jobs)}] {label(job, self.varying)}: {status}"
        if status == "done":
            line += f" at {state.get('timestep', 0)} steps, {_text(state)}"
            if "resumed" in state:
                line += f" (resumed at timestep {state['resumed']})"
        elif status != "stopped":
            line += (
                f": {type(result).__name__}: {str(result).splitlines()[0] if str(result) else ''}"
            )
            line += f" -> {job.logdir / 'job.log'}"
        bar = self.bars.pop(job.logdir, None)
        if self.progress is None:
            print(line, file=sys.stderr, flush=True)
            return
        if bar is not None:
            self.progress.remove_task(bar)
        self.progress.console.print(line, markup=False, highlight=False)


def summarize(jobs, varying, seconds):
    """Print what came out: a line for each configuration, and what to do next."""
    print(f"{first_folder(jobs)}: {_states(jobs)} in {duration(seconds)}")
    rows = [["ID", *varying, "seeds", "return"]]
    for ID in dict.fromkeys(job.config["ID"] for job in jobs):
        same = [job for job in jobs if job.config["ID"] == ID]
        states = [read_status(job) for job in same]
        done = [s for s in states if s.get("status") == "done"]
        returns = [s["return"] for s in done if isinstance(s.get("return"), int | float)]
        values = [str(same[0].config.get(key, "")) for key in varying]
        rows.append([str(ID), *values, f"{len(done)}/{len(same)}", _mean(returns)])
    print_table(rows)
    for job in jobs:
        state = read_status(job)
        if state.get("status") in ("failed", "diverged"):
            print(f"  {state['status']}: {job.logdir}: {state.get('error')}", file=sys.stderr)
    print(f"next: lagom plot {first_folder(jobs)}")


def print_table(rows):
    """Print rows of text in columns."""
    for line in columns(rows):
        print(f"  {line}")


def columns(rows, width=math.inf, flexible=()):
    """Rows of text as lines of aligned columns, without those that are empty.

    Args:
        rows (list): lists of str, of equal length.
        width (float): places on the terminal.  Lines that are wider lose the middle of their texts
            in the columns ``flexible``, the widest of these first, then their ends.
        flexible (tuple): places of columns in a row.

    Returns:
        list: a str for each row.
    """
    used = [i for i in range(len(rows[0])) if any(row[i] for row in rows)]
    widths = {i: max(count_places(row[i]) for row in rows) for i in used}
    while sum(widths.values()) + 2 * (len(used) - 1) > width:
        widest = max((i for i in used if i in flexible), key=widths.get, default=None)
        if widest is None or widths[widest] <= _MIN_WIDTH:
            break
        widths[widest] -= 1
    lines = []
    for row in rows:
        cells = [_cut(row[i], widths[i]) for i in used]
        padded = [c + " " * (widths[i] - count_places(c)) for i, c in zip(used, cells, strict=True)]
        lines.append(clip("  ".join(padded).rstrip(), width))
    return lines


def count_places(text):
    """How many places ``text`` takes on a terminal."""
    if max(text, default="") < "\u0300":  # below are neither wide nor combining ones
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def _cut(text, width):
    """``text`` in ``width`` places, without its middle."""
    num = width
    while count_places(text) > width:
        text, num = shorten(text, num), num - 1
    return text


def clip(text, width):
    """``text`` in ``width`` places, without its end."""
    if count_places(text) <= width:
        return text
    text = text[: width - 1]
    while count_places(text) >= width:
        text = text[:-1]
    return f"{text}…"


def exit_code(jobs):
    """The contract's exit code for what became of ``jobs``."""
    states = [read_status(job) for job in jobs]
    if any(s.get("storage_full") for s in states):
        return 6
    if any(s.get("status") == "stopped" for s in states):
        return 130
    return 0 if all(s.get("status") == "done" for s in states) else 3


def read_status(job):
    """The content of a job's ``status.json``; empty if there is none."""
    try:
        status = storage.read_json(job.logdir / "status.json")
    except (OSError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}


def label(job, varying):
    """A short name of a job: what differs, and its seed."""
    names = {"algo.name": "", "env.id": ""}
    parts = [
        f"{names.get(key, key.split('.')[-1] + '=')}{job.config[key]}"
        for key in varying
        if key in job.config
    ]
    return " ".join([f"{job.config['ID']}/{job.seed}", *parts])


def first_folder(jobs):
    """The folder of the experiment."""
    return jobs[0].logdir.parents[1]


def _text(status):
    value = status.get("return")
    return f"return {value:.4g}" if isinstance(value, int | float) else ""


def _mean(returns):
    if not returns:
        return "-"
    mean = sum(returns) / len(returns)
    if len(returns) == 1:
        return f"{mean:.4g}"
    sd = math.sqrt(sum((x - mean) ** 2 for x in returns) / (len(returns) - 1))
    return f"{mean:.4g} (sd {sd:.3g}, {min(returns):.4g} to {max(returns):.4g})"


def _states(jobs):
    states = [read_status(job).get("status", "waiting") for job in jobs]
    parts = [f"{states.count(s)} {s}" for s in dict.fromkeys(states)]
    return f"{_count(len(jobs), 'job')}: {', '.join(parts)}"


def _count(n, noun):
    return f"{n} {noun}{'' if n == 1 else 's'}"


def duration(seconds):
    """``seconds`` as people say it."""
    minutes, seconds = divmod(round(seconds), 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else (f"{minutes} min {seconds} s" if minutes else f"{seconds} s")
    )
