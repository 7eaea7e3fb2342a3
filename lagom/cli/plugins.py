"""Hydra's sweeper and launcher for lagom, and the function that other launchers call."""

import os
import shutil
import signal
import sys
import time
import warnings
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher as HydraLauncher
from hydra.plugins.sweeper import Sweeper as HydraSweeper
from hydra.types import RunMode
from omegaconf import OmegaConf

from lagom.cli.prepare import pending, prepare, show_plan
from lagom.cli.progress import Display, exit_code, read_status, summarize
from lagom.cli.training import say
from lagom.cli.words import Refused, rewrite
from lagom.experiment import storage
from lagom.experiment.guard import execute
from lagom.experiment.job import run
from lagom.experiment.schema import flatten
from lagom.experiment.sweep import expand, make_jobs, parse_seeds, plan

# conf/hydra/launcher holds our defaults; where a plugin is installed, Hydra checks them against it.
warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/\w+' is validated against")


def from_hydra(cfg):
    """One job in this process, for launchers that are not lagom's: basic, joblib, submitit, ray."""
    hydra = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN:
        raise Refused("hydra.mode: expected MULTIRUN; hydra/launcher=basic runs in process")
    logdir = Path(hydra.runtime.output_dir)
    # As it was checked before the first job.
    config = storage.read_yaml(logdir.parent / "config.yml")
    elsewhere = not hydra.launcher._target_.endswith(".BasicLauncher")
    with _output_restored():
        status, result = execute(run, config, cfg.seed, cfg.device, logdir, redirect=elsewhere)
    if status == "stopped":
        handler = signal.getsignal(result.args[0])
        if callable(handler):  # submitit's puts the job back into the queue
            handler(result.args[0], None)
        if callable(handler) or not elsewhere:
            raise KeyboardInterrupt
    return status


@contextmanager
def _output_restored():
    """The process may be used for other jobs, or have more to say about this one."""
    sys.stdout.flush()
    kept = {number: os.dup(number) for number in (1, 2)}
    try:
        yield
    finally:
        sys.stdout.flush()
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)


class Sweeper(HydraSweeper):
    """Configurations x seeds: all composed and checked before the first job, seeds fastest.

    Args:
        num_sample (int): draws of each interval for each grid point.
        sample_seed (int): seed of these draws.
        params (dict): sweeps from YAML; the command line has the last word on a key.
        dry_run (bool): show what would be done, and how long it would take.
    """

    def __init__(self, num_sample, sample_seed, params, dry_run=False):
        self.num_sample, self.sample_seed, self.dry_run = num_sample, sample_seed, dry_run
        self.params = flatten(OmegaConf.to_container(params)) if params else {}

    def setup(self, *, hydra_context, task_function, config):
        self.config = config
        self.loader = hydra_context.config_loader
        _check_launcher(config.hydra)
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments):
        """Run everything; leave through ``SystemExit`` with the contract's exit code."""
        start = time.monotonic()
        words, seeds = self.words_and_seeds(arguments)
        try:
            combinations, varying = expand(words, self.num_sample, self.sample_seed)
            varying = [{"algo": "algo.name", "env": "env.id"}.get(key, key) for key in varying]
        except ValueError as error:
            raise Refused(str(error)) from None
        folder, configs = prepare(self.config, self.loader, combinations)
        named = [word.split("=")[0].lstrip("+") for word in words]  # conditions may vary too
        varying += [
            key
            for key in dict.fromkeys(named)
            if key not in varying and len({repr(config.get(key)) for config in configs}) > 1
        ]
        if self.dry_run:
            show_plan(folder, configs, varying, seeds, getattr(self.launcher, "workers", None))
            sys.exit(0)
        jobs = plan_jobs(folder, configs, varying, seeds)
        self.run_jobs(pending(jobs, fresh=self.config.fresh), varying)
        summarize(jobs, varying, time.monotonic() - start)
        sys.exit(exit_code(jobs))

    def words_and_seeds(self, arguments):
        """The user's words, those in ``params`` first, and the seeds that they ask for."""
        params = [f"{key}={value}" for key, value in self.params.items()]
        words = rewrite(params, self.loader.get_group_options("env")) + list(arguments)
        seeds = _seeds(self.config, words)
        return [word for word in words if not word.startswith("seeds=")], seeds

    def run_jobs(self, jobs, varying):
        """Run ``jobs`` by whatever launcher was chosen."""
        if isinstance(self.launcher, Launcher):
            self.launcher.launch_jobs(jobs, varying)
        elif jobs:
            self._launch_elsewhere(jobs)

    def _launch_elsewhere(self, jobs):
        """Through another launcher of Hydra: a job is told its folder, and reads the rest there."""
        folder = jobs[0].logdir.parents[1].resolve()
        quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
        overrides = [
            [
                f"ID={job.config['ID']}",
                f"seed={job.seed}",
                f"device={job.config['device']}",
                f"hydra.sweep.dir='{quoted}'",
            ]
            for job in jobs
        ]
        name = type(self.launcher).__name__
        say(f"{len(jobs)} jobs by {name}; lagom status {jobs[0].logdir.parents[1]} shows them")
        try:
            self.launcher.launch(overrides, initial_job_idx=0)
        except Exception as error:  # launchers raise what they like; the jobs' own status counts
            reason = (str(error).strip().splitlines() or [""])[0]
            say(f"{name}: {type(error).__name__}: {reason}; the same command continues")
            for job in jobs:
                _note_death(job)


