"""`bin/panel up`: from whatever state the machine is in to a panel that answers, the same way each time."""

import http.client
import json
import signal
import ssl
import time
from typing import Any

from launcher import (
    addresses,
    certificate,
    commands,
    frontend,
    hypervisor,
    lock,
    logs,
    packages,
    python,
    secrets,
    services,
    supervisor,
    tunnels,
    watch,
)
from launcher.layout import Layout
from launcher.say import LauncherError, say, step

READY_SECONDS = 90
LAST_WORDS = 15


def up(layout: Layout, *, detach: bool, with_hypervisor: bool) -> None:
    """Bring the panel up and stay beside it, or leave it in the background. Safe to repeat."""
    # systemd's stop and a closed terminal ask for the same as Ctrl-C, which a shell's background job would ignore.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    layout.make_folders()
    with lock.held(layout.run / "up.lock"):
        if supervisor.states(layout) is not None:
            say(f"The panel runs already: {' '.join(running_at(layout))}")
            return
        _start(layout, with_hypervisor=with_hypervisor)
    if detach:
        return
    try:
        say("Ctrl-C stops the panel; virtual machines go on. `bin/panel logs -f` shows what each part says.")
        watch.watch(layout)
    except KeyboardInterrupt:
        say("* Stopping the panel …")
    finally:  # also where the terminal is gone and saying fails
        _stop(layout)
    say("Stopped.")


def _start(layout: Layout, *, with_hypervisor: bool) -> None:
    """Prepare everything, start the parts and wait until they answer; stops them again where they don't."""
    _require_port(layout.port)
    _install(layout, with_hypervisor=with_hypervisor)
    secrets.ensure(layout.secrets)
    certificate.ensure(layout.tls, layout.hostnames)
    services.write_configuration(layout)
    if with_hypervisor:
        hypervisor.ensure(layout.libvirt_socket)
    prepared = _prepare(layout, with_hypervisor=with_hypervisor)
    try:
        with step("Starting the parts"):
            supervisor.start(layout)
            _wait_until_ready(layout)
    except BaseException:
        _stop(layout)
        _tell_password(prepared)
        raise
    (layout.run / "panel.json").write_text(json.dumps({"addresses": layout.addresses}))
    _welcome(layout, prepared)


def down(layout: Layout) -> None:
    """Stop every part of the panel. Virtual machines and libvirt go on."""
    say("* Stopping the panel …")
    say("Stopped." if _stop(layout) else "The panel wasn't running.")


def _stop(layout: Layout) -> bool:
    """End all that belongs to the panel. False where nothing ran but what a panel that was killed left over."""
    try:
        return supervisor.stop(layout)
    finally:
        tunnels.close(layout)


def running_at(layout: Layout) -> list[str]:
    """The addresses of the panel that runs in this state folder, as its `up` wrote them down."""
    try:
        written = json.loads((layout.run / "panel.json").read_text())
    except FileNotFoundError:
        return layout.addresses
    return [str(address) for address in written["addresses"]]


def _install(layout: Layout, *, with_hypervisor: bool) -> None:
    redis = () if layout.redis_url else packages.REDIS
    machines = packages.HYPERVISOR if with_hypervisor else ()
    packages.ensure([*packages.BUILD, *packages.PARTS, *redis, *machines])
    python.ensure(layout)
    frontend.ensure(layout)


def _require_port(port: int) -> None:
    try:
        free = addresses.port_is_free(port)
    except PermissionError as error:
        raise LauncherError(
            f"Only root may listen on port {port}: choose one from 1024 with --port."
        ) from error
    if not free:
        owner = addresses.port_owner(port) or "another program"
        raise LauncherError(
            f"Port {port} is taken by {owner}. Choose another: bin/panel up --port {port + 1}"
        )


def _prepare(layout: Layout, *, with_hypervisor: bool) -> dict[str, Any]:
    """Database, static files, first admin and this host, in one process; what `manage.py prepare` says of it."""
    scope = [] if with_hypervisor else ["--no-hypervisor"]
    with step("Preparing the database, static files and this host"):
        answer = commands.ask(
            [layout.python, "manage.py", "prepare", *scope],
            env=layout.environment(),
            cwd=layout.root,
            what="Preparing the panel",
        )
    return dict(json.loads(answer.splitlines()[-1]))


def _wait_until_ready(layout: Layout) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _is_ready(layout):
        if time.monotonic() > deadline:
            raise LauncherError("\n".join(_what_is_missing(layout)))
        time.sleep(0.1)


def _is_ready(layout: Layout) -> bool:
    """Every part runs, and the health page says that the site reaches its database and Redis."""
    states = supervisor.states(layout)
    return states is not None and all(state.runs for state in states) and _answers(layout)


def _answers(layout: Layout) -> bool:
    # Our own port on the loopback: the certificate has nobody to convince. The name must be one of the panel's.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", layout.port, timeout=5, context=context)
    try:
        connection.request("GET", "/healthz", headers={"Host": layout.hostnames[0]})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _what_is_missing(layout: Layout) -> list[str]:
    states = supervisor.states(layout) or []
    waiting = [state for state in states if not state.runs] or [
        state for state in states if state.name == "web"
    ]
    lines = [f"The panel wasn't ready within {READY_SECONDS} s and is stopped again."]
    for state in waiting:
        lines.append(f"{state.name} ({state.state.lower()}) said last:")
        lines.extend(f"    {words}" for words in logs.tail(layout.log / f"{state.name}.log", LAST_WORDS))
    return lines


def _welcome(layout: Layout, prepared: dict[str, Any]) -> None:
    for warning in prepared["warnings"]:
        say(f"! {warning}")
    say()
    say("The panel is ready:")
    for address in layout.addresses:
        say(f"    {address}")
    _tell_password(prepared)
    say()


def _tell_password(prepared: dict[str, Any]) -> None:
    """It is stored hashed: whoever made the first admin must be told now, or never."""
    admin = prepared["admin"]
    if admin["created"]:
        say(f"    user name: {admin['username']}")
        say(f"    password:  {admin['password']}   (shown this once)")
