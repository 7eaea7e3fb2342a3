"""Hyperparameters that Optuna chooses: each trial a configuration, run on all seeds.

Optuna is asked and told; the jobs, their folders and their resuming are lagom's own, so that a
trial is an ordinary configuration of the experiment's table.
"""

import math
import os
import statistics
import sys
import time
import warnings
from itertools import takewhile
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from lagom.cli.plugins import Launcher, Sweeper, leave_if_stopped, need_extra
from lagom.cli.prepare import Composer, pending, prepare, show_plan
from lagom.cli.progress import duration, print_table, read_status
from lagom.cli.training import say
from lagom.cli.trials import STATISTICS, Trials, last_value, plain, short, word
from lagom.cli.words import Refused
from lagom.experiment import storage
from lagom.experiment.schema import nearest
from lagom.experiment.sweep import make_jobs
from lagom.utils import Seeder

_SHOWN = 10  # trials of the final table
_CHOICES = {
    "direction": ["maximize", "minimize"],
    "statistic": [*STATISTICS],
    # Not Optuna's CMA-ES: it keeps its state as a pickle, and reading that can run code.
    "sampler": ["tpe", "random", "gp"],
    "pruner": ["none", "median"],
}
_LEAST = {"n_trials": 1, "n_jobs": 1, "seed": 0, "validate": 0}
_NO_MATTER = ("name", "fresh", "device", "threads", "checkpoint.every", "checkpoint.keep")


