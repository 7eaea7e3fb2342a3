import numpy as np
import pytest
import torch

from lagom.networks import make_cnn, make_fc, make_transposed_cnn

CNN = {"channels": [16, 32], "kernels": [4, 3], "strides": [2, 1], "paddings": [1, 0]}
TRANSPOSED = {**CNN, "output_paddings": [1, 0]}


def run(layers, *shape):
    x = torch.zeros(shape)
    for layer in layers:
        x = layer(x)
    return x.shape


def test_sizes_follow_each_other():
    assert run(make_fc(3, [4, 5, 6]), 2, 3) == (2, 6)
    # (32 + 2 - 4) / 2 + 1 = 16, and 16 - 3 + 1 = 14
    assert run(make_cnn(3, **CNN), 2, 3, 32, 32) == (2, 32, 14, 14)
    # (8 - 1) 2 - 2 + 4 + 1 = 17, and 17 - 1 + 3 = 19
    assert run(make_transposed_cnn(3, **TRANSPOSED), 2, 3, 8, 8) == (2, 32, 19, 19)


def test_each_item_is_where_it_belongs():
    lists = {"channels": [2, 3], "kernels": [5, (6, 7)], "strides": [3, 4], "paddings": [1, 2]}
    for layers in (make_cnn(1, **lists), make_transposed_cnn(1, **lists, output_paddings=[2, 3])):
        one, two = layers
        assert (one.in_channels, one.out_channels) == (1, 2)
        assert (one.kernel_size, one.stride, one.padding) == ((5, 5), (3, 3), (1, 1))
        assert (two.in_channels, two.out_channels) == (2, 3)
        assert (two.kernel_size, two.stride, two.padding) == ((6, 7), (4, 4), (2, 2))
    assert (one.output_padding, two.output_padding) == ((2, 2), (3, 3))


def test_no_layers():
    assert len(make_fc(3, [])) == len(make_cnn(3, [], [], [], [])) == 0


def test_fully_connected_layers_run_on_arrays():
    (layer,) = make_fc(3, [4])
    x = np.ones((2, 3), np.float32)

    np.testing.assert_allclose(layer.numpy(x), layer(torch.from_numpy(x)).detach(), rtol=1e-5)


def test_what_is_no_list_is_refused():
    with pytest.raises(TypeError, match="make_fc: hidden_sizes is 4; expected a list"):
        make_fc(3, 4)


@pytest.mark.parametrize(("make", "lists"), [(make_cnn, CNN), (make_transposed_cnn, TRANSPOSED)])
def test_lists_of_convolutions_are_checked(make, lists):
    for name in lists:
        with pytest.raises(TypeError, match=f"{make.__name__}: {name} is 3; expected a list"):
            make(3, **{**lists, name: 3})
        for wrong in ([1], [1, 2, 3]):
            with pytest.raises(
                ValueError, match=f"{make.__name__}: lengths are .*'{name}': {len(wrong)}"
            ):
                make(3, **{**lists, name: wrong})
