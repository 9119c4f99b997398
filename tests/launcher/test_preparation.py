"""What `up` prepares before anything runs: secrets, certificate, packages, ports, one at a time."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from launcher import addresses, certificate, layout, lock, packages, python, secrets
from launcher.say import LauncherError
from tests.launcher.conftest import ROOT, Nobody, Panel, free_port


def about(folder: Path, *asked: str) -> str:
    """What openssl reads in the certificate."""
    argv = ["openssl", "x509", "-in", str(folder / "panel.crt"), "-noout", *asked]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


class TestSecrets:
    def test_are_made_once_for_the_owner_alone(self, tmp_path: Path) -> None:
        secrets.ensure(tmp_path)
        first = {file.name: file.read_text() for file in tmp_path.iterdir()}

        secrets.ensure(tmp_path)

        assert first == {file.name: file.read_text() for file in tmp_path.iterdir()}
        assert set(first) == {"django_secret_key", "redis_password", "sealing_keys"}
        assert all(file.stat().st_mode & 0o777 == 0o600 for file in tmp_path.iterdir())
        assert len(set(first.values())) == len(first)


class TestCertificate:
    def test_names_every_address_and_keeps_its_key_private(self, tmp_path: Path) -> None:
        certificate.ensure(tmp_path, ["192.0.2.7", "panel.example.org", "localhost"])

        names = about(tmp_path, "-ext", "subjectAltName")
        assert "IP Address:192.0.2.7" in names
        assert "DNS:panel.example.org" in names
        assert (tmp_path / "panel.key").stat().st_mode & 0o777 == 0o600
        assert [file.name for file in tmp_path.iterdir() if file.is_dir()] == []

    def test_stays_while_it_is_good(self, tmp_path: Path) -> None:
        certificate.ensure(tmp_path, ["192.0.2.7", "localhost"])
        before = (tmp_path / "panel.crt").read_bytes()

        certificate.ensure(tmp_path, ["localhost"])

        assert (tmp_path / "panel.crt").read_bytes() == before

    def test_is_made_again_for_a_new_name(self, tmp_path: Path) -> None:
        certificate.ensure(tmp_path, ["localhost"])

        certificate.ensure(tmp_path, ["localhost", "192.0.2.8"])

        assert "192.0.2.8" in about(tmp_path, "-ext", "subjectAltName")

    def test_is_made_again_before_it_expires(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(certificate, "LIFETIME_DAYS", 30)
        certificate.ensure(tmp_path, ["localhost"])
        monkeypatch.undo()

        certificate.ensure(tmp_path, ["localhost"])

        about(tmp_path, "-checkend", str(certificate.RENEW_BEFORE_SECONDS))

    def test_of_someone_else_is_left_alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(certificate, "ISSUER", "Example Trust")
        certificate.ensure(tmp_path, ["panel.example.org"])
        monkeypatch.undo()
        before = (tmp_path / "panel.crt").read_bytes()

        certificate.ensure(tmp_path, ["localhost"])

        assert (tmp_path / "panel.crt").read_bytes() == before


class TestPackages:
    def test_says_which_are_missing(self) -> None:
        assert packages.missing(["dpkg", "no-such-package-of-the-panel", "dpkg"]) == [
            "no-such-package-of-the-panel"
        ]

    def test_without_root_the_command_to_run_is_printed(self, nobody: Nobody) -> None:
        program = "from launcher import packages; packages.ensure(['dpkg', 'no-such-package-of-the-panel'])"

        finished = nobody.run("python3", "-c", program)

        assert "sudo apt-get update && sudo apt-get install -y" in finished.stderr
        assert finished.stderr.rstrip().endswith("no-such-package-of-the-panel")


class TestPython:
    def test_a_list_that_is_installed_is_not_installed_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "requirements.txt").write_text("")
        monkeypatch.setattr(layout, "ROOT", tmp_path)
        here = layout.read({"PANEL_HOSTNAMES": "localhost"})
        python.ensure(here)
        capsys.readouterr()

        python.ensure(here)

        assert capsys.readouterr().out == ""
        (tmp_path / "requirements.txt").write_text("# another list\n")
        python.ensure(here)
        assert "Installing Python packages from requirements.txt" in capsys.readouterr().out


class TestSettings:
    def test_this_machines_names_are_the_default(self) -> None:
        here = layout.read({})

        assert {"localhost", "127.0.0.1", socket.gethostname().lower()} <= set(here.hostnames)
        assert here.port == 8443
        assert here.state == ROOT / "var"

    @pytest.mark.parametrize("port", ["0", "65536", "https", "-1", "8443.0", "٨٤٤٣"])
    def test_a_port_that_is_none_is_refused(self, port: str) -> None:
        with pytest.raises(LauncherError, match="PANEL_PORT"):
            layout.read({"PANEL_PORT": port})

    @pytest.mark.parametrize(
        ("folder", "why"), [("/tmp/my panel", "space"), ("/tmp/$x", "sign"), ("/tmp/" + "x" * 80, "longer")]
    )
    def test_a_state_folder_that_some_part_could_not_use_is_refused(self, folder: str, why: str) -> None:
        with pytest.raises(LauncherError, match=why):
            layout.read({"PANEL_STATE_DIR": folder})

    def test_a_state_folder_that_was_open_to_others_is_closed(self, state: Path) -> None:
        for folder in (state, state / "run"):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)

        layout.read({"PANEL_STATE_DIR": str(state)}).make_folders()

        assert {folder.stat().st_mode & 0o777 for folder in (state, *state.iterdir())} == {0o700}


class TestPorts:
    def test_a_listener_is_found_and_named(self) -> None:
        port = free_port()
        assert addresses.port_is_free(port)
        with socket.create_server(("127.0.0.1", port)):
            assert not addresses.port_is_free(port)
            assert "process" in str(addresses.port_owner(port))

    def test_one_kept_for_root_is_refused_to_others(self, nobody: Nobody, state: Path) -> None:
        state.chmod(0o777)

        finished = nobody.run("bin/panel", "up", "--port", "80", PANEL_STATE_DIR=str(state / "own"))

        assert finished.returncode == 1
        assert "Only root may listen on port 80" in finished.stderr


class TestLock:
    def test_lets_one_in_at_a_time_and_dies_with_its_holder(self, tmp_path: Path) -> None:
        path = tmp_path / "up.lock"
        with lock.held(path), pytest.raises(LauncherError, match="at work"), lock.held(path):
            pass

        with lock.held(path):
            assert path.exists()

    def test_a_state_folder_of_another_user_is_refused_in_plain_words(
        self, nobody: Nobody, state: Path
    ) -> None:
        finished = nobody.run("bin/panel", "up", "--no-hypervisor", PANEL_STATE_DIR=str(state))

        assert finished.returncode == 1
        assert "Permission denied" in finished.stderr
        assert "Traceback" not in finished.stderr


class TestCommandLine:
    def test_help_names_every_command(self) -> None:
        said = subprocess.run([ROOT / "bin" / "panel", "--help"], capture_output=True, text=True, check=True)

        for command in ("up", "down", "status", "logs", "manage", "test", "check", "bench", "lab"):
            assert f"\n    {command} " in said.stdout

    def test_works_from_anywhere_and_through_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "panel").symlink_to(ROOT / "bin" / "panel")

        said = subprocess.run(["./panel", "bench"], cwd=tmp_path, capture_output=True, text=True, check=True)

        assert said.stdout.startswith("Benchmarks:")

    def test_the_lab_needs_root_and_says_so(self, nobody: Nobody) -> None:
        finished = nobody.run("bin/panel", "lab", "up", "2")

        assert finished.returncode == 1
        assert "sudo bin/panel lab up 2" in finished.stderr

    def test_an_unknown_benchmark_or_log_is_refused_with_those_that_are_there(self, state: Path) -> None:
        panel = Panel(state, free_port())

        assert "There is no benchmark 'nonsense'" in panel.run("bench", "nonsense").stderr
        (state / "log").mkdir()
        (state / "log" / "web.log").write_text("hello\n")
        assert "there are: web." in panel.run("logs", "nonsense").stderr
        assert panel.run("logs", "web").stdout == "web | hello\n"

    def test_management_commands_get_their_own_options(self, stopped_panel: Panel) -> None:
        stopped_panel.layout.make_folders()
        secrets.ensure(stopped_panel.layout.secrets)

        finished = stopped_panel.run("manage", "prepare", "--help")

        assert "--no-hypervisor" in finished.stdout
