"""The list of mistakes that the tests must notice fits the files."""

import pytest
from mutations import MUTATIONS, ROOT, mirror, mutate


@pytest.mark.parametrize("file", MUTATIONS)
def test_every_mistake_can_be_made(file):
    names = [name for name, *_ in MUTATIONS[file]]

    assert len({*names}) == len(names)
    assert (ROOT / mirror(file)).is_file()
    for _, old, new in MUTATIONS[file]:
        compile(mutate(file, old, new), file, "exec")


def test_a_mistake_has_one_place(tmp_path):
    (tmp_path / "lagom").mkdir()
    (tmp_path / "lagom/x.py").write_text("a + b + c")

    assert mutate("x.py", "a +", "a -", tmp_path) == "a - b + c"
    with pytest.raises(ValueError, match="has '\\+' 2 times; expected it once"):
        mutate("x.py", "+", "-", tmp_path)
    with pytest.raises(ValueError, match="has 'd' 0 times"):
        mutate("x.py", "d", "e", tmp_path)
