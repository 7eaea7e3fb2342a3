"""What the process server imports once for all jobs; it must not start threads or touch a GPU."""

import gymnasium
import torch

import lagom.engine
import lagom.experiment.job
import lagom.networks  # noqa: F401

del gymnasium
torch.set_num_threads(1)
