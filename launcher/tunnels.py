"""The ssh processes that lead consoles to other hosts: workers start them, and they outlive workers on purpose."""

import subprocess
from typing import Final

from launcher.layout import Layout

ASK_SECONDS: Final = 5


def close(layout: Layout) -> None:
    """End those of this panel; `hosts/tunnels.py` says what the sockets are. One that hangs ends by itself."""
    for control in layout.run.glob("s[0-9]*"):
        if control.is_socket():
            argv = ["ssh", "-F", "none", "-S", str(control), "-O", "exit", "nobody"]
            try:
                subprocess.run(argv, capture_output=True, check=False, timeout=ASK_SECONDS)
            except (FileNotFoundError, subprocess.TimeoutExpired):
                continue
            control.unlink(missing_ok=True)
