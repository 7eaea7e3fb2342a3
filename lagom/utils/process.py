"""Work in other processes: a master deals tasks to workers, each with a process and a pipe."""

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from abc import ABC, abstractmethod
from contextlib import suppress

_LOOK_SECONDS = 1.0  # between two looks at whether the workers live
_GRACE_SECONDS = 5.0  # an idle worker may take this long to end, a terminated one to obey
_CLOSE = b""  # the message that ends a worker


class ProcessWorker(ABC):
    """Stands by for tasks, works on them and sends the results back, until told to close.

    It is built in the worker's process, once.  A constructor of one's own, for what all tasks
    share, must call this one.

    Args:
        master_conn (Connection): the master's end of the pipe, if this process has a copy, which is
            closed here, else the death of the master would go unnoticed; or ``None``.
        worker_conn (Connection): this worker's end.
    """

    def __init__(self, master_conn, worker_conn):
        if master_conn is not None:
            master_conn.close()
        self.worker_conn = worker_conn

    @abstractmethod
    def work(self, task_id, task):
        """Return the result of ``task``.

        Args:
            task_id (int): its place in the list of tasks.
            task (object): one of what :meth:`ProcessMaster.make_tasks` returned.
        """

    def serve(self):
        """Answer tasks until told to close, or until the master is gone."""
        with suppress(EOFError, OSError), self.worker_conn as conn:
            while message := conn.recv_bytes():
                conn.send_bytes(self._answer(message))

    def _answer(self, message):
        import cloudpickle

        try:
            return cloudpickle.dumps((True, self.work(*pickle.loads(message))))
        except Exception as error:
            return pack_failure(error)


class ProcessMaster(ABC):
    """Deals tasks to workers in turn, and returns their results in the order of the tasks.

    Of ``n`` workers the first gets tasks 0, n, 2n and so on, however long each takes: what a worker
    remembers from task to task is the same in every run.  There are never more workers than tasks.

    Processes are spawned: nothing is inherited, and a script needs the usual
    ``if __name__ == "__main__":``.  Classes, tasks and results travel by cloudpickle, so that the
    worker's class may live in a notebook or a test.  When the master dies its workers do too.

    Args:
        worker_class (type): a subclass of :class:`ProcessWorker`.
        num_worker (int): how many processes at most.

    Attributes:
        list_process (list): the processes of the last call; all have ended.
        master_conns (list): the master's ends of their pipes; all closed.
        worker_conns (list): the other ends, closed here as soon as the workers have them.

    Raises:
        ValueError: if ``num_worker`` is not positive.

    Example:
        >>> class Square(ProcessWorker):
        ...     def work(self, task_id, task):
        ...         return task**2
        >>> class Squares(ProcessMaster):
        ...     def make_tasks(self):
        ...         return [1, 2, 3]
        >>> Squares(Square, num_worker=2)()
        [1, 4, 9]
    """

    def __init__(self, worker_class, num_worker):
        if not num_worker >= 1:
            raise ValueError(
                f"{type(self).__name__}: num_worker is {num_worker!r}; expected 1 or more"
            )
        self.worker_class, self.num_worker = worker_class, num_worker
        self.list_process, self.master_conns, self.worker_conns = [], [], []
        self._busy = {}  # index of worker -> index of the task that it works on

    @abstractmethod
    def make_tasks(self):
        """Return the list of tasks, any objects that cloudpickle takes."""

    def __call__(self):
        """Make the tasks, assign them and return the list of results."""
        return self.assign_tasks(self.make_tasks())

    def assign_tasks(self, tasks):
        """Start workers, have them work on ``tasks``, stop them.

        Args:
            tasks (list): any objects that cloudpickle takes; none is fine.

        Returns:
            list: the result of each task, in the order of the tasks.

        Raises:
            Exception: what a worker raised, with its traceback as a note; if that cannot be rebuilt
                here, a ``RuntimeError`` with its message.  Other workers are not waited for.
            RuntimeError: if a worker died.
        """
        tasks = list(tasks)
        results = [None] * len(tasks)
        num = min(self.num_worker, len(tasks))
        try:
            self._start(num)
            for i in range(num):
                self._send(i, tasks[i], i)
            while self._busy:
                for k in self._answered():
                    i = self._busy.pop(k)
                    results[i] = self._receive(k, i)
                    if i + num < len(tasks):
                        self._send(i + num, tasks[i + num], k)
        finally:
            self.close()
        return results

    def close(self):
        """Stop all workers: an idle one is told to, a busy or a deaf one is terminated."""
        for k, (process, conn) in enumerate(zip(self.list_process, self.master_conns, strict=True)):
            if k in self._busy:
                process.terminate()
            elif not conn.closed:
                with suppress(OSError):  # it is dead already
                    conn.send_bytes(_CLOSE)
            conn.close()
        self._busy.clear()
        _join(self.list_process)
        for stop in ("terminate", "kill"):
            alive = [process for process in self.list_process if process.is_alive()]
            for process in alive:
                getattr(process, stop)()
            _join(alive)

    def _start(self, num):
        import multiprocessing

        context = multiprocessing.get_context("spawn")  # fork copies locks that threads hold
        payload = dumps(self.worker_class)
        self.list_process, self.master_conns, self.worker_conns = [], [], []
        for _ in range(num):
            master_conn, worker_conn = context.Pipe()
            process = context.Process(target=_main, args=(payload, worker_conn))
            process.start()
            worker_conn.close()  # so that the worker's end is closed when the worker ends
            self.list_process.append(process)
            self.master_conns.append(master_conn)
            self.worker_conns.append(worker_conn)

    def _send(self, i, task, k):
        import cloudpickle

        message = cloudpickle.dumps((i, task))
        self._busy[k] = i
        with suppress(OSError):  # it died, which shows when its answer is read
            self.master_conns[k].send_bytes(message)

    def _answered(self):
        """The busy workers that have sent something or died; after a while, perhaps none."""
        from multiprocessing.connection import wait

        ready = wait([self.master_conns[k] for k in self._busy], _LOOK_SECONDS)
        return [
            k
            for k in self._busy
            # A dead worker's end stays open while processes that it forked live on.
            if self.master_conns[k] in ready or not self.list_process[k].is_alive()
        ]

    def _receive(self, k, i):
        """The result of task ``i`` from worker ``k``."""
        process, conn = self.list_process[k], self.master_conns[k]
        where = f"{type(self).__name__}: task {i}"
        try:
            answer = conn.recv_bytes() if conn.poll() else None
        except (EOFError, OSError):  # OSError: in the middle of its answer
            answer = None
        if answer is None:
            process.join(_GRACE_SECONDS)
            raise RuntimeError(
                f"{where}: the worker died ({cause_of_death(process)}); expected a result"
            )
        succeeded, value = pickle.loads(answer)
        if succeeded:
            return value
        data, summary, text = value
        error = rebuild(data) or RuntimeError(summary)
        error.add_note(f"{where}, in the worker:\n{text}")
        raise error


