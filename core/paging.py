"""Parts of a list over REST."""

from __future__ import annotations

from ninja import Field, Schema
from ninja.pagination import LimitOffsetPagination


class Paging(LimitOffsetPagination):
    """As django-ninja's, with numbers that a database can count to."""

    class Input(Schema):
        """`offset` is where the part begins."""

        limit: int = Field(100, ge=1, le=500)
        offset: int = Field(0, ge=0, lt=2**31)
