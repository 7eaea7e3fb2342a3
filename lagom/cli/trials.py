"""The trials of an Optuna study as jobs of an experiment."""

import math
import statistics

from lagom.cli.plugins import plan_jobs
from lagom.cli.prepare import pending
from lagom.cli.progress import read_status
from lagom.cli.training import say
from lagom.experiment.journal import read_logs
from lagom.experiment.schema import check
from lagom.utils import Seeder

_NAMES = {"algo": "algo.name", "env": "env.id"}


def iqm(values):
    """The mean of the middle half (Agarwal et al., 2021, arXiv:2108.13264).

    Example:
        >>> iqm([9.0, 1.0, 2.0, 4.0])
        3.0
    """
    cut = len(values) // 4
    return statistics.fmean(sorted(values)[cut : len(values) - cut])


STATISTICS = {"mean": statistics.fmean, "median": statistics.median, "min": min, "iqm": iqm}


class Trials:
    """The trials of a study as jobs: asked for when there is room, told when they have ended.

    Args:
        study (optuna.Study): where they are kept.
        folder (Path): of the experiment.
        compose (Composer): words -> configuration.
        space (dict): key -> Optuna's distribution.
        fixed (list): words that all trials share.
        seeds (list): of each trial.
        n_jobs (int): trials at a time.
        options (dict): of the sweeper.
        fresh (bool): set aside what earlier commands left of a trial's configuration.

    Attributes:
        stop (callable): ``stop(job)`` asks a running job to stop; for pruning.
    """

    def __init__(self, study, folder, compose, space, fixed, seeds, n_jobs, options, fresh=False):
        self.study, self.folder, self.compose = study, folder, compose
        self.space, self.fixed, self.seeds = space, fixed, seeds
        self.n_jobs, self.options, self.fresh = n_jobs, options, fresh
        self.keys = [_NAMES.get(key, key) for key in space]
        self.title = f"{options['metric']} ({options['statistic']} of {len(seeds)})"
        self.statistic = STATISTICS[options["statistic"]]
        self.stop = lambda job: None
        self.active, self.begun = {}, set()  # ID -> _Active; IDs

    def jobs(self):
        """Jobs without end of trials, one after the other; None where one has to wait.

        Trials that were interrupted come first.
        """
        from optuna.trial import Trial, TrialState

        for frozen in self.study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
            yield from self._room()
            yield from self._begin(Trial(self.study, frozen._trial_id))
        while (number := len(self.study.get_trials(deepcopy=False))) < self.options["n_trials"]:
            yield from self._room()
            self.study.sampler = _sampler(self.options, number)
            yield from self._begin(self.study.ask(self.space))

    def _room(self):
        while len(self.active) >= self.n_jobs:
            yield None

    def _begin(self, trial):
        """The jobs of a trial that are not done, as long as there is hope for it."""
        if trial.params.keys() != self.space.keys():
            return self._tell([trial], "failed", "it was interrupted as it was made")
        config, defaults, problem = self.compose(
            [*self.fixed, *(word(key, trial.params[key]) for key in self.space)]
        )
        problems = [problem] if problem else check(config, defaults)
        if problems:
            return self._tell([trial], "failed", problems[0])
        jobs = plan_jobs(self.folder, [config], self.keys, self.seeds)
        ID = jobs[0].config["ID"]
        trial.set_user_attr("ID", ID)
        if ID in self.active:  # the same configuration twice
            return self.active[ID].trials.append(trial)
        active = self.active[ID] = _Active([trial], jobs)
        active.left = pending(jobs, fresh=self.fresh and ID not in self.begun)
        self.begun.add(ID)
        while active.left and active.outcome is None:
            job = active.left.pop(0)
            active.num_running += 1
            yield job
        self._end_if_over(active)

    def watch(self, running, finished):
        """Take note of jobs that have ended, and prune; the scheduler calls this."""
        for job, status, result in finished:
            active = self.active[job.config["ID"]]
            active.num_running -= 1
            if status in ("failed", "diverged") and active.outcome is None:
                error = read_status(job).get("error") or result
                active.outcome = "failed", f"{error} -> {job.logdir / 'job.log'}"
            self._end_if_over(active)
        if self.options["pruner"] != "none":
            for active in [*self.active.values()]:
                self._prune(active, [job for job in running if job in active.jobs])

    def _end_if_over(self, active):
        over = active.outcome is not None or not active.left
        if active.num_running or not over or active.jobs[0].config["ID"] not in self.active:
            return
        del self.active[active.jobs[0].config["ID"]]
        if active.outcome is None and all(_state(job) == "done" for job in active.jobs):
            self._report(active)  # for the trials that are compared with this one
            try:
                values = [last_value(job, self.options["metric"]) for job in active.jobs]
                active.outcome = "complete", self.statistic(values)
            except ValueError as error:
                active.outcome = "failed", str(error)
        if active.outcome is not None:  # else it was interrupted, and is continued another time
            self._tell(active.trials, *active.outcome)

    def _tell(self, trials, outcome, what):
        from optuna.trial import TrialState

        states = {"failed": TrialState.FAIL, "pruned": TrialState.PRUNED}
        for trial in trials:
            if outcome == "complete":
                self.study.tell(trial, what)
            else:
                self.study.tell(trial, state=states[outcome])
            words = " ".join(word(key, value) for key, value in trial.params.items())
            text = f"{self.title} {short(what)}" if outcome == "complete" else f"{outcome}: {what}"
            say(f"trial {trial.number} of {self.options['n_trials']}: {words}: {text}")

    def _prune(self, active, running):
        """Stop a trial whose evaluations are poor."""
        if running and active.outcome is None and (step := self._report(active)) is not None:
            active.outcome = "pruned", f"below the median at evaluation {step}"
            for job in running:
                self.stop(job)

    def _report(self, active):
        """Report the evaluations that all begun jobs have come to; the first poor one, or None."""
        curves = [
            curve(job, self.options["metric"]) for job in active.jobs if job not in active.left
        ]
        for step in sorted(set.intersection(*map(set, curves))):
            if step > active.reported:
                active.reported = step
                trial = active.trials[0]
                trial.report(self.statistic([values[step] for values in curves]), step)
                if trial.should_prune():
                    return step
        return None

    def complete(self):
        """The trials that came to an end, the best first."""
        from optuna.trial import TrialState

        sign = -1 if self.options["direction"] == "maximize" else 1
        trials = self.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        return sorted(trials, key=lambda trial: sign * trial.value)

    def counts(self):
        """State -> number of trials."""
        names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "open"}
        states = [trial.state.name for trial in self.study.get_trials(deepcopy=False)]
        return {text: states.count(name) for name, text in names.items() if name in states}


