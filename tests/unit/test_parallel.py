"""Work side by side."""

from __future__ import annotations

import os

import pytest

from radiosynth.parallel import each


@pytest.mark.parametrize("before", [None, "5"])
def test_workers_share_the_processors_and_later_processes_inherit_nothing(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "5")
    if before is None:
        monkeypatch.delenv("TF_NUM_INTRAOP_THREADS")
    share = str(max(1, len(os.sched_getaffinity(0)) // 2)) if hasattr(os, "sched_getaffinity") else None
    found = list(each(lambda _: os.environ["TF_NUM_INTRAOP_THREADS"], range(2), 2))
    assert found == [share or found[0]] * 2
    assert os.environ.get("TF_NUM_INTRAOP_THREADS") == before
