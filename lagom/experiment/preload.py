"""What the process server imports once for all jobs; it must not start threads or touch a GPU."""

import gymnasium
import torch

import lagom.engine
import lagom.experiment.job
import lagom.networks  # noqa: F401

del gymnasium
torch.set_num_threads(1)
torch.optim.Adam([torch.zeros(1, requires_grad=True)])  # the first one imports for a second
