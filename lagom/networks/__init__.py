"""Networks: modules whose parameters form one vector, layers that also run on arrays, heads."""

from lagom.networks.heads import CategoricalHead, DiagGaussianHead, make_head
from lagom.networks.layers import MLP, Linear, input_size, ortho_init
from lagom.networks.module import Module

__all__ = [
    "MLP",
    "CategoricalHead",
    "DiagGaussianHead",
    "Linear",
    "Module",
    "input_size",
    "make_head",
    "ortho_init",
]
