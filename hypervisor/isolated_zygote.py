"""Forks the children of `hypervisor.isolated`, and sees to it that nothing of them stays.

A program of its own, `python -m hypervisor.isolated_zygote`, that has imported what the children need and nothing
else, holds no secret, has one thread and no connection. So a child costs a fork (a few milliseconds) and the memory
that it writes to. A child leads a process group: when it ends, the group is killed, ssh included, before its number
can belong to another.
"""

import contextlib
import gc
import os
import select
import signal
import socket
from typing import Final

from hypervisor.isolated_child import serve

_LINE: Final = 3  # in a child, after the standard three


def main() -> None:
    """Serve the control socket that is standard input: a line comes, its child's pidfd goes back. Ends with it."""
    control = socket.socket(fileno=os.dup(0))
    gc.collect()
    gc.freeze()  # a collection in a child would write to, and so copy, every page of ours
    children: dict[int, int] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    try:
        while True:
            for descriptor, _ in poll.poll():
                if descriptor != control.fileno():
                    poll.unregister(descriptor)
                    _bury(children.pop(descriptor), descriptor)
                    continue
                message, lines, _, _ = socket.recv_fds(control, 1, 1)
                if not message:
                    return
                pid, pidfd = _start(lines[0])
                children[pidfd] = pid
                poll.register(pidfd, select.POLLIN)
                socket.send_fds(control, [b"."], [pidfd])
    finally:
        for pid in children.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _start(line: int) -> tuple[int, int]:
    """Fork a child that serves `line`; its number and its pidfd."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(line, _LINE, inheritable=False)
        os.closerange(_LINE + 1, os.sysconf("SC_OPEN_MAX"))
        serve(socket.socket(fileno=_LINE))
    os.close(line)
    return pid, os.pidfd_open(pid)


def _bury(pid: int, pidfd: int) -> None:
    """Kill what the dead child left in its group, then let its number go."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(pidfd)


if __name__ == "__main__":
    main()
