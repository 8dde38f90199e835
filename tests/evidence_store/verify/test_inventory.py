"""Sets of numbers, and what lies in a session's folder."""

from hypothesis import given
from hypothesis import strategies as st

from evidence_store.verify.inventory import Numbers


@given(st.lists(st.integers(0, 60)))
def test_numbers_are_a_set(numbers: list[int]) -> None:
    found = Numbers()
    for number in numbers:
        found.add(number)
    assert list(found) == sorted(set(numbers))
    assert found.last == max(numbers, default=-1)
    assert all((number in found) == (number in set(numbers)) for number in range(-1, 62))


def test_a_long_row_takes_no_room() -> None:
    found = Numbers()
    for number in range(100_000):
        found.add(number)
    assert found._firsts == [0]
    assert found._lasts == [99_999]