class Launcher(HydraLauncher):
    """Local processes, one a job.

    Args:
        workers (int): jobs at a time; as many as there are cores by default.
        gpus (list): device numbers to hand out; none by default.
        jobs_per_gpu (int): jobs that share a device.
    """

    def __init__(self, workers, gpus, jobs_per_gpu):
        self.workers = os.cpu_count() if workers is None else workers
        self.gpus, self.jobs_per_gpu = gpus, jobs_per_gpu

    def setup(self, *, hydra_context, task_function, config):
        self.config, self.loader = config, hydra_context.config_loader
        if not (type(self.workers) is int and self.workers >= 1):
            raise Refused(f"hydra.launcher.workers: got {self.workers!r}; expected at least 1")
        if self.gpus is not None and not (OmegaConf.is_list(self.gpus) and self.gpus):
            raise Refused(f"hydra.launcher.gpus: got {self.gpus!r}; expected a list such as [0,1]")

    def launch(self, job_overrides, initial_job_idx):
        """Jobs of another sweeper: each list of overrides is a configuration, with all seeds."""
        words = [list(words) for words in job_overrides]
        folder, configs = prepare(self.config, self.loader, words)
        jobs = plan_jobs(folder, configs, [], _seeds(self.config, []))
        self.launch_jobs(pending(jobs, fresh=self.config.fresh), [])
        returns = []
        for words in job_overrides:
            value = JobReturn()
            value.overrides, value.status = words, JobStatus.COMPLETED
            returns.append(value)
        return returns

    def launch_jobs(self, jobs, varying):
        """Run ``jobs``, showing how they get on."""
        if not jobs:
            return
        workers = min(self.workers, len(jobs))
        with Display(jobs, varying, workers) as display:
            scheduler = self.scheduler(workers, jobs[0].config["device"], display.update)
            outcomes = scheduler(jobs)
        leave_if_stopped(scheduler, outcomes, lambda: summarize(jobs, varying, display.seconds))

    def scheduler(self, workers, device, watch):
        """What runs jobs in the way that was asked for."""
        from lagom.experiment.scheduler import Scheduler

        return Scheduler(run, workers, device, self.gpus, self.jobs_per_gpu, watch)


def leave_if_stopped(scheduler, outcomes, summary):
    """Leave with the exit code for what stopped the scheduler; go on if nothing did."""
    results = [result for _, result in outcomes]
    in_use = [str(result) for result in results if isinstance(result, BlockingIOError)]
    full = any(isinstance(x, OSError) and storage.is_storage_full(x) for x in results)
    if scheduler.asked is not None or in_use or full:
        summary()
    if full:
        say("storage is full; what is on disk is safe, and the same command continues")
        sys.exit(6)
    if in_use:
        say(in_use[0])
        sys.exit(4)
    if scheduler.asked is not None:
        say("stopped; the same command continues")
        sys.exit(128 + scheduler.asked)


def need_extra(word, module, extra):
    """Refuse ``word`` unless ``module``, which ``lagom[extra]`` brings, is installed."""
    if find_spec(module) is None:
        raise Refused(f'{word} needs lagom[{extra}]: pip install "lagom[{extra}]"')


def _check_launcher(hydra):
    name, target = hydra.runtime.choices["hydra/launcher"], hydra.launcher._target_
    package = ".".join(target.split(".")[:2])
    if package.startswith("hydra_plugins."):
        need_extra(f"hydra/launcher={name}", package, name.split("_")[0])
    if target.endswith(".SlurmLauncher") and not all(map(shutil.which, ("sbatch", "srun"))):
        raise Refused(
            f"hydra/launcher={name}: there is no Slurm here (sbatch, srun); expected a login node "
            "of a cluster; hydra/launcher=submitit_local does the same on this machine"
        )


def _note_death(job):
    """What says that it runs, on this machine, but holds no lock, could not say how it died."""
    status = read_status(job)
    if status.get("status") == "running" and status.get("host") == os.uname().nodename:
        with suppress(BlockingIOError), storage.lock(job.logdir):
            status.update(status="failed", error="RuntimeError: its process died")
            storage.write_json(job.logdir / "status.json", status)


def plan_jobs(folder, configs, varying, seeds):
    """The jobs, with the table of the experiment written."""
    try:
        return make_jobs(folder, plan(folder, configs, varying), seeds)
    except ValueError as error:  # what lies in the folder already
        say(f"{error}; remove it, or choose another folder with name=...")
        sys.exit(4)


def _seeds(master, words):
    """The seeds: of the last word about them (``seeds=1,2,3`` too), or of the configuration."""
    seeds = OmegaConf.to_container(master)["seeds"]
    for override in OverridesParser.create().parse_overrides(words):
        if override.get_key_element() == "seeds":
            sweep = override.is_sweep_override() and not override.is_interval_sweep()
            seeds = [int(x) for x in override.sweep_iterator()] if sweep else override.value()
    try:
        return parse_seeds(seeds)
    except ValueError as error:
        raise Refused(str(error)) from None
