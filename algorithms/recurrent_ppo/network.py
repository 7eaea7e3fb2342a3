"""Networks that remember, for observations of every kind."""

import torch

from lagom.networks import MLP, LayerNormLSTMCell, LSTMCell, LSTMLayer, Module, make_encoder
from lagom.utils.nested import flat, map_leaves

CELLS = {"lstm": LSTMCell, "lnlstm": LayerNormLSTMCell}


class RecurrentNet(Module):
    """What observations hold as numbers, an LSTM, then fully connected layers.

    Args:
        observation_space (Space): of single observations; vectors go into the LSTM as they are.
        cell (str): ``"lstm"`` or ``"lnlstm"``.
        memory_size (int): ``H``.
        hidden_sizes (list): of the layers after the LSTM.
        out_features (int, optional): size of a last layer without activation.
        activation (str): of these layers.
        cnn (str): for pictures.
    """

    def __init__(
        self,
        observation_space,
        cell,
        memory_size,
        hidden_sizes,
        out_features=None,
        activation="tanh",
        cnn="auto",
    ):
        super().__init__()
        self.encoder = make_encoder(observation_space, [], cnn=cnn)
        self.lstm = LSTMLayer(CELLS[cell], self.encoder.out_features, memory_size)
        self.mlp = MLP(memory_size, hidden_sizes, out_features, activation)

    def forward(self, obs, state, reset=None):
        """Sequences ``[L, K, *obs]``, states ``[K, 2 H]`` to outputs and the next states.

        Where ``reset`` ``[L, K]`` is true, an episode begins, and the state is set to zero before.
        """
        x = self.encoder(join(obs)).view(*flat(obs)[0].shape[:2], -1)  # [L, K, features]
        x, state = self.lstm(x, state.chunk(2, -1), reset)
        return self.mlp(x), torch.cat(state, -1)


def join(x):
    """Tensors ``[L, K, ...]`` as ``[L K, ...]``, also in dictionaries and tuples."""
    return map_leaves(lambda leaf: leaf.flatten(0, 1), x)
