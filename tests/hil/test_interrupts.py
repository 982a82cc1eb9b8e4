"""What each signal does, in a real process that is sent real signals."""

import signal
import subprocess
import sys
import textwrap

import pytest

from hil.interrupts import Interrupts, Stopped


def run_and_signal(body: str, *signals: int) -> tuple[int, str]:
    """Run `body` in a process of its own, sending a signal each time it says `ready`."""
    script = textwrap.dedent(
        """
        import sys
        from hil.interrupts import Interrupts, Stopped
        def ready():
            print("ready", flush=True)
        try:
            with Interrupts() as interrupts:
        """
    ) + textwrap.indent(textwrap.dedent(body), " " * 8)
    script += textwrap.dedent(
        """
        except Stopped as stop:
            print("stopped", stop, flush=True)
            sys.exit(stop.exit_status)
        """
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for number in signals:
            while process.stdout.readline().strip() != "ready":
                assert process.poll() is None
            process.send_signal(number)
        rest = process.stdout.read()
        return process.wait(), rest


def test_the_first_sigint_waits_for_the_checkpoint() -> None:
    code, said = run_and_signal(
        """
        ready()
        while not interrupts.stopping:
            pass
        print("batch finished", flush=True)
        interrupts.checkpoint()
        print("not reached", flush=True)
        """,
        signal.SIGINT,
    )
    assert code == 130
    assert "batch finished" in said
    assert "not reached" not in said


def test_the_second_sigint_stops_now() -> None:
    code, said = run_and_signal(
        """
        ready()
        while not interrupts.stopping:
            pass
        ready()
        while True:
            pass
        """,
        signal.SIGINT,
        signal.SIGINT,
    )
    assert code == 130
    assert "stopped" in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_lost_terminal_or_a_shutdown_stops_now_but_cleanly(number: int) -> None:
    code, said = run_and_signal(
        """
        try:
            ready()
            while True:
                pass
        finally:
            print("safe", flush=True)
        """,
        number,
    )
    assert code == 143
    assert "safe" in said


def test_what_is_held_is_finished_first() -> None:
    code, said = run_and_signal(
        """
        import signal
        with interrupts.hold():
            ready()
            while interrupts._pending is None:
                pass
            print("safe state reached", flush=True)
        print("not reached", flush=True)
        """,
        signal.SIGTERM,
    )
    assert code == 143
    assert "safe state reached" in said
    assert "not reached" not in said


def test_the_handlers_before_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_a_checkpoint_passes_when_nothing_came() -> None:
    with Interrupts() as interrupts:
        interrupts.checkpoint()
        interrupts.stopping = True
        with pytest.raises(Stopped):
            interrupts.checkpoint()
