"""A connection that can be given up, and a daemon that falls silent at the worst moment."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hypervisor.errors import Unreachable
from hypervisor.knock import knock
from hypervisor.opener import Opener, left_behind
from hypervisor.uri import Address
from tests.eventually import eventually

DEADLINE_S = 2.0


@contextlib.contextmanager
def daemon(path: Path, *answers: bytes | None) -> Iterator[Address]:
    """One that gives each connection its answer: to say so much, or with None to hang up at once.

    After the last one it accepts no more. What it accepted stays open until the end.
    """
    with contextlib.ExitStack() as lines, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            for answer in answers:
                line = listener.accept()[0]
                if answer is None:
                    line.close()
                    continue
                lines.callback(line.close)
                line.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Address(socket=str(path))
        thread.join(5)


class TestKnock:
    def test_is_answered_by_a_daemon_that_runs(self, address: Address) -> None:
        knock(address, deadline_s=5)

    def test_finds_a_silent_one_out(self, tmp_path: Path) -> None:
        with daemon(tmp_path / "s", b"") as silent:
            began = time.monotonic()
            with pytest.raises(Unreachable, match="does not answer"):
                knock(silent, deadline_s=0.5)
            assert time.monotonic() - began < 5

    def test_finds_one_out_that_hangs_up(self, tmp_path: Path) -> None:
        with daemon(tmp_path / "s", None) as rude, pytest.raises(Unreachable):
            knock(rude, deadline_s=5)


class TestOpener:
    def test_lends_until_it_is_closed(self, address: Address) -> None:
        opener = Opener(address)
        opener.open(30)
        with opener.lend() as hypervisor:
            opener.close()
            assert hypervisor.host_facts().cpus > 0
        with pytest.raises(Unreachable), opener.lend():
            pass
        eventually(lambda: not hypervisor.is_alive(), within_s=5)

    def test_closes_what_nobody_wants(self, address: Address) -> None:
        opener = Opener(address, idle_s=0.5)
        opener.open(30)
        with opener.lend():
            time.sleep(1)
            assert opener.alive
        eventually(lambda: not opener.alive, within_s=5)

    def test_leaves_a_thread_behind_only_while_the_daemon_hangs(self, tmp_path: Path) -> None:
        """It answers the knock and then nothing: the one silence that no deadline of ours can end."""
        with daemon(tmp_path / "s", bytes(28), b"") as moody:
            with pytest.raises(Unreachable):
                Opener(moody).open(DEADLINE_S)
            assert left_behind() == 1
        eventually(lambda: left_behind() == 0, within_s=5)