class _Active:
    """A trial that has begun, and others that turned out to be the same configuration."""

    def __init__(self, trials, jobs):
        self.trials, self.jobs = trials, jobs
        self.left, self.num_running = [], 0  # jobs not begun; number of those that run
        self.outcome, self.reported = None, -1  # ("failed", why) and the like; last evaluation


def _sampler(options, number):
    """A sampler for trial ``number``: what it draws depends on the study alone, resumed or not."""
    from optuna import samplers

    seed = Seeder(options["seed"])(number + 1)[number]
    if options["sampler"] == "tpe":
        return samplers.TPESampler(seed=seed, constant_liar=True)  # for trials side by side
    if options["sampler"] == "gp":
        return samplers.GPSampler(seed=seed)
    return samplers.RandomSampler(seed=seed)


def last_value(job, metric):
    """The last ``metric`` that ``job`` logged.

    Raises:
        ValueError: there is none, or it is not finite.
    """
    log, column = metric.split(".", 1) if "." in metric else ("eval", metric)
    try:
        columns, _ = read_logs(job.logdir, log)
    except OSError:
        columns = {}
    if not columns.get(column):
        known = ", ".join(columns) or "nothing"
        raise ValueError(f"{job.logdir}: no {column!r} in its {log} log; there is {known}")
    value = columns[column][-1]
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{job.logdir}: {metric} is {value!r}; expected a finite number")
    return value


def curve(job, metric):
    """Number of the evaluation, by ``eval.every``, -> ``metric``; without the one at the end."""
    every, budget = job.config["eval.every"], job.config["train.timestep"]
    try:
        columns, _ = read_logs(job.logdir, "eval")
    except (OSError, ValueError):
        return {}
    if not every or metric not in columns:
        return {}
    rows = zip(columns["timestep"], columns[metric], strict=True)
    return {t // every: value for t, value in rows if value is not None and t < budget}


def word(key, value):
    """An override."""
    return f"{key}={plain(value)}"


def plain(value):
    """A parameter with six digits, which is what the configuration gets."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def short(value):
    """A number for people."""
    return f"{value:.4g}"


def _state(job):
    return read_status(job).get("status")
