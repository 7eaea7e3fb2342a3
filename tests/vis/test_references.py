import os

import numpy as np
import pytest

from lagom.vis.references import read_references


def parse(tmp_path, text):
    path = tmp_path / "lines.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_references(path)


def test_horizontal_lines(tmp_path):
    text = "label,env,y\nsolved,CartPole-v1,475\n\nrandom,,22\nsolved,CartPole-v1,195\n"

    lines = parse(tmp_path, text)

    assert [(line.label, line.environment, line.y.tolist()) for line in lines] == [
        ("solved", "CartPole-v1", [475]),
        ("solved", "CartPole-v1", [195]),
        ("random", "", [22]),
    ]
    assert all(len(line.x) == 0 for line in lines)


def test_curves_are_sorted_and_kept_apart(tmp_path):
    text = (
        "y,x,label,env,high,low\n"
        '3,20,"a, b",Ant-v5,4,2\n1,10,"a, b",Ant-v5,2,0\n'
        '7,10,"a, b",Hopper-v5,,\n5,,"a, b",Ant-v5,,\n'
    )

    first, second, level = parse(tmp_path, text)

    assert (first.label, first.environment) == ("a, b", "Ant-v5")
    np.testing.assert_array_equal([first.x, first.y], [[10, 20], [1, 3]])
    np.testing.assert_array_equal([first.low, first.high], [[0, 2], [2, 4]])
    np.testing.assert_array_equal([second.x, second.low], [[10], [np.nan]])
    assert (level.y.tolist(), len(level.x)) == ([5], 0)


def test_files_of_spreadsheets(tmp_path):
    lines = parse(tmp_path, "\ufefflabel, y\r\nsolved , 4.75e2\r\n")

    assert [(line.label, line.environment, line.y.tolist()) for line in lines] == [
        ("solved", "", [475])
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,env,y\na,b,c\n", "lines.csv, line 2: y is 'c'; expected a number"),
        ("label,env,y\na,b,1\n\na,b,\n", "line 4: y is ''; expected a finite number"),
        ("label,env,y\na,b,nan\n", "line 2: y is 'nan'; expected a finite number"),
        ("label,x,y\na,inf,1\n", "line 2: x is 'inf'; expected a finite number"),
        ("label,x,y,low,high\na,1,1,z,1\n", "line 2: low is 'z'; expected a number"),
        ("label,env,y\na,b\n", "line 2: 2 cells; expected 3, as the header"),
        ("label,env,y\n,b,1\n", "line 2: label is empty; expected a name"),
        ("name,y\n", "line 1: columns are 'name,y'; expected label,env,x,y,low,high"),
        ("label,y,y\n", "line 1: columns are 'label,y,y'"),
        ("label,env\n", "line 1: columns are 'label,env'"),
        ("label,y,low\n", "line 1: one of low and high is missing; expected both or none"),
        ('label,y\n"a,1\n', "line 2: unexpected end of data"),
        ("label,env,y\n", "lines.csv: no row; expected a header label,env,y and rows"),
        ("", "lines.csv: no row"),
        (b"label,y\n\xff,1\n", "lines.csv: not UTF-8; expected a CSV file"),
        (b"label,y\n" + b"a" * 200_000 + b",1\n", "line 2: field larger than field limit"),
        (b"x" * 10_000_001, "lines.csv: larger than 10000000 bytes; expected a few curves"),
    ],
)
def test_mistakes_name_their_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        parse(tmp_path, text)


def test_only_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "fifo")

    for name in ("fifo", ".", "gone"):
        with pytest.raises(FileNotFoundError, match="no such file"):
            read_references(tmp_path / name)
