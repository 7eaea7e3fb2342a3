"""Networks: modules whose parameters form one vector, layers on arrays, heads, LSTMs."""

from lagom.networks.heads import CategoricalHead, DiagGaussianHead, TanhGaussianHead, make_head
from lagom.networks.layers import MLP, Linear, input_size, ortho_init
from lagom.networks.lr import linear_lr_scheduler
from lagom.networks.make import make_cnn, make_fc, make_transposed_cnn
from lagom.networks.mdn import MDNHead
from lagom.networks.module import Module
from lagom.networks.rnn import LayerNormLSTMCell, LSTMLayer, StackedLSTM, make_lnlstm

__all__ = [
    "MLP",
    "CategoricalHead",
    "DiagGaussianHead",
    "LSTMLayer",
    "LayerNormLSTMCell",
    "Linear",
    "MDNHead",
    "Module",
    "StackedLSTM",
    "TanhGaussianHead",
    "input_size",
    "linear_lr_scheduler",
    "make_cnn",
    "make_fc",
    "make_head",
    "make_lnlstm",
    "make_transposed_cnn",
    "ortho_init",
]
