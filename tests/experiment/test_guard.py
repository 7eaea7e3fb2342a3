import signal
import threading

from lagom.experiment.guard import stop_signals


def test_stop_signals_are_noted_once():
    before = signal.getsignal(signal.SIGUSR1)
    with stop_signals() as asked:
        signal.raise_signal(signal.SIGUSR1)
        after_one = signal.getsignal(signal.SIGUSR1)

    assert asked == [signal.SIGUSR1]
    assert after_one == before  # the second acts at once


def test_outside_the_main_thread_signals_are_left_alone():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def run():
        with stop_signals() as asked:
            seen.append((signal.getsignal(signal.SIGTERM), asked))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert seen == [(before, [])]
    assert signal.getsignal(signal.SIGTERM) == before