def _main(payload, conn):
    """What a worker's process does."""
    import multiprocessing

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the master, which stops us then
    orphaned = lambda: (multiprocessing.parent_process().join(), os._exit(1))
    threading.Thread(target=orphaned, daemon=True).start()  # a long task would not notice
    try:
        worker = pickle.loads(payload)(None, conn)
    except Exception as error:
        with suppress(OSError):
            conn.send_bytes(pack_failure(error))
        return
    worker.serve()


def dumps(thing):
    """A class or function as bytes from which a new process can build it, whatever its module."""
    import cloudpickle

    module = sys.modules.get(thing.__module__)
    if module is not None and not _is_found_anew(module):
        # Not undone: by name, nobody else could send what is in this module either.
        cloudpickle.register_pickle_by_value(module)
    return cloudpickle.dumps(thing)


def _is_found_anew(module):
    """Whether a new process, which gets our ``sys.path``, would import ``module`` by its name."""
    path, name = None, ""
    for part in module.__name__.split("."):
        name = f"{name}.{part}" if name else part
        specs = (finder.find_spec(name, path) for finder in sys.meta_path)
        spec = next(filter(None, specs), None)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    return spec.origin == getattr(module, "__file__", None)


def pack_failure(error):
    """The answer of a worker that raised ``error``."""
    import cloudpickle

    data = b""
    with suppress(Exception):  # it holds what cannot travel
        data = cloudpickle.dumps(error)
    text = "".join(traceback.format_exception(error))
    return pickle.dumps((False, (data, f"{type(error).__name__}: {error}", text)))


def rebuild(data):
    """The exception in ``data``, or None: many cannot be built anew from their arguments."""
    with suppress(Exception):
        error = pickle.loads(data)
        return error if isinstance(error, Exception) else None


def _join(processes):
    """Wait until all have ended, but not for long."""
    deadline = time.monotonic() + _GRACE_SECONDS
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))


def cause_of_death(process):
    """What ended a process that has ended, in words."""
    code = process.exitcode
    return f"killed by {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
