"""`bin/panel status` and `bin/panel logs`."""

from datetime import timedelta

from launcher import logs, processes, supervisor
from launcher.layout import Layout
from launcher.say import LauncherError, say
from launcher.up import running_at

LINES = 50


def status(layout: Layout) -> int:
    """Say how each part is. Returns 0 where all run, 1 where one doesn't, 3 (as systemctl does) where none do."""
    states = supervisor.states(layout)
    if states is None:
        say("The panel isn't running. Start it with: bin/panel up")
        return 3
    say(f"{'part':<12}{'state':<12}{'pid':>8}{'up for':>18}{'memory':>12}")
    total = 0.0
    for state in states:
        memory = processes.memory_mib(processes.tree(state.pid)) if state.pid else 0.0
        total += memory
        since = str(timedelta(seconds=state.seconds)) if state.runs else "-"
        say(f"{state.name:<12}{state.state.lower():<12}{state.pid or '-':>8}{since:>18}{memory:>8.0f} MiB")
    total += (own := processes.memory_mib([supervisor.pid(layout)]))
    say(f"{'supervisor':<12}{'running':<12}{supervisor.pid(layout):>8}{'':>18}{own:>8.0f} MiB")
    say(f"\n{total:.0f} MiB in all. {' '.join(running_at(layout))}")
    return 0 if all(state.runs for state in states) else 1


def show_logs(layout: Layout, part: str | None, *, follow: bool) -> None:
    """Print the last lines of one part or of all, and with `follow` the new ones until interrupted."""
    files = {path.stem: path for path in sorted(layout.log.glob("*.log"))}
    if part is not None:
        if part not in files:
            raise LauncherError(f"There is no log of {part!r}; there are: {', '.join(files) or 'none yet'}.")
        files = {part: files[part]}
    width = max(map(len, files), default=0)
    for name, path in files.items():
        for line in logs.tail(path, LINES):
            say(f"{name:<{width}} | {line}")
    if follow:
        for name, line in logs.follow(files):
            say(f"{name:<{width}} | {line}")
