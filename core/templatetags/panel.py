"""Filters and tags that every template has; they format, they never ask."""

from django import template

from core.units import human_bytes, human_mib

register = template.Library()

register.filter("bytes", human_bytes)
register.filter("mib", human_mib)
