"""What the process server imports once for all jobs; it leaves no threads and touches no GPU."""

import os
import threading

_parent, _done = os.getppid(), threading.Event()


def _follow():
    """Leave once the parent is gone; the server itself looks only after these imports, seconds."""
    while not _done.wait(0.1):
        if os.getppid() != _parent:
            os._exit(1)


_follower = threading.Thread(target=_follow, daemon=True)
_follower.start()

import gymnasium  # noqa: E402
import torch  # noqa: E402

import lagom.engine  # noqa: E402
import lagom.experiment.job  # noqa: E402
import lagom.networks  # noqa: E402, F401

del gymnasium
torch.set_num_threads(1)
torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # the first one imports for a second
_done.set()
_follower.join()
