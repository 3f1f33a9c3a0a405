"""A chain as the command line asks for it, and what is said in the end."""

import os
from datetime import date
from pathlib import Path
from typing import Literal

from simulators.chain.faults import FAULTS
from simulators.chain.settings import FIRST_DAY, ChainSettings
from simulators.chain.writing import write_chain
from simulators.replay.files import read_plan
from simulators.replay.lanes import Progress


def ask(
    *,
    stores: int,
    days: int,
    seed: int,
    first_day: date | None,
    plan: Path | None,
    visits: int,
    members: int,
    staff: int,
    faults: Literal["none", "usual", "many"],
) -> ChainSettings:
    """Return the settings; FloorPlanError where the plan cannot be read, ConfigurationError where numbers are off."""
    plans = () if plan is None else read_plan(plan).stores
    return ChainSettings(
        seed=seed,
        stores=len(plans) if plans else stores,
        days=days,
        visits=visits,
        members=members,
        staff=staff,
        faults=FAULTS[faults],
        plans=plans,
        first_day=first_day if first_day is not None else FIRST_DAY,
    )


def simulated(settings: ChainSettings, out: Path, jobs: int | None, progress: Progress) -> str:
    """Write the chain and return what came of it in one sentence and the next command."""
    written = write_chain(settings, out, jobs=jobs if jobs is not None else os.cpu_count() or 1, progress=progress)
    return (
        f"{written.signals:,} signals and {written.true_visits:,} true visits of {settings.stores:,} stores"
        f" on {settings.days} days, sha256 {written.content_sha256}\n"
        f"Next: sojourn replay {out / 'recording.parquet'} --floorplan {out / 'plan.json'} --out visits.parquet"
    )
