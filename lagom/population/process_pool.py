"""Workers in processes of this machine; one that dies costs only what it was about to play."""

import multiprocessing
import os
import pickle
import signal
import threading
import weakref
from contextlib import suppress
from multiprocessing.connection import wait

from lagom.population.evaluate import Generation
from lagom.population.worker import Worker, pieces
from lagom.utils.process import cause_of_death, pack_failure, rebuild
from lagom.utils.threads import one_thread_by_default

_MAX_DEATHS = 3  # at the same candidates; then it is no accident
_LOOK_SECONDS = 1.0  # between two looks at whether the workers live


class ProcessPool:
    """Deals the pieces of a generation to worker processes.

    Workers start with the first generation and end with this object, or with this process, however
    that ends.

    Args:
        config (dict): flat configuration of the job; each worker builds its environments from it.
        num_worker (int): how many processes.
    """

    def __init__(self, config, num_worker):
        self.config, self.num_worker = config, num_worker
        self._workers = []  # (process, connection)
        weakref.finalize(self, _close, self._workers)

    def __call__(self, generation, num, seeds):
        """Evaluate ``num`` candidates.

        Args:
            generation (Generation): what all workers must know.
            num (int): number of candidates.
            seeds (ndarray): ``[num, K]``, of their episodes.

        Returns:
            list: the :class:`~lagom.population.evaluate.Episodes` of each piece, in order.

        Raises:
            RuntimeError: workers died again and again at the same candidates.
            Exception: what a worker raised.
        """
        while len(self._workers) < self.num_worker:
            self._workers.append(self._start())
        cuts = pieces(num, self.num_worker)
        tasks = [pickle.dumps((start, stop, seeds[start:stop])) for start, stop in cuts]
        shared = pickle.dumps(generation)
        results, deaths = [None] * len(tasks), [0] * len(tasks)
        waiting, busy = list(range(len(tasks)))[::-1], {}  # busy: worker -> task
        knows = set()  # workers that have this generation
        while waiting or busy:
            for k in range(self.num_worker):
                if k not in busy and waiting:
                    busy[k] = waiting.pop()
                    self._send(k, *([] if k in knows else [shared]), tasks[busy[k]])
                    knows.add(k)
            for k in self._ready(busy):
                i = busy.pop(k)
                answer = self._receive(k)
                if answer is not None:
                    results[i] = _unpack(answer)
                    continue
                deaths[i] += 1
                why = cause_of_death(self._workers[k][0])
                if deaths[i] == _MAX_DEATHS:
                    raise RuntimeError(
                        f"es.workers: {deaths[i]} workers died at candidates {cuts[i][0]} to "
                        f"{cuts[i][1] - 1} ({why}); expected episodes; try es.workers=1"
                    )
                print(f"es.workers: a worker died ({why}); its candidates are evaluated again")
                self._workers[k] = self._start()
                knows.discard(k)
                waiting.append(i)
        return results

    def _start(self):
        one_thread_by_default()
        context = multiprocessing.get_context("spawn")  # fork copies locks that threads hold
        ours, theirs = context.Pipe()
        process = context.Process(target=_main, args=(theirs, self.config), daemon=True)
        process.start()
        theirs.close()  # so that it is closed when the worker ends
        return process, ours

    def _send(self, k, *messages):
        with suppress(OSError):  # it died, which shows when its answer is read
            for message in messages:
                self._workers[k][1].send_bytes(message)

    def _ready(self, busy):
        wait([self._workers[k][1] for k in busy], _LOOK_SECONDS)
        return [k for k in busy if self._workers[k][1].poll() or not self._workers[k][0].is_alive()]

    def _receive(self, k):
        """What worker ``k`` answers; None if it died."""
        process, connection = self._workers[k]
        with suppress(EOFError, OSError):
            if connection.poll():
                return connection.recv_bytes()
        process.join()
        connection.close()
        return None


def _close(workers):
    for process, connection in workers:
        connection.close()
        process.terminate()


def _unpack(answer):
    succeeded, value = pickle.loads(answer)
    if succeeded:
        return value
    data, summary, text = value
    error = rebuild(data) or RuntimeError(summary)
    error.add_note(f"es.workers: in a worker:\n{text}")
    raise error


def _main(connection, config):
    """What a worker's process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the job, which ends us then
    orphaned = lambda: (multiprocessing.parent_process().join(), os._exit(1))
    threading.Thread(target=orphaned, daemon=True).start()  # a long episode would not notice
    worker = generation = None
    with suppress(EOFError, OSError):
        while True:
            message = pickle.loads(connection.recv_bytes())
            if isinstance(message, Generation):
                generation = message
                continue
            try:
                worker = worker or Worker(config)
                answer = pickle.dumps((True, worker.evaluate(generation, *message)))
            except Exception as error:
                answer = pack_failure(error)
            connection.send_bytes(answer)
