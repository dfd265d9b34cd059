"""The guard refuses what is no task, each with its reason, and lets pass what Celery's senders write."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import amqp
import pytest
from kombu import Message
from kombu.compression import compress, decompress

from tests.messages import MALFORMED, NAME, body, message
from workshop.delivery.guard import Packed, fault


def fault_of(parts, known=(NAME,)):
    return fault(Message(channel=None, **parts), known)


@pytest.mark.parametrize("what", MALFORMED)
def test_it_is_refused_by_name(what):
    code, parts = MALFORMED[what]
    reason = fault_of(parts)
    assert reason is not None
    assert reason.partition(":")[0] == code
    assert len(reason) < 200


def test_a_task_passes():
    assert fault_of(message()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"retries": 3, "known_errors": 3, "eta": (datetime.now(UTC) + timedelta(seconds=10)).isoformat()},
        {"eta": "2020-01-01T00:00:00"},
        {"expires": "2999-01-01T00:00:00Z", "shadow": None, "group": str(uuid4()), "group_index": 0},
        {"timelimit": [15, 5.5], "ignore_result": False, "stamps": {}, "stamped_headers": None},
        {"probe": True, "x-death": [{"count": 1}], "anything": "else"},
        {"retries": ...},
    ],
    ids=["a retry", "an ETA in the past", "a group", "time limits", "further headers", "no retries"],
)
def test_what_senders_write_passes(changes):
    assert fault_of(message(**changes)) is None


@pytest.mark.parametrize("args", [[], [1], [None, "12"], [float("nan"), 10**100]])
def test_wrong_arguments_are_the_task_s_own_affair(args):
    """It fails with a sentence about the argument, in the task log."""
    assert fault_of(message(body(args))) is None


def test_without_a_list_of_names_any_of_the_course_passes():
    assert fault_of(message(task="workshop.tasks.mine"), known=None) is None
    assert "UNKNOWN-TASK" in fault_of(message(task="os.system"), known=None)


def test_a_packed_body_stays_packed():
    """However large it would become; and who packs something here can unpack it yet."""
    body, packing = compress(b"0" * 10_000_000, "gzip")
    headers = {"task": NAME, "compression": packing}
    delivered = amqp.Message(body, application_headers=headers)
    delivered.delivery_info = {"delivery_tag": 1}
    message = Packed(delivered)
    assert (message.body, message.headers) == (body, {"task": NAME, "compression": packing})
    assert decompress(body, packing) == b"0" * 10_000_000
