"""The proxy's arithmetic and its share of the settings."""

import asyncio
from pathlib import Path

import pytest
from django.conf import settings as site

from console import closing
from console.proxy import rfb
from console.proxy.settings import SESSION_COOKIE, Settings
from kvmpanel.env import env


class TestAnswer:
    def test_is_what_the_field_computes(self) -> None:
        challenge = bytes(range(16))

        # Computed once with OpenSSL: DES-ECB under the bit-reversed bytes of "password".
        assert rfb.answer(challenge, "password").hex() == "b866924125c8eebb9debc1db61c538e2"

    def test_knows_eight_bytes_of_a_password(self) -> None:
        assert rfb.answer(bytes(16), "password") == rfb.answer(bytes(16), "password and more")


class TestGreet:
    @pytest.mark.parametrize("words", [[b"RFB 003.003\n"], [rfb.VERSION, b"\x02"], [b"GET / HTTP/1.0"]])
    async def test_refuses_what_is_no_viewer(self, words: list[bytes]) -> None:
        async def receive() -> bytes:
            return words.pop(0)

        async def send(_: bytes) -> None:
            await asyncio.sleep(0)

        with pytest.raises(rfb.BadBrowser):
            await rfb.greet(receive, send, b"")


class TestSettings:
    def test_agree_with_the_site_s(self) -> None:
        here = Settings.read(
            {"PANEL_STATE_DIR": str(site.STATE_DIR), "PANEL_HOSTNAMES": ",".join(site.ALLOWED_HOSTS[:3])}
        )

        assert here.origins == frozenset(site.PANEL_ORIGINS)
        assert here.redis_url == site.REDIS_URL
        assert here.per_person == env.consoles_per_person
        assert site.SESSION_COOKIE_NAME == SESSION_COOKIE

    def test_name_an_address_to_listen_at(self) -> None:
        about = {"REDIS_URL": "redis://", "PANEL_CONSOLE_LISTEN": "127.0.0.1:6080"}

        assert Settings.read(about).listen == ("127.0.0.1", 6080)
        assert Settings.read(about | {"PANEL_CONSOLE_LISTEN": "", "PANEL_STATE_DIR": "/s"}).listen == Path(
            "/s/run/console.sock"
        )

    @pytest.mark.parametrize("wrong", ["6080", "host:port"])
    def test_refuse_an_address_that_is_none(self, wrong: str) -> None:
        with pytest.raises(ValueError, match="PANEL_CONSOLE_LISTEN|invalid literal"):
            Settings.read({"REDIS_URL": "redis://", "PANEL_CONSOLE_LISTEN": wrong})


def test_every_closing_has_a_code_and_words_for_the_page() -> None:
    table = closing.table()

    assert len(table) == len(closing.Closing)
    assert all(code == 1012 or 4400 <= code <= 4499 for code in table)
