"""What a task for a block is called with, and when it is tried again."""

from unittest.mock import Mock, patch

import pytest
from celery.exceptions import Retry

from workshop import blocks, grid
from workshop.blocks import call_do_block, do_block
from workshop.service import ServiceError


@pytest.mark.parametrize(("km", "tasks"), [(10, 9_100), (100, 91)])
def test_the_country_is_sent_block_by_block(km: int, tasks: int) -> None:
    with patch.object(do_block, "delay") as delay:
        call_do_block(km=km)
    sent = {grid.block(*call.args) for call in delay.call_args_list}
    assert len(sent) == len(delay.call_args_list) == tasks
    assert sum((east - west) * (north - south) for west, south, east, north in sent) == 910_000 * 1e6


def test_a_part_is_sent_as_it_is_asked_for() -> None:
    with patch.object(do_block, "delay") as delay:
        call_do_block(300_000, 600_000, 302_000, 602_000, km=1)
    assert [call.args for call in delay.call_args_list] == [
        (x, y, 1) for y in (600_000, 601_000) for x in (300_000, 301_000)
    ]


def test_the_artificial_fault_strikes_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_FAULT_RATE", "1")
    with (
        patch.object(blocks, "fetch") as fetch,
        pytest.raises(ServiceError, match=r"\(5, 5\)"),
    ):
        blocks.geoprocess(5, 5, 10)
    fetch.assert_not_called()


def test_a_service_error_leads_to_a_retry_and_a_wrong_argument_does_not() -> None:
    retry = Mock(side_effect=Retry())
    with patch.object(do_block, "retry", retry), pytest.raises(ValueError, match="km must be 1, 10 or 100"):
        do_block(5, 5, 7)
    retry.assert_not_called()
    with (
        patch.object(do_block, "retry", retry),
        patch.object(blocks, "geoprocess", side_effect=ServiceError("no answer")),
        pytest.raises(Retry),
    ):
        do_block(5, 5)
    retry.assert_called_once()
    assert (do_block.max_retries, do_block.default_retry_delay) == (3, 10)
