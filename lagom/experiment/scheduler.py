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
from lagom.utils.threads import one_thread_by_default

_KILL_SECONDS = 60.0  # a job asked to stop may take this long to finish its iteration and save
_PRELOAD = ["lagom.experiment.preload"]
_END = object()


def context():
    """Processes start from a server that has imported torch once; elsewhere than Linux, anew."""
    if not sys.platform.startswith("linux"):
        return multiprocessing.get_context("spawn")
    ctx = multiprocessing.get_context("forkserver")
    ctx.set_forkserver_preload(_PRELOAD)
    return ctx


def warm_up():
    """Start the server in the background: it imports while this process does other things."""
    one_thread_by_default()
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
        self._running = {}  # sentinel of a process -> (number, job, slot, process, connection)
        self._deadlines = {}  # sentinel of one that was asked to stop -> when it is killed

    def __call__(self, jobs, devices=None):
        """Run ``jobs``; return a (status, result or exception) for each, in their order.

        ``devices`` fixes the device of each job.  The first Ctrl-C or SIGTERM asks the running jobs
        to save and stop, the second kills them.

        ``jobs`` may be an iterator: a job is taken from it when there is room for one, and ``None``
        says that the next is not known before another has ended.
        """
        num_job = len(jobs) if hasattr(jobs, "__len__") else 0
        jobs, outcomes, running = iter(jobs), [], self._running
        free = deque(self.devices or [self.device] * self.workers)
        more = True
        with self._signals():
            try:
                while (more := more and self._fill(jobs, outcomes, free, devices)) or running:
                    finished = []
                    connections = [entry[4] for entry in running.values()]
                    ready = wait([*running, *connections], timeout=0.25)
                    for sentinel, (i, job, slot, process, connection) in [*running.items()]:
                        if sentinel not in ready and connection not in ready:
                            continue
                        stopping = sentinel in self._deadlines
                        outcomes[i] = _outcome(process, connection, job.logdir, stopping)
                        del running[sentinel]
                        self._deadlines.pop(sentinel, None)  # the number will be used again
                        free.append(slot)
                        finished.append((job, *outcomes[i]))
                    self.watch([entry[1] for entry in running.values()], finished)
                    if self.asked is not None:
                        for _, job, *_ in running.values():
                            self.stop(job)
                    for sentinel, deadline in self._deadlines.items():
                        if time.monotonic() > deadline:
                            _signal(running[sentinel], signal.SIGKILL)
            finally:
                for entry in running.values():
                    _signal(entry, signal.SIGKILL)
        return outcomes + [("waiting", None)] * (num_job - len(outcomes))

    def stop(self, job):
        """Ask ``job``, if it runs, to save and stop; ``watch`` may call this."""
        for sentinel, entry in self._running.items():
            if entry[1] is job and sentinel not in self._deadlines:
                self._deadlines[sentinel] = time.monotonic() + _KILL_SECONDS
                _signal(entry, signal.SIGTERM)

    def _fill(self, jobs, outcomes, free, devices):
        """Start jobs while there is room; return whether more may come."""
        while self.asked is None and len(self._running) < self.workers:
            job = next(jobs, _END)
            if job is None or job is _END:
                return job is None
            slot = free.popleft()
            device = devices[len(outcomes)] if devices else slot
            args = (self.run, job.config, job.seed, device, job.logdir, True)
            process, connection = _start(execute, args)
            self._running[process.sentinel] = len(outcomes), job, slot, process, connection
            outcomes.append(("waiting", None))
        return self.asked is None

    @contextlib.contextmanager
    def _signals(self):
        def ask(number, frame):
            if self.asked is not None:
                raise KeyboardInterrupt
            self.asked = number

        previous = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
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


def _outcome(process, connection, logdir, stopping):
    """(status, result or exception) of a job whose process has answered or died."""
    kind, value = _receive(process, connection, "its process")
    if kind == "value":
        return value
    outcome, error = "failed", f"{type(value).__name__}: {value}"
    if stopping and process.exitcode == -signal.SIGTERM:  # it was not listening yet
        outcome, error, value = "stopped", None, Stopped(signal.SIGTERM)
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


def _signal(entry, number):
    process = entry[3]
    with contextlib.suppress(ProcessLookupError, PermissionError):
        (os.killpg if number == signal.SIGKILL else os.kill)(process.pid, number)


__all__ = ["Scheduler", "Stopped", "call", "context", "warm_up"]
