"""Every line in the guide's tables of errors is one that the program can print."""

import re

import pytest

from tests.docs.markdown import ROOT, code, read
from tests.docs.messages import can_be_said

GUIDE = read(ROOT / "docs" / "guide" / "troubleshooting.md")
ROWS = [row for heading in GUIDE.headings if heading.level == 2 for row in GUIDE.section(heading.text).rows()]


def test_there_are_tables() -> None:
    assert len(ROWS) > 60
    assert {len(row) for row in ROWS} == {3}


@pytest.mark.parametrize("message", [code(row[0]) for row in ROWS])
def test_the_program_says_so(message: str) -> None:
    assert can_be_said(message)


def test_what_nobody_says_is_noticed() -> None:
    assert not can_be_said("the camera is on fire")
    assert not can_be_said("no picture for … fortnights")


def test_each_line_says_what_to_do_in_both_languages() -> None:
    for message, chinese, english in ROWS:
        assert re.search(r"[\u4e00-\u9fff]", chinese), message
        assert english, message
        assert not re.search(r"[\u4e00-\u9fff]", english), message


def test_no_line_comes_twice() -> None:
    messages = [row[0] for row in ROWS]
    assert sorted(messages) == sorted(set(messages))
