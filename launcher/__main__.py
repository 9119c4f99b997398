"""The command line: `bin/panel COMMAND`."""

import argparse
import os
import sys

from launcher import develop, layout, status
from launcher.say import LauncherError, complain
from launcher.up import down, up

DESCRIPTION = "KVM Panel: a web panel for KVM hosts over plain libvirt."
EPILOG = """\
State lives in var/ (PANEL_STATE_DIR); docs/settings.md lists every setting, docs/operations.md tells how to run
the panel as a service. `down` and Ctrl-C stop the panel only: virtual machines and libvirt go on.
"""
# Their arguments belong to other programs, options included.
PASSED_ON = {"manage": develop.manage, "test": develop.test, "bench": develop.bench, "lab": develop.lab}


def port(text: str) -> int:
    """A TCP port; argparse turns ValueError into a message."""
    if not 1 <= (number := int(text)) <= 65535:
        raise ValueError(text)
    return number


def parser() -> argparse.ArgumentParser:
    """What --help shows."""
    top = argparse.ArgumentParser(
        prog="bin/panel",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    start = command.add_parser("up", help="install what is missing, start the panel and stay beside it")
    start.add_argument("--detach", action="store_true", help="leave it in the background once it is ready")
    start.add_argument("--port", type=port, help="the HTTPS port (PANEL_PORT, 8443)")
    start.add_argument(
        "--no-hypervisor", action="store_true", help="manage other hosts only: no libvirt here"
    )
    command.add_parser("down", help="stop the panel; virtual machines go on")
    command.add_parser("status", help="show each part: state, process, time, memory")
    show = command.add_parser("logs", help="show the parts' last lines")
    show.add_argument("part", nargs="?", metavar="PART", help="one part only")
    show.add_argument("-f", "--follow", action="store_true", help="go on with new lines until Ctrl-C")
    command.add_parser("manage", help="run a management command: bin/panel manage ARGS", add_help=False)
    command.add_parser("check", help="format, lint, types, imports, templates, migrations, house rules")
    command.add_parser("test", help="run the tests, all or as pytest's arguments say", add_help=False)
    command.add_parser("bench", help="run a benchmark by name, or list them", add_help=False)
    command.add_parser(
        "lab", help="real hosts on this machine, to try and to break: bin/panel lab -h", add_help=False
    )
    return top


def run(arguments: list[str]) -> int:
    """Do what the command line says; returns the exit status. Raises LauncherError."""
    if arguments and arguments[0] in PASSED_ON:
        return PASSED_ON[arguments[0]](layout.read(os.environ), arguments[1:])
    asked = parser().parse_args(arguments)
    panel = layout.read(os.environ, port=getattr(asked, "port", None))
    match asked.command:
        case "up":
            up(panel, detach=asked.detach, with_hypervisor=not asked.no_hypervisor)
        case "down":
            down(panel)
        case "status":
            return status.status(panel)
        case "logs":
            status.show_logs(panel, asked.part, follow=asked.follow)
        case "check":
            return develop.check(panel)
    return 0


def main() -> int:
    """Run, and turn what can't be done into its message and exit status 1."""
    try:
        return run(sys.argv[1:])
    except LauncherError as error:
        complain(f"\n{error}")
        return 1
    except PermissionError as error:
        complain(
            f"\n{error.strerror}: {error.filename or 'the socket of the panel'}\nRun this as the user whose panel "
            "it is (with sudo where that is root), or give a state folder of your own with PANEL_STATE_DIR."
        )
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 130


if __name__ == "__main__":
    sys.exit(main())
