"""Work side by side."""

from __future__ import annotations

import os

from radiosynth.parallel import each


def test_workers_share_the_processors_and_later_processes_inherit_nothing() -> None:
    before = dict(os.environ)
    share = str(max(1, len(os.sched_getaffinity(0)) // 2)) if hasattr(os, "sched_getaffinity") else None
    found = list(each(lambda _: os.environ["TF_NUM_INTRAOP_THREADS"], range(2), 2))
    assert found == [share or found[0]] * 2
    assert dict(os.environ) == before
