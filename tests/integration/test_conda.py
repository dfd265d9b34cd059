"""The stack runs from a conda environment."""

from pathlib import Path

import psutil
import pytest

from tests.integration.conda import make_prefix
from tests.integration.own_stack import done, own_stack, send


@pytest.mark.nightly
def test_the_services_run_from_the_active_environment(tmp_path: Path) -> None:
    """The course is in a folder with a space; conda itself refuses one for its environments."""
    prefix = make_prefix(tmp_path / "conda")
    (tmp_path / "the course").mkdir()
    with own_stack(tmp_path / "the course", CONDA_PREFIX=str(prefix)) as machine:
        programs = {
            name: psutil.Process(machine.service(name)["pid"]).exe() for name in ("postgis", "rabbitmq")
        }
        assert programs["postgis"] == str(prefix / "bin/postgres")
        assert Path(programs["rabbitmq"]).match(f"{prefix}/lib/erlang/erts-*/bin/beam.smp")
        assert done([send()]).done == 1
