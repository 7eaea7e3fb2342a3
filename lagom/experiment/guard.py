"""A job under guard: whatever happens to it is in its folder, and reaches nobody else."""

import os
import signal
import sys
import time
import traceback
import warnings
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lagom.experiment import storage
from lagom.experiment.fingerprint import fingerprint

_STATUS_SECONDS = 0.5  # between two updates of status.json while a job runs


class Stopped(Exception):
    """The job was asked to stop, and has saved its state."""


def execute(run, config, seed, device, logdir, redirect=False):
    """Call ``run`` with its folder locked, its status kept and its failures caught.

    Args:
        run (callable): ``run(config, seed, device, logdir)``.
        config (dict): flat configuration.
        seed (int): seed of the job.
        device (torch.device or str): where to compute.
        logdir (Path): the job's folder; made if missing.
        redirect (bool): send this process's output to ``job.log``.

    Returns:
        tuple: the status (``done``, ``failed``, ``diverged`` or ``stopped``), and what ``run``
        returned, or the exception.
    """
    logdir = Path(logdir)
    logdir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(storage.lock(logdir))
        storage.remove_leftovers(logdir)
        log = stack.enter_context(open(logdir / "job.log", "a", buffering=1))
        if redirect:
            sys.stdout.flush()
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("default")
        status = {
            "status": "running",
            "timestep": 0,
            "budget": config.get("train.timestep"),
            "started": time.time(),
            "pid": os.getpid(),
            "host": os.uname().nodename,
            "error": None,
        }
        _reports[logdir] = [time.monotonic(), status]
        result = None
        try:
            storage.write_json(logdir / "fingerprint.json", fingerprint(config))
            report(logdir, force=True)
            result = run(config, seed, device, logdir)
            outcome = "done"
        except Stopped as stopped:
            outcome, result = "stopped", stopped
        except KeyboardInterrupt:
            outcome, result = "stopped", Stopped(signal.SIGINT)
        except FloatingPointError as error:
            outcome, result = "diverged", error
        except (Exception, SystemExit) as error:
            outcome, result = "failed", error
        if outcome in ("failed", "diverged"):
            log.write("".join(traceback.format_exception(result)))
            status["error"] = f"{type(result).__name__}: {result}"
            status["storage_full"] = isinstance(result, OSError) and storage.is_storage_full(result)
        status["status"] = outcome
        try:
            report(logdir, force=True)
        except OSError as error:  # not even the status could be written
            outcome, result = "failed", error
        del _reports[logdir]
    return outcome, result


_reports = {}  # logdir -> [when status.json was last written, its content]


def report(logdir, force=False, **fields):
    """Update ``status.json``, at most every half second unless forced."""
    entry = _reports.get(Path(logdir))
    if entry is None:  # run was called without a guard
        return
    entry[1].update(fields)
    if force or time.monotonic() - entry[0] > _STATUS_SECONDS:
        entry[0] = time.monotonic()
        storage.write_json(
            Path(logdir) / "status.json", {**entry[1], "updated": time.time()}, force
        )


@contextmanager
def stop_signals():
    """A list that receives the signals that ask for a stop; the second of a kind acts at once."""
    asked, previous = [], {}

    def ask(number, frame):
        asked.append(number)
        signal.signal(number, previous[number])

    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
            previous[number] = signal.signal(number, ask)
    except ValueError:  # not the main thread: whoever owns it decides
        yield asked
        return
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
