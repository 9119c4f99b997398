"""Filters and tags that every template has; they format, they never ask the database."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django import template
from django.conf import settings
from django.db.models import Field, Model
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from core.units import human_bytes, human_duration, human_kib, human_mib, human_since

register = template.Library()

register.filter("bytes", human_bytes)
register.filter("kib", human_kib)
register.filter("mib", human_mib)
register.filter("duration", human_duration)

# The colour of the dot before a state; what is missing here is grey. An operation that runs is not yet good news.
COLOURS = {
    "running": "green",
    "up": "green",
    "active": "green",
    "succeeded": "green",
    "done": "green",
    "stored": "green",
    "passed": "green",
    "creating": "blue",
    "receiving": "blue",
    "storing": "blue",
    "operation.running": "blue",
    "operationstep.running": "blue",
    "hostcheck.running": "blue",
    "hostcheck.waiting": "blue",
    "warning": "yellow",
    "paused": "yellow",
    "suspended": "yellow",
    "shutting-down": "yellow",
    "degraded": "yellow",
    "crashed": "red",
    "down": "red",
    "blocked": "red",
    "failed": "red",
    "refused": "red",
    "inaccessible": "red",
}
_NOBODY = str(UUID(int=0))
MOVING = {
    "creating",
    "shutting-down",
    "storing",
    "receiving",
    "operation.running",
    "operationstep.running",
    "hostcheck.running",
    "hostcheck.waiting",
}


@register.simple_tag
@lru_cache(maxsize=512)
def icon(name: str, classes: str = "") -> SafeString:
    """The Tabler icon `name` as inline SVG, without words for screen readers: the text beside it says it."""
    path = settings.BASE_DIR / "node_modules" / "@tabler" / "icons" / "icons" / "outline" / f"{name}.svg"
    svg = path.read_text(encoding="ascii")
    drawing = " ".join(svg[svg.index(">") + 1 : svg.rindex("</svg>")].split())
    # The drawing comes from the package in the lock file, name and classes from our own templates.
    return mark_safe(  # noqa: S308
        f'<svg class="{f"icon {classes}".strip()}" viewBox="0 0 24 24" width="24" height="24" fill="none" '
        f'stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" '
        f'aria-hidden="true" focusable="false">{drawing}</svg>'
    )


@register.simple_tag
def since(when: datetime | None, never: str = "never") -> SafeString:
    """ "14 s ago" with the exact time on hover; the page keeps it true as time goes by."""
    if when is None:
        return format_html('<span class="text-secondary">{}</span>', never)
    exact = when.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC" data-since>{}</time>',
        exact.isoformat(timespec="milliseconds"),
        exact.strftime("%Y-%m-%d %H:%M:%S"),
        human_since((timezone.now() - when).total_seconds()),
    )


@register.simple_tag
def page_of(name: str, key: UUID) -> str:
    """The address of a page that takes one UUID. `{% url %}` takes 40 µs, which a long table pays for each link."""
    return _address(name).replace(_NOBODY, str(key))


@lru_cache(maxsize=64)
def _address(name: str) -> str:
    return reverse(name, args=[_NOBODY])


@register.simple_tag
def state_badge(thing: Model) -> SafeString:
    """The state of a machine, host, pool or operation as a coloured dot and a word."""
    state = str(getattr(thing, "state", ""))
    return badge(state, _state_words(type(thing), state), thing._meta.model_name or "")


@lru_cache(maxsize=256)
def _state_words(model: type[Model], state: str) -> str:
    """What `get_state_display` says, which makes a table of all choices each time."""
    field = model._meta.get_field("state")
    words = dict(field.flatchoices) if isinstance(field, Field) else {}
    return str(words.get(state) or state.replace("-", " ").capitalize())


@register.simple_tag
@lru_cache(maxsize=256, typed=True)  # typed: a SafeString equals the str that must be escaped
def badge(state: str, words: str, kind: str = "") -> SafeString:
    """A dot in the colour of `state` ("green" and the like are taken as they are), then `words`."""
    named = f"{kind}.{state}"
    colour = COLOURS.get(named) or COLOURS.get(state) or (state if state in COLOURS.values() else "grey")
    moving = " state-moving" if named in MOVING or state in MOVING else ""
    return format_html(
        '<span class="state state-{}{}"><span class="state-dot" aria-hidden="true"></span>{}</span>',
        colour,
        moving,
        words,
    )


@register.inclusion_tag("core/_bar.html")
def bar(used: float, total: float, words: str = "", label: str = "", *, calm: bool = False) -> dict[str, Any]:
    """A usage bar in the colour of how full it is; `words` stand beside it, by default the percentage.

    `calm` keeps the colour: vCPUs may well be more than the CPUs there are, and progress is good at 100 %.
    """
    percent = min(100, max(0, round(100 * used / total))) if total else 0
    level = "fine" if calm or percent < 75 else "high" if percent < 90 else "full"
    return {"percent": percent, "level": level, "label": label, "words": words or f"{percent} %"}


@register.filter
def meter(percent: float | str | None, label: str) -> SafeString | str:
    """A small bar alone, nothing for None or what is not there.

    For cells of long tables, where tags and conditions would take as long as all the rest.
    """
    return _meter(round(percent), label) if isinstance(percent, float) else ""


@lru_cache(maxsize=512)
def _meter(percent: int, label: str) -> SafeString:
    return format_html(
        '<progress class="meter" value="{0}" max="100" aria-label="{1}" title="{1} {0} %">{0} %</progress>',
        percent,
        label,
    )


@register.filter
def per_second(count: int) -> str:
    """1536 → "1.5 KiB/s", 0 → "0": in a table of rates what is idle stays quiet."""
    return f"{human_bytes(count)}/s" if count else "0"


@register.inclusion_tag("core/_post.html", takes_context=True)
def post_button(
    context: template.Context, address: str, title: str, classes: str = "btn", **options: Any
) -> dict[str, Any]:
    """A button that posts to `address` and shows the answer in #messages.

    Options: `image` (icon name), `icon_only`, `disabled`, `why` (it is disabled, and this is said on hover), `include`
    (what is sent along, as htmx selects it), and for what can't be taken back `confirm` (what is lost),
    `confirm_title`, `confirm_button`.
    """
    return {
        "address": address,
        "title": title,
        "classes": classes,
        "csrf_token": context.get("csrf_token"),
        **options,
    }


@register.filter
def can(user: Any, verb: str) -> bool:
    """Whether the person's global role allows `verb`; for menus and buttons, the action decides again."""
    return bool(user.is_authenticated and user.can(verb))


@register.filter
def minutes(seconds: float) -> str:
    """900 → "15 minutes"; rounded up, at least one."""
    count = max(1, math.ceil(seconds / 60))
    return "1 minute" if count == 1 else f"{count} minutes"


@register.filter
def team_role(role: str) -> str:
    """ "team_lead" → "lead"."""
    return role.removeprefix("team_")


@register.filter
def is_checkbox(field: BoundField) -> bool:
    """Whether the label stands behind the control."""
    return isinstance(field.field.widget, CheckboxInput)


@register.simple_tag
def control(field: BoundField) -> SafeString:
    """The input itself, in the look of the panel."""
    widget = field.field.widget
    if isinstance(widget, CheckboxInput | RadioSelect | CheckboxSelectMultiple):
        classes = "form-check-input"
    elif isinstance(widget, Select):
        classes = "form-select"
    else:
        classes = "form-control"
    if field.errors:
        classes += " is-invalid"
    return field.as_widget(attrs={"class": f"{classes} {widget.attrs.get('class', '')}".strip()})