class OptunaSweeper(Sweeper):
    """Trials that Optuna chooses; then the winner once more, on seeds that had no say.

    Args:
        params (dict): search space from YAML; the command line has the last word on a key.
        dry_run (bool): show what would be done, and how long a trial takes.
        options: the other keys of ``conf/hydra/sweeper/optuna.yaml``.
    """

    def __init__(self, params, dry_run=False, **options):
        super().__init__(1, 0, params, dry_run)
        self.options = options

    def setup(self, *, hydra_context, task_function, config):
        _check(self.options)
        need_extra("hydra/sweeper=optuna", "optuna", "optuna")
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments):
        """Run everything; leave through ``SystemExit`` with the contract's exit code."""
        start = time.monotonic()
        words, seeds = self.words_and_seeds(arguments)
        space, fixed = search_space(words)
        folder, configs = prepare(self.config, self.loader, corners(space, fixed))
        workers = getattr(self.launcher, "workers", os.cpu_count())
        if self.dry_run:
            show_plan(folder, configs[:1], [], seeds, workers)
            print(f"times {self.options['n_trials']} trials over:")
            print_table([[key, str(distribution)] for key, distribution in space.items()])
            sys.exit(0)
        folder.mkdir(parents=True, exist_ok=True)
        with storage.lock(folder), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna's, about what it calls experimental
            study = self._open(folder, space, fixed, seeds)
            # So many that one with a single job left keeps no worker waiting.
            n_jobs = self.options["n_jobs"] or 1 + math.ceil((workers - 1) / len(seeds))
            compose = Composer(self.config, self.loader)
            trials = Trials(
                study, folder, compose, space, fixed, seeds, n_jobs, self.options, self.config.fresh
            )
            say(
                f"{configs[0]['algo.name']} on {configs[0]['env.id']}: {self.options['n_trials']} "
                f"trials x {len(seeds)} seeds, {n_jobs} at a time -> {folder}"
            )
            self._run(trials, configs[0]["device"])
            code = self._finish(trials, seeds)
        print(f"{duration(time.monotonic() - start)}; next: lagom plot {folder}")
        sys.exit(code)

    def _open(self, folder, space, fixed, seeds):
        """The study, begun or continued."""
        import optuna
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        where = str(self.options["storage"] or folder / "study.journal")
        try:
            if "://" in where:
                kept = where
            else:
                if self.config.fresh and Path(where).exists():
                    say(f"{where} set aside as {storage.set_aside(where).name}")
                kept = optuna.storages.JournalStorage(JournalFileBackend(where))
            pruners = {"none": optuna.pruners.NopPruner, "median": optuna.pruners.MedianPruner}
            study = optuna.create_study(
                storage=kept,
                study_name=folder.name,
                direction=self.options["direction"],
                pruner=pruners[self.options["pruner"]](),
                load_if_exists=True,
            )
            other = _difference(study, definition(space, fixed, seeds, self.options))
        except Exception as error:  # whatever files and databases do wrong
            reason = (str(error).strip().splitlines() or [""])[0]
            other = f"not readable as a study ({type(error).__name__}: {reason})"
        if other:
            say(f"{where}: {other}; name=... goes to another folder, fresh=true begins anew")
            sys.exit(4)
        return study

    def _run(self, trials, device):
        """All trials, by whatever launcher was chosen."""
        if isinstance(self.launcher, Launcher):
            scheduler = self.launcher.scheduler(self.launcher.workers, device, trials.watch)
            trials.stop = scheduler.stop
            leave_if_stopped(scheduler, scheduler(trials.jobs()), lambda: None)
            return
        jobs = trials.jobs()
        while batch := [*takewhile(lambda job: job is not None, jobs)]:
            self.run_jobs(batch, trials.keys)
            ends = [(job, read_status(job).get("status"), None) for job in batch]
            trials.watch([], ends)
            if any(status not in ("done", "failed", "diverged") for _, status, _ in ends):
                say("some jobs did not end; the same command continues")
                sys.exit(3)

    def _finish(self, trials, seeds):
        """Show what came out, try the winner on new seeds, note both; return the exit code."""
        complete = trials.complete()
        counts = trials.counts()
        states = ", ".join(f"{n} {state}" for state, n in counts.items())
        print(f"{trials.folder}: {sum(counts.values())} trials: {states}")
        if not complete:
            say("no trial came to an end; see job.log in the folders of the jobs")
            return 3
        rows = [["trial", "ID", *trials.keys, trials.title]]
        for trial in complete[:_SHOWN]:
            values = [str(plain(trial.params[key])) for key in trials.space]
            rows.append(
                [str(trial.number), str(trial.user_attrs["ID"]), *values, short(trial.value)]
            )
        print_table(rows)
        best = complete[0]
        words = " ".join(word(key, best.params[key]) for key in trials.space)
        print(f"best: trial {best.number}, ID {best.user_attrs['ID']}: {words}")
        print(f"selected on seeds {_list(seeds)}: {trials.title} {short(best.value)}")
        record = {
            "direction": self.options["direction"],
            "metric": self.options["metric"],
            "statistic": self.options["statistic"],
            "trials": counts,
            "best": {
                "trial": best.number,
                "ID": best.user_attrs["ID"],
                "params": {key: plain(best.params[key]) for key in trials.space},
                "seeds": seeds,
                "value": best.value,
            },
            "validation": None,
        }
        all_well = not counts.keys() - {"complete", "pruned"}
        if self.options["validate"]:
            record["validation"], well = self._validate(trials, best, seeds)
            all_well = all_well and well
        storage.write_json(trials.folder / "optuna.json", record)
        return 0 if all_well else 3

    def _validate(self, trials, best, seeds):
        """The winner on seeds that had no say in its choice; and whether all went well."""
        ID = best.user_attrs["ID"]
        config = {**storage.read_yaml(trials.folder / str(ID) / "config.yml"), "ID": ID}
        jobs = make_jobs(trials.folder, [config], new_seeds(seeds, self.options["validate"]))
        self.run_jobs(pending(jobs, fresh=False), [])
        values = {}
        for job in jobs:
            try:
                if (status := read_status(job).get("status")) != "done":
                    raise ValueError(f"{job.logdir}: {status}; left out of the validation")
                values[job.seed] = last_value(job, self.options["metric"])
            except ValueError as error:
                say(str(error))
        result = {"seeds": [*values], "values": [*values.values()], "mean": None, "sd": None}
        if values:
            result["mean"] = statistics.fmean(values.values())
            result["sd"] = statistics.stdev(values.values()) if len(values) > 1 else None
            sd = "" if result["sd"] is None else f" +- {short(result['sd'])} (mean +- sd)"
            print(f"re-validated on {_list(values)}: {short(result['mean'])}{sd}")
        return result, len(values) == len(jobs)


