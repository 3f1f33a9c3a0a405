"""The plan that the demo uses."""

from core.floorplan import StorePlan, load
from simulators.demo.running import PLAN


def demo_store() -> StorePlan:
    """Return its only store."""
    return load(PLAN.read_bytes()).stores[0]
