"""When a machine's next snapshot is due. Pure; all times are UTC."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from domains.models import SnapshotSchedule

# Every so many hours, counted from midnight: what divides the day stays at the same hours.
HOURS: Final = (1, 2, 3, 4, 6, 8, 12)
MOST_KEPT: Final = 100


def next_after(moment: datetime, *, every_hours: int, minute: int) -> datetime:
    """The first time later than `moment`: daily at `minute` of the day, or at hours that `every_hours` divide.

    There only the minutes within the hour count.
    """
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + timedelta(minutes=minute % 60 if every_hours else minute)
    step = timedelta(hours=every_hours or 24)
    return at + step * max(0, (moment - at) // step + 1)


def words(schedule: SnapshotSchedule) -> str:
    """ "every 4 hours, the last 7 are kept" """
    how = f"every {schedule.every_hours} hours" if schedule.every_hours > 1 else "every hour"
    if not schedule.every_hours:
        how = f"every day at {schedule.minute // 60:02}:{schedule.minute % 60:02} UTC"
    return f"{how}, the last {schedule.keep} are kept"
