import numpy as np
import pytest

from lagom.vis.grid import GridImage


@pytest.mark.parametrize(
    ("kwargs", "shape", "expected"),
    [
        ({"ncol": 8, "padding": 5}, (10, 3, 64, 64), (143, 557, 3)),
        ({}, (3, 3, 4, 6), (8, 26, 3)),
        ({}, (5, 7), (9, 11, 3)),
        ({}, (1, 5, 7), (9, 11, 3)),
        ({"ncol": 2, "padding": 1}, (5, 1, 2, 2), (10, 7, 3)),
    ],
)
def test_size(kwargs, shape, expected):
    grid = GridImage(**kwargs)
    grid.add(np.zeros(shape, np.uint8))

    assert grid().shape == expected
    assert grid().dtype == np.uint8


def test_images_stand_in_the_order_of_adding():
    grid = GridImage(ncol=3, padding=1, pad_value=9)
    grid.add([[[[10]]], [[[20]]]])
    grid.add(np.array([30, 40, 50]).reshape(3, 1, 1, 1))

    expected = [
        [9, 9, 9, 9, 9, 9, 9],
        [9, 10, 9, 20, 9, 30, 9],
        [9, 9, 9, 9, 9, 9, 9],
        [9, 40, 9, 50, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9],
    ]
    np.testing.assert_array_equal(grid(), np.repeat(np.array(expected)[..., None], 3, axis=2))


def test_a_call_may_ask_for_another_grid():
    grid = GridImage(ncol=2, padding=1, pad_value=7)
    grid.add(np.zeros((3, 1, 2, 2)))

    assert grid(ncol=3, padding=0).shape == (2, 6, 3)
    assert grid(pad_value=255)[0, 0].tolist() == [255, 255, 255]
    assert grid().shape == (7, 7, 3)
    assert grid()[0, 0].tolist() == [7, 7, 7]


def test_images_are_copied():
    grid, image = GridImage(padding=0), np.full((1, 1), 5, np.uint8)
    grid.add(image)
    image[:] = 9

    assert grid().max() == 5


def test_colours_and_axes():
    image = np.arange(3 * 2 * 4).reshape(3, 2, 4)
    grid = GridImage(padding=0)
    grid.add(image)

    np.testing.assert_array_equal(grid(), image.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("image", "level"),
    [
        (np.full((2, 2), 0.5), 127),
        (np.full((2, 2), 200.0), 200),
        (np.full((2, 2), 1), 1),  # integers are levels already
        (np.full((2, 2), 300), 255),
        (np.full((2, 2), True), 255),
    ],
)
def test_levels(image, level):
    grid = GridImage(padding=0)
    grid.add(image)

    np.testing.assert_array_equal(grid(), np.full((2, 2, 3), level))


def test_wrong_images_are_refused():
    grid = GridImage()
    with pytest.raises(TypeError, match="GridImage.add: got tuple"):
        grid.add(((0, 0), (0, 0)))
    with pytest.raises(ValueError, match=r"got shape \(4, 6, 5\)"):
        grid.add(np.zeros((4, 6, 5)))
    with pytest.raises(ValueError, match="there is no image"):
        grid()
    grid.add(np.zeros((4, 6)))
    with pytest.raises(ValueError, match=r"size \(4, 5\); expected \(4, 6\)"):
        grid.add(np.zeros((4, 5)))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"ncol": 0}, r"GridImage: ncol is 0; expected a number in \[1, inf\]"),
        ({"padding": -1}, r"GridImage: padding is -1; expected a number in \[0, inf\]"),
        ({"pad_value": 256}, r"GridImage: pad_value is 256; expected a number in \[0, 255\]"),
        ({"pad_value": -1}, r"GridImage: pad_value is -1; expected a number in \[0, 255\]"),
    ],
)
def test_wrong_grids_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        GridImage(**kwargs)
    grid = GridImage()
    grid.add(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=message):
        grid(**kwargs)
