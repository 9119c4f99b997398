"""The one class the rest of the panel sees: a connection to a host, with methods in our words."""

from hypervisor.driver_copies import CopyCalls
from hypervisor.driver_definition import DefinitionCalls
from hypervisor.driver_devices import DeviceCalls
from hypervisor.driver_disks import DiskCalls
from hypervisor.driver_display import DisplayCalls
from hypervisor.driver_guest import GuestCalls
from hypervisor.driver_host import HostCalls
from hypervisor.driver_migration import MigrationCalls
from hypervisor.driver_networks import NetworkCalls
from hypervisor.driver_options import OptionCalls
from hypervisor.driver_power import PowerCalls
from hypervisor.driver_snapshots import SnapshotCalls
from hypervisor.driver_stats import StatsCalls
from hypervisor.driver_storage import StorageCalls


class Hypervisor(
    HostCalls,
    GuestCalls,
    CopyCalls,
    DeviceCalls,
    DiskCalls,
    DefinitionCalls,
    DisplayCalls,
    StorageCalls,
    NetworkCalls,
    OptionCalls,
    PowerCalls,
    SnapshotCalls,
    StatsCalls,
    MigrationCalls,
):
    """An open connection to one host. UUIDs and specs in, facts out, errors from `hypervisor.errors`.

    Open it after fork, use it from one process; calls may come from several threads. Every call can last as long as
    the host stays silent: keepalive ends it after `keepalive_interval_s` × (`keepalive_count` + 1) seconds, but only
    once the connection is open. `open` itself has no limit, so it belongs into a process that can be killed.

    The methods live in `connection` and in the modules that are called `driver_…`, one for each subject.
    """
