"""Documents in two languages say the same in both: the same headings, the same commands, the same tables."""

import re
from pathlib import Path

import pytest

from tests.docs.markdown import DOCUMENTS, ROOT, Section, read

BILINGUAL = [path for path in DOCUMENTS if "\n## English\n" in path.read_text(encoding="utf-8")]
each_document = pytest.mark.parametrize("path", BILINGUAL, ids=lambda path: path.relative_to(ROOT).as_posix())


def halves(path: Path) -> tuple[Section, Section]:
    document = read(path)
    return document.section("中文"), document.section("English")


def test_the_readme_and_the_guide_are_in_two_languages() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in BILINGUAL}
    assert names >= {"README.md", "docs/guide/cameras.md", "docs/guide/store-and-database.md"}


@each_document
def test_chinese_comes_first(path: Path) -> None:
    chinese, english = halves(path)
    assert chinese.end == english.start


@each_document
def test_headings_have_the_same_structure(path: Path) -> None:
    chinese, english = halves(path)
    assert [heading.level for heading in chinese.headings] == [heading.level for heading in english.headings]


@each_document
def test_each_part_has_blocks_and_tables_of_the_same_shape(path: Path) -> None:
    chinese, english = halves(path)
    for first, second in zip(chinese.headings, english.headings, strict=True):
        parts = [read(path).section(heading.text).text for heading in (first, second)]
        shapes = [
            (
                len(re.findall(r"^```\w", part, flags=re.MULTILINE)),
                [line.count("|") for line in part.splitlines() if line.startswith("|")],
                len(re.findall(r"^- ", part, flags=re.MULTILINE)),
            )
            for part in parts
        ]
        assert shapes[0] == shapes[1], (first.text, second.text)


@each_document
def test_commands_and_settings_are_the_same(path: Path) -> None:
    chinese, english = halves(path)
    for language in ("sh", "yaml"):
        assert chinese.fences(language) == english.fences(language)


@each_document
def test_first_cells_that_are_code_are_the_same(path: Path) -> None:
    cells = [re.findall(r"^\| (`[^|]+`|\d+) \|", half.text, flags=re.MULTILINE) for half in halves(path)]
    assert cells[0] == cells[1]


@each_document
def test_chinese_is_chinese_and_english_is_english(path: Path) -> None:
    chinese, english = halves(path)
    for heading in chinese.headings:
        assert re.search(r"[\u4e00-\u9fff]|devices\.yaml", heading.text), heading.text
    prose = re.sub(r"```.*?^```|`[^`]*`|\]\([^)]*\)", "", english.text, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"[\u4e00-\u9fff]", prose)
