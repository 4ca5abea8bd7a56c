from itertools import count

from molvae.chunks import MOST_READ_AHEAD, READ_AHEAD, Task, Window, cut
from molvae.isolation import Outcome


def finish(task: Task) -> None:
    task.outcomes = [Outcome("ok", item) for item in task.items]


def test_little_is_read_ahead_while_outcomes_come_in_order() -> None:
    window = Window(cut(count(), 3), 2)
    for number in range(20):
        assert window.fill()
        assert len(window.order) == 2 * READ_AHEAD
        finish(window.waiting.popleft())
        assert [outcome.value for outcome in window.take()] == [3 * number, 3 * number + 1, 3 * number + 2]


def test_workers_that_are_idle_are_not_kept_waiting_by_one_that_takes_long() -> None:
    window = Window(cut(count(), 1), 2)
    window.fill()
    slow = window.waiting.popleft()
    done = 0
    while window.fill(num_idle=1) and window.waiting:
        finish(window.waiting.popleft())
        done += 1
        assert list(window.take()) == []
    assert done == 2 * MOST_READ_AHEAD - 1
    finish(slow)
    assert [outcome.value for outcome in window.take()] == list(range(2 * MOST_READ_AHEAD))


def test_a_task_that_failed_as_a_whole_is_cut_up_in_its_place() -> None:
    window = Window(cut(range(6), 2), 1)
    window.fill()
    first, second = window.waiting.popleft(), window.waiting.popleft()
    finish(first)
    window.settle(first)
    window.settle(second)
    assert [task.items for task in window.waiting] == [[2], [3], [4, 5]]
    for task in window.waiting:
        finish(task)
    assert [outcome.value for outcome in window.take()] == list(range(6))
    assert not window.fill()
