"""A document with its parts in colours, as HTML that needs no script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from django.utils.html import escape, format_html_join
from django.utils.safestring import SafeString

from hypervisor.xml.secrets import is_hidden

# Beyond it colours cost more than they help.
LONGEST: Final = 200_000
_TAG: Final = re.compile(r"(<[^>]*>)")
_PARTS: Final = re.compile(r"(</?[^\s/>]*)(.*?)([/?]?>)", re.DOTALL)
_ATTRIBUTE: Final = re.compile(r"""([^\s=]+)(=)("[^"]*"|'[^']*')""")


def coloured(xml: str) -> SafeString:
    """Every character of `xml`, escaped; tags, attributes and values in spans."""
    if len(xml) > LONGEST:
        return SafeString(escape(xml))
    return format_html_join("", '<span class="xml-{}">{}</span>', (span for span in _spans(xml) if span[1]))


def _spans(xml: str) -> Iterator[tuple[str, str]]:
    for part in _TAG.split(xml):
        parts = _PARTS.fullmatch(part)
        if parts is None:
            yield "text", part
            continue
        yield "tag", parts[1]
        yield from _attributes(parts[2])
        yield "tag", parts[3]


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    for found in _ATTRIBUTE.finditer(text):
        yield "text", text[position : found.start()]
        yield "name", found[1] + found[2]
        yield "secret" if is_hidden(found[3][1:-1]) else "value", found[3]
        position = found.end()
    yield "text", text[position:]
