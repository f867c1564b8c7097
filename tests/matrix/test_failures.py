"""Every failure that can be staged is told by its own finding first; what is healthy stays green."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.matrix.failures import FAILURES, HEALTHY, Failure, Judged, judged, playing

Found = tuple[Mapping[str, Judged], ...]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    """All of them at once, judged over real HTTP."""
    folder: Path = tmp_path_factory.mktemp("matrix")
    with playing((*FAILURES, *HEALTHY), folder) as sandbox:
        yield judged(sandbox, folder, (*FAILURES, *HEALTHY))


@pytest.mark.parametrize("row", FAILURES, ids=lambda row: f"{row.number} {row.name}")
def test_the_first_finding_is_the_failure_that_was_staged(row: Failure, found: Found) -> None:
    said = found[-1][row.name]
    assert (said.first, said.level) == (row.code, row.level), said


@pytest.mark.parametrize("row", HEALTHY, ids=lambda row: row.name)
def test_a_healthy_cluster_raises_no_alarm(row: Failure, found: Found) -> None:
    assert [each[row.name] for each in found] == [Judged("protected", ())] * len(found)