def _check(options):
    """Refuse what the sweeper does not know.

    Raises:
        Refused: all problems found.
    """
    complaints = []
    for key, allowed in _CHOICES.items():
        if options[key] not in allowed:
            names, near = ", ".join(allowed), nearest(options[key], allowed)
            complaints.append(f"{key}: got {options[key]!r}; expected one of: {names}{near}")
    for key, least in _LEAST.items():
        value = options[key]
        if not ((type(value) is int and value >= least) or (key == "n_jobs" and value is None)):
            complaints.append(f"{key}: got {value!r}; expected at least {least}")
    if options["pruner"] != "none" and options["metric"].startswith("train."):
        complaints.append("pruner: evaluations are compared; expected a metric of theirs, or none")
    if complaints:
        raise Refused("\n".join(f"hydra.sweeper.{text}" for text in complaints))


def search_space(words):
    """What is to be found, and what is given.

    Args:
        words (list): overrides; a later word for the same key replaces an earlier one.

    Returns:
        tuple: key -> Optuna's distribution, and the words that are no sweep.

    Raises:
        Refused: an empty interval, or nothing to search.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    space, fixed = {}, {}
    for override in OverridesParser.create().parse_overrides(words):
        key = override.get_key_element().lstrip("+")  # +a and ++a are a
        space.pop(key, None)
        fixed.pop(key, None)
        if not override.is_sweep_override():
            fixed[key] = override.input_line
        elif override.is_interval_sweep():
            interval = override.value()
            kind = IntDistribution if isinstance(interval.start, int) else FloatDistribution
            try:
                space[key] = kind(interval.start, interval.end, log="log" in interval.tags)
            except ValueError as error:
                raise Refused(f"{key}: {error}") from None
        else:
            space[key] = CategoricalDistribution([*override.sweep_string_iterator()])
    if not space:
        raise Refused(
            "hydra/sweeper=optuna: nothing to search; expected intervals or choices, such as "
            "agent.lr=tag(log,interval(1e-5,1e-2)) or agent.num_epoch=3,10"
        )
    return space, [*fixed.values()]


def corners(space, fixed):
    """Lists of words that name each choice and the ends of each interval at least once."""
    ends = {key: getattr(x, "choices", None) or (x.low, x.high) for key, x in space.items()}
    first = {key: values[0] for key, values in ends.items()}
    points = [first] + [first | {key: x} for key, values in ends.items() for x in values[1:]]
    return [[*fixed, *(word(key, x) for key, x in point.items())] for point in points]


def definition(space, fixed, seeds, options):
    """What must stay the same for the trials of a study to be comparable, as plain data."""
    from optuna.distributions import distribution_to_json

    same = sorted(w for w in fixed if w.split("=")[0].lstrip("+") not in _NO_MATTER)
    return {
        **{key: distribution_to_json(distribution) for key, distribution in space.items()},
        **{w.split("=")[0].lstrip("+"): w.partition("=")[2] for w in same},
        **{f"hydra.sweeper.{key}": options[key] for key in ("direction", "metric", "statistic")},
        "seeds": seeds,
    }


def _difference(study, now):
    """What a study was begun with and ``now`` is different, or None; noted if it has just begun."""
    before = study.user_attrs.get("definition")
    if before is None:
        study.set_user_attr("definition", now)
        return None
    for key in before | now:
        if before.get(key) != now.get(key):
            was, is_ = (x.get(key, "not given") for x in (before, now))
            return f"the study was begun with another {key}: {was}, now {is_}"
    return None


def new_seeds(used, num):
    """``num`` seeds that are not among ``used``."""
    return [seed for seed in Seeder(0)(len(used) + num) if seed not in used][:num]


def _list(values):
    return ", ".join(map(str, values))
