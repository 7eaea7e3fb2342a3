"""One process a job: slots, devices, failures that stay where they happen, nothing left behind."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections import deque
from multiprocessing.connection import wait

import cloudpickle

from lagom.experiment import storage
from lagom.experiment.guard import Stopped, execute

_KILL_SECONDS = 60.0  # a job asked to stop may take this long to finish its iteration and save
_PRELOAD = ["lagom.experiment.preload"]


def context():
    """Processes start from a server that has imported torch once; elsewhere than Linux, anew."""
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    ctx = multiprocessing.get_context("forkserver")
    ctx.set_forkserver_preload(_PRELOAD)
    return ctx


def warm_up():
    """Start the server in the background: it imports while this process does other things."""
    # One math thread a process: torch is told again by each job, NumPy's BLAS reads only this.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    if context().get_start_method() == "forkserver":
        from multiprocessing import forkserver

        forkserver.ensure_running()


def call(function, *args):
    """What ``function(*args)`` returns in a process of its own; exceptions arrive as they are.

    Raises:
        RuntimeError: the process died.
    """
    kind, value = _receive(*_start(function, args), f"{function.__name__}: its process")
    if kind == "error":
        raise value
    return value


class Scheduler:
    """Runs jobs side by side.

    Args:
        run (callable): ``run(config, seed, device, logdir)``.
        workers (int): jobs at a time.
        device (str): of every job, unless ``gpus`` are given.
        gpus (list): device numbers; a job gets the first free one.
        jobs_per_gpu (int): jobs that share a device.
        watch (callable): ``watch(running, finished)`` is called about four times a second with the
            jobs that run, and with each (job, status, error) as it finishes.

    Attributes:
        asked (int): the signal that asked everything to stop, or None.
    """

    def __init__(self, run, workers=1, device="cpu", gpus=None, jobs_per_gpu=1, watch=None):
        self.run, self.workers = run, workers
        self.devices = [f"cuda:{gpu}" for gpu in gpus or [] for _ in range(jobs_per_gpu)]
        if self.devices:
            self.workers = min(workers, len(self.devices))
        self.device = device
        self.watch = watch or (lambda running, finished: None)
        self.asked = None

    def __call__(self, jobs, devices=None):
        """Run ``jobs``; return a (status, result or exception) for each, in their order.

        ``devices`` fixes the device of each job.  The first Ctrl-C or SIGTERM asks the running jobs
        to save and stop, the second kills them.
        """
        waiting, running = deque(enumerate(jobs)), {}
        outcomes = [("waiting", None)] * len(jobs)
        free = deque(self.devices or [self.device] * self.workers)
        deadline = None
        with self._signals():
            try:
                while running or (waiting and self.asked is None):
                    while waiting and self.asked is None and len(running) < self.workers:
                        i, job = waiting.popleft()
                        slot = free.popleft()
                        device = devices[i] if devices else slot
                        args = (self.run, job.config, job.seed, device, job.logdir, True)
                        process, connection = _start(execute, args)
                        running[process.sentinel] = (i, job, slot, process, connection)
                    finished = []
                    connections = [entry[4] for entry in running.values()]
                    ready = wait([*running, *connections], timeout=0.25)
                    for sentinel, (i, job, slot, process, connection) in [*running.items()]:
                        if sentinel not in ready and connection not in ready:
                            continue
                        outcomes[i] = _outcome(process, connection, job.logdir, self.asked)
                        del running[sentinel]
                        free.append(slot)
                        finished.append((job, *outcomes[i]))
                    self.watch([entry[1] for entry in running.values()], finished)
                    if self.asked is not None and deadline is None:
                        deadline = time.monotonic() + _KILL_SECONDS
                        _signal_all(running, signal.SIGTERM)
                    if deadline is not None and time.monotonic() > deadline:
                        _signal_all(running, signal.SIGKILL)
            finally:
                _signal_all(running, signal.SIGKILL)
        return outcomes

    @contextlib.contextmanager
    def _signals(self):
        def ask(number, frame):
            if self.asked is not None:
                raise KeyboardInterrupt
            self.asked = number

        previous = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
                previous[number] = signal.signal(number, ask)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _start(function, args):
    ctx = context()
    ours, theirs = ctx.Pipe(duplex=False)
    payload = cloudpickle.dumps((function, args))
    process = ctx.Process(target=_main, args=(payload, theirs, os.getpid()))
    process.start()
    theirs.close()
    return process, ours


def _main(payload, connection, parent):
    """What a worker process does; when its parent dies, so does it."""
    os.setpgrp()  # Ctrl-C on the terminal reaches the parent alone, which asks us to stop
    watcher = lambda: (multiprocessing.parent_process().join(), os.killpg(0, signal.SIGKILL))
    threading.Thread(target=watcher, daemon=True).start()
    try:
        function, args = cloudpickle.loads(payload)
        kind, value = "value", function(*args)
    except Exception as error:
        kind, value = "error", error
    try:
        data = cloudpickle.dumps(value)
    except Exception as error:  # a result or an exception that cannot travel
        kind, data = "error", cloudpickle.dumps(RuntimeError(f"{value!r} ({error})"))
    connection.send_bytes(pickle.dumps((kind, repr(value), data)))
    connection.close()


def _receive(process, connection, who):
    """("value", result) or ("error", exception) of a process that has answered or died."""
    with connection:
        try:
            kind, text, data = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError):  # OSError: in the middle of its answer
            process.join()
            return "error", RuntimeError(f"{who} died ({_cause(process)})")
    process.join()
    try:
        return kind, cloudpickle.loads(data)
    except Exception as error:  # many exceptions cannot be rebuilt from their pickle
        return "error", RuntimeError(f"{text} ({error})")


def _outcome(process, connection, logdir, asked):
    """(status, result or exception) of a job whose process has answered or died."""
    kind, value = _receive(process, connection, "its process")
    if kind == "value":
        return value
    outcome, error = "failed", f"{type(value).__name__}: {value}"
    if asked is not None and process.exitcode == -signal.SIGTERM:
        outcome, error, value = "stopped", None, Stopped(asked)  # it was not listening yet
    if not isinstance(value, BlockingIOError):  # another process's folder is not ours to write
        with contextlib.suppress(OSError, ValueError):
            status = storage.read_json(logdir / "status.json")
            if status["status"] == "running":  # it could not say itself how it ended
                status.update(status=outcome, error=error)
                storage.write_json(logdir / "status.json", status)
    return outcome, value


def _cause(process):
    code = process.exitcode
    return f"killed by {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"


def _signal_all(running, number):
    for _, _, _, process, _ in running.values():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if number == signal.SIGKILL else os.kill)(process.pid, number)


__all__ = ["Scheduler", "Stopped", "call", "context", "warm_up"]
