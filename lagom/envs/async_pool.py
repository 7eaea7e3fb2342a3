"""The workers of ``AsyncVecEnv``, as their parent sees them: asked all at once, and watched."""

import multiprocessing
import os
import pickle
import selectors
import threading
import time
from contextlib import suppress
from multiprocessing.reduction import send_handle
from multiprocessing.util import Finalize

from lagom.envs import async_worker
from lagom.envs.shared import allocate, attach
from lagom.utils.process import cause_of_death, rebuild

_START_SECONDS = 120.0  # a new interpreter may take so long to import what it needs
_LOOK_SECONDS = 1.0  # between two looks at whether the workers live
_GRACE_SECONDS = 5.0  # environments may take so long to close


class Pool:
    """Processes, each of which holds some of the sub-environments.

    Args:
        chunks (list): ranges of numbers of sub-environments, one for each process.
        timeout (float): seconds that one sub-environment may take for one answer.

    Attributes:
        processes (list): the processes, in the order of ``chunks``.

    Raises:
        RuntimeError: a process died.
        TimeoutError: a process did not start within two minutes.
    """

    def __init__(self, chunks, timeout):
        # Not fork, which copies locks that threads hold.
        context = multiprocessing.get_context("spawn")
        is_main = threading.current_thread() is threading.main_thread()
        self.chunks, self.timeout = chunks, timeout
        self.processes, self._conns, self._places = [], [], []
        self._selector = selectors.DefaultSelector()
        # Before multiprocessing waits, when this process ends, for all processes it started.
        self._shut = Finalize(self, _shut, (self.processes, self._conns), exitpriority=20)
        try:
            for k, chunk in enumerate(chunks):
                ours, theirs = context.Pipe()
                args = theirs, chunk[0], os.getpid() if is_main else 0
                process = context.Process(
                    target=async_worker.main, args=args, name=f"lagom-env-{k}"
                )
                process.start()
                theirs.close()
                self.processes.append(process)
                self._conns.append(ours)
                self._selector.register(ours, selectors.EVENT_READ, k)
                self._places.append(self._share([k], async_worker.PLACE)[0])
            self._collect("start", _START_SECONDS)
        except BaseException:
            self.kill()
            raise

    def ask(self, method, arguments):
        """Call ``method`` of every worker at once.

        Args:
            method (str): of the worker; ``"step"`` without arguments has them in shared memory.
            arguments (list): a tuple for each worker.

        Returns:
            list: what each answered.

        Raises:
            Exception: what an environment raised, with its traceback as a note; if that cannot be
                rebuilt here, a ``RuntimeError`` with its message.  All workers are stopped.
            RuntimeError: a worker died, or the workers have been stopped before.
            TimeoutError: a sub-environment gave no answer in time.
        """
        import cloudpickle

        if not self._conns:
            raise RuntimeError(
                f"AsyncVecEnv.{method}: the worker processes have been stopped; "
                "expected an environment that is neither closed nor failed; make a new one"
            )
        try:
            for conn, args in zip(self._conns, arguments, strict=True):
                fast = method == "step" and not args
                message = async_worker.STEP if fast else cloudpickle.dumps((method, *args))
                with suppress(OSError):  # it died, which shows when its answer is read
                    conn.send_bytes(message)
            return self._collect(method, self.timeout)
        except BaseException:
            self.kill()
            raise

    def share(self, layout):
        """Return arrays, (shape, dtype) of each in ``layout``, that all workers get, too."""
        for conn in self._conns:
            with suppress(OSError):
                conn.send_bytes(pickle.dumps(("share", layout)))
        try:
            arrays = self._share(range(len(self._conns)), layout)
            self._collect("share", self.timeout)
        except BaseException:
            self.kill()
            raise
        return arrays

    def close(self):
        """Let the environments close, for five seconds at most; then no process is left."""
        self._shut()

    def kill(self):
        """Stop all processes at once."""
        _kill(self.processes, self._conns)

    def _share(self, workers, layout):
        fd = allocate(layout)
        for k in workers:
            with suppress(OSError):  # it died, which shows when its answer is read
                send_handle(self._conns[k], fd, self.processes[k].pid)
        return attach(fd, layout)

    def _collect(self, method, timeout):
        """The answers of all workers."""
        num, answers = len(self._conns), {}
        begin = time.monotonic()
        seen = [(int(place[1]), begin) for place in self._places]  # of each, and since when
        while len(answers) < num:
            events = self._selector.select(min(timeout, _LOOK_SECONDS))
            for key, _ in events:
                answers[key.data] = self._receive(method, key.data)
            if events:
                continue
            now = time.monotonic()
            for k in set(range(num)) - answers.keys():
                if not self.processes[k].is_alive():  # processes that it started keep its pipe open
                    answers[k] = self._receive(method, k)
                moves, since = int(self._places[k][1]), seen[k][1]
                if moves != seen[k][0]:
                    seen[k] = moves, now
                elif now - since >= timeout:
                    raise TimeoutError(
                        f"AsyncVecEnv.{method}: {self._who(k)} gave no answer for {timeout:g} s; "
                        "expected one in time; a larger env.timeout (seconds) waits longer"
                    )
        return [answers[k] for k in range(num)]

    def _receive(self, method, k):
        process, conn = self.processes[k], self._conns[k]
        try:
            answer = conn.recv_bytes() if conn.poll() else None
        except (EOFError, OSError):  # OSError: in the middle of its answer
            answer = None
        if answer is None:
            process.join(_GRACE_SECONDS)
            cause = cause_of_death(process)
            perhaps = ", perhaps for want of memory" if "SIGKILL" in cause else ""
            raise RuntimeError(
                f"AsyncVecEnv.{method}: the process of {self._who(k)} died ({cause}{perhaps}); "
                "expected an answer"
            )
        if not answer:
            return None
        succeeded, value = pickle.loads(answer)
        if succeeded:
            return value
        data, summary, text = value
        error = rebuild(data) or RuntimeError(f"AsyncVecEnv.{method}: {self._who(k)}: {summary}")
        error.add_note(f"AsyncVecEnv.{method}: {self._who(k)}, in its process:\n{text}")
        raise error

    def _who(self, k):
        """The sub-environment that worker ``k`` has last begun to work on."""
        b = int(self._places[k][0]) if k < len(self._places) and self._places[k][1] else -1
        if b >= 0:
            return f"sub-environment {b}"
        return f"sub-environments {self.chunks[k][0]} to {self.chunks[k][-1]}"


def _shut(processes, conns):
    """Tell all to close, wait, and kill what still lives."""
    for conn in conns:
        with suppress(OSError):
            conn.send_bytes(async_worker.CLOSE)
    deadline = time.monotonic() + _GRACE_SECONDS
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
    _kill(processes, conns)


def _kill(processes, conns):
    for process in processes:
        process.kill()
    for conn in conns:
        conn.close()
    for process in processes:
        process.join()
    processes.clear()
    conns.clear()
