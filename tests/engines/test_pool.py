"""Sessions that statements share: how many there are, who has them, and when they end."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from metrics_api.engines.pool import Common, Pool
from metrics_api.errors import WarehouseError


class Sessions:
    """Sessions are numbers; those that were ended are kept in order."""

    def __init__(self) -> None:
        self.numbers = count(1)
        self.ended: list[int] = []

    def open(self) -> int:
        return next(self.numbers)

    def end(self, session: int) -> None:
        self.ended.append(session)


def test_a_session_is_used_again_and_two_at_once_are_two() -> None:
    made = Sessions()
    pool = Pool("Test", made.open, made.end)
    with pool.lent() as first, pool.lent() as second:
        assert (first, second) == (1, 2)
    with pool.lent() as again:
        assert again in (1, 2)
    assert made.ended == []


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_of_no_use_is_ended_and_another_opened(fails: bool) -> None:
    made = Sessions()
    pool = Pool("Test", made.open, made.end, most=1)
    try:
        with pool.lent(lambda session: session != 1):
            if fails:
                raise OSError
    except OSError:
        assert fails
    assert made.ended == [1]
    with pool.lent() as session:
        assert session == 2


def test_whoever_wants_one_more_waits_unless_it_must_not() -> None:
    made = Sessions()
    pool = Pool("Test", made.open, made.end, most=1)
    got = threading.Event()

    def wants() -> None:
        with pool.lent():
            got.set()

    with pool.lent():
        waiting = threading.Thread(target=wants)
        waiting.start()
        assert not got.wait(0.05)
        with pool.beyond() as other:
            assert other == 2
    waiting.join(10)
    assert got.is_set()


def test_a_session_that_cannot_be_opened_leaves_its_place_to_others() -> None:
    made = Sessions()
    fails = [True]

    def opened() -> int:
        if fails.pop() if fails else False:
            raise WarehouseError("no answer")
        return made.open()

    pool = Pool("Test", opened, made.end, most=1)
    with pytest.raises(WarehouseError, match="no answer"), pool.lent():
        pass
    with pool.lent() as session:
        assert session == 1


def test_once_closed_all_end_and_none_is_lent() -> None:
    made = Sessions()
    pool = Pool("Test", made.open, made.end)
    with pool.lent() as mine:
        with pool.lent():
            pass
        pool.close()
        assert made.ended == [2]
    assert made.ended == [2, mine]
    with pytest.raises(WarehouseError, match="Test: the connection is closed"), pool.lent():
        pass


def test_a_common_session_is_one_until_it_is_given_up() -> None:
    made = Sessions()
    common = Common("Test", made.open, made.end)
    first = common.now()
    assert common.now() == first
    common.give_up(first)
    second = common.now()
    assert (second, made.ended) == (2, [1])
    common.give_up(first)  # By another who had it: the new one is not touched.
    assert common.now() == second
    common.close()
    assert made.ended[-1] == second
    with pytest.raises(WarehouseError, match="closed"):
        common.now()
