"""Networks: modules whose parameters form one vector, layers on arrays, heads, LSTMs."""

from lagom.networks.encoder import Encoder, action_mask, check_mask, make_encoder
from lagom.networks.factors import BernoulliHead, MultiCategoricalHead, NestedHead, make_head
from lagom.networks.heads import CategoricalHead, DiagGaussianHead, TanhGaussianHead
from lagom.networks.images import make_image_network
from lagom.networks.layers import MLP, Linear, input_size, ortho_init
from lagom.networks.lr import linear_lr_scheduler
from lagom.networks.make import make_cnn, make_fc, make_transposed_cnn
from lagom.networks.mdn import MDNHead
from lagom.networks.module import Module
from lagom.networks.rnn import LayerNormLSTMCell, LSTMCell, LSTMLayer, StackedLSTM, make_lnlstm
from lagom.networks.sde import KeptNoise, StateDependentHead, marginal_logstd

__all__ = [
    "MLP",
    "BernoulliHead",
    "CategoricalHead",
    "DiagGaussianHead",
    "Encoder",
    "KeptNoise",
    "LSTMCell",
    "LSTMLayer",
    "LayerNormLSTMCell",
    "Linear",
    "MDNHead",
    "Module",
    "MultiCategoricalHead",
    "NestedHead",
    "StackedLSTM",
    "StateDependentHead",
    "TanhGaussianHead",
    "action_mask",
    "check_mask",
    "input_size",
    "linear_lr_scheduler",
    "make_cnn",
    "make_encoder",
    "make_fc",
    "make_head",
    "make_image_network",
    "make_lnlstm",
    "make_transposed_cnn",
    "marginal_logstd",
    "ortho_init",
]
