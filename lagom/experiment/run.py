"""The Python door to experiments: scheduler and folders of the command line, without Hydra."""

import inspect
from pathlib import Path

from lagom.experiment import storage
from lagom.experiment.config import Config
from lagom.experiment.guard import execute
from lagom.experiment.sweep import make_jobs


def run_experiment(
    run, config, seeds, log_dir, max_workers=None, chunksize=1, use_gpu=False, gpu_ids=None
):
    """Call ``run`` for every configuration and every seed, each in a folder of its own.

    Existing work is never deleted and nothing is asked: a ``log_dir`` that exists is renamed to
    ``old-<n>-<name>`` beside it.

    Args:
        run (callable): ``run(config, seed, device, logdir)``; it should begin with
            ``set_global_seeds(seed)``.
        config (Config or list): the configurations, or a list of dictionaries with ``ID``.
        seeds (list): the seeds; they vary fastest.
        log_dir (str or Path): gets ``configs.pkl``, ``source_files/``, ``<ID>/config.yml`` and
            ``<ID>/<seed>/``, the ``logdir`` of a job.
        max_workers (int): processes; ``None`` runs the jobs one after the other in this one.
        chunksize (int): accepted for compatibility; every job has a process of its own.
        use_gpu (bool): give each job a GPU, in turn.
        gpu_ids (list): which GPUs; all by default.

    Returns:
        list: what ``run`` returned for each job, in order.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; the jobs that ran were asked to save and stop.
        ValueError: ``max_workers`` is less than 1; or ``gpu_ids`` names a GPU that is not there, or
            there is none.
        RuntimeError: jobs failed; all others have finished.  Failures are named, and their
            traceback is in ``job.log``.
    """
    import torch

    if max_workers is not None and max_workers < 1:
        raise ValueError(f"max_workers: got {max_workers!r}; expected at least 1, or None")
    log_dir = Path(log_dir)
    configs = config.make_configs() if isinstance(config, Config) else list(config)
    jobs = make_jobs(log_dir, configs, seeds)
    devices = [torch.device(name) for name in _devices(len(jobs), use_gpu, gpu_ids)]
    if log_dir.exists():
        storage.set_aside(log_dir)
    (log_dir / "source_files").mkdir(parents=True)
    for path in _sources(run):
        storage.write_bytes(log_dir / "source_files" / path.name, path.read_bytes(), sync=False)
    _write_configs(log_dir, configs)
    for job in jobs:
        job.logdir.mkdir(parents=True, exist_ok=True)

    if max_workers is None:
        outcomes = []
        for job, device in zip(jobs, devices, strict=True):
            outcomes.append(execute(run, job.config, job.seed, device, job.logdir))
            if outcomes[-1][0] == "stopped":
                raise KeyboardInterrupt
    else:
        from lagom.experiment.scheduler import Scheduler

        scheduler = Scheduler(run, min(max_workers, max(len(jobs), 1)))
        outcomes = scheduler(jobs, devices)
        if scheduler.asked is not None:
            raise KeyboardInterrupt
    bad = [
        f"{job.logdir}: {status}: {type(result).__name__}: {result}"
        for job, (status, result) in zip(jobs, outcomes, strict=True)
        if status != "done"
    ]
    if bad:
        raise RuntimeError(f"{len(bad)} of {len(jobs)} jobs did not finish\n" + "\n".join(bad))
    return [result for _, result in outcomes]


def _sources(run):
    """The Python files beside the one that defines ``run``; none where it was typed in."""
    run = getattr(run, "func", run)  # of a functools.partial
    try:
        file = inspect.getsourcefile(run if inspect.isroutine(run) else type(run))
    except (TypeError, OSError):
        file = None
    is_file = file is not None and Path(file).is_file()  # not "<string>"
    return Path(file).parent.glob("*.py") if is_file else []


def _devices(num_job, use_gpu, gpu_ids):
    """The name of each job's device."""
    if not use_gpu:
        return ["cpu"] * num_job
    import torch

    available = torch.cuda.device_count()
    ids = list(range(available)) if gpu_ids is None else list(gpu_ids)
    if not ids or not all(0 <= i < available for i in ids):
        raise ValueError(f"gpu_ids: got {gpu_ids!r}; expected numbers below {available}")
    return [f"cuda:{ids[i % len(ids)]}" for i in range(num_job)]


def _write_configs(log_dir, configs):
    for config in configs:
        folder = log_dir / str(config["ID"])
        folder.mkdir()
        storage.write_yaml(folder / "config.yml", config)
    storage.write_pickle(log_dir / "configs.pkl", configs)
