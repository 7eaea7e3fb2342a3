"""The same engine over a local Ray (nox -s ray)."""

import pytest
from populations import build, columns

ray = pytest.importorskip("ray")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_results_are_those_of_one_process_even_if_an_actor_dies(capsys):
    alone, engine = build(), build("es.workers=2", "es.executor=ray")
    expected = [alone.train(n) for n in range(3)]
    try:
        rows = [engine.train(0)]
        ray.kill(engine.pool._actors[0])
        rows += [engine.train(n) for n in (1, 2)]
    finally:
        ray.shutdown()

    assert columns(rows) == columns(expected)
    assert engine.agent.to_vec().tolist() == alone.agent.to_vec().tolist()
    assert "a worker died" in capsys.readouterr().out
