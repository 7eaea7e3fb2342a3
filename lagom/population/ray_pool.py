"""Workers on a Ray cluster; one that dies costs only what it was about to play."""

import weakref
from contextlib import suppress

from lagom.population.worker import Worker, pieces
from lagom.utils.threads import ONE_THREAD

_MAX_DEATHS = 3  # at the same candidates; then it is no accident


class RayPool:
    """Deals the pieces of a generation to Ray actors.

    A generation travels once to each machine: a mean, a standard deviation and a seed, where the
    strategy draws its candidates from a seed, and all parameters where it does not.

    Args:
        config (dict): flat configuration of the job; each worker builds its environments from it.
        num_worker (int): how many actors, of one CPU each.
        address (str): of a cluster, as ``ray.init`` takes it; ``None`` starts a local one.

    Raises:
        ImportError: Ray is not installed.
    """

    def __init__(self, config, num_worker, address=None):
        try:
            import ray
        except ImportError as error:
            raise ImportError(
                "es.executor=ray: ray is not installed; pip install 'lagom[ray]'"
            ) from error
        self.ray, self.config, self.num_worker = ray, config, num_worker
        if not ray.is_initialized():
            local = {"num_cpus": num_worker, "include_dashboard": False}
            ray.init(address=address, log_to_driver=False, **({} if address else local))
        self._actors = []
        weakref.finalize(self, _close, ray, self._actors)

    def __call__(self, generation, num, seeds):
        """Evaluate ``num`` candidates; see :class:`lagom.population.process_pool.ProcessPool`."""
        ray = self.ray
        while len(self._actors) < self.num_worker:
            self._actors.append(self._start())
        shared = ray.put(generation)
        cuts = pieces(num, self.num_worker)
        results, deaths = [None] * len(cuts), [0] * len(cuts)
        waiting, idle, running = list(range(len(cuts)))[::-1], list(range(self.num_worker)), {}
        while waiting or running:
            while waiting and idle:
                i, k = waiting.pop(), idle.pop()
                start, stop = cuts[i]
                call = self._actors[k].evaluate.remote(shared, start, stop, seeds[start:stop])
                running[call] = i, k
            (call,), _ = ray.wait(list(running), num_returns=1)
            i, k = running.pop(call)
            idle.append(k)
            try:
                results[i] = ray.get(call)
            except ray.exceptions.RayActorError as error:
                deaths[i] += 1
                if deaths[i] == _MAX_DEATHS:
                    start, stop = cuts[i]
                    raise RuntimeError(
                        f"es.workers: {deaths[i]} workers died at candidates {start} to "
                        f"{stop - 1}; expected episodes; try es.workers=1"
                    ) from error
                print("es.workers: a worker died; its candidates are evaluated again")
                self._actors[k] = self._start()
                waiting.append(i)
        return results

    def _start(self):
        remote = self.ray.remote(num_cpus=1, runtime_env={"env_vars": ONE_THREAD})(Worker)
        return remote.remote(self.config)


def _close(ray, actors):
    for actor in actors:
        with suppress(Exception):  # the cluster may be gone already
            ray.kill(actor)
