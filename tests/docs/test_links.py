"""Links between documents, and paths that they name, lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.docs.markdown import DOCUMENTS, ROOT, Document, read

FOLDERS = ("api", "bench", "deploy", "docs", "evidence_store", "recorder", "shilu", "tests", ".ci")
each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


@each_document
def test_links_lead_to_a_file_and_a_heading(path: Path) -> None:
    for target in read(path).links():
        if re.match(r"https?://", target):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), target
        if anchor:
            assert anchor in {heading.anchor for heading in Document(found).headings}, target


@each_document
def test_paths_of_the_repository_are_there(path: Path) -> None:
    for span in read(path).spans():
        if re.fullmatch(rf"({'|'.join(map(re.escape, FOLDERS))})/[\w./-]*", span):
            assert (ROOT / span).exists(), span


@each_document
def test_it_stands_for_itself(path: Path) -> None:
    """No path of anybody's machine, no folder that the repository does not have."""
    assert not re.search(r"(?<![\w.])/(work|home|root)/", read(path).text)


@pytest.mark.parametrize("name", ["docs/decisions", "docs/guide"])
def test_every_document_of_a_folder_is_in_its_list(name: str) -> None:
    folder = ROOT / name
    listed = [target for target in read(folder / "README.md").links() if "/" not in target]
    assert sorted(listed) == sorted(path.name for path in folder.glob("*.md") if path.name != "README.md")
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "decisions").glob("0*.md")), ids=lambda path: path.stem)
def test_a_decision_has_context_decision_and_consequences(path: Path) -> None:
    title, *rest = read(path).headings
    assert title.text.startswith(f"{path.name[:4]}. ")
    assert [heading.text for heading in rest] == ["Context", "Decision", "Consequences"]
    assert f"[{title.text[6:]}]({path.name})" in read(path.parent / "README.md").text


def test_decisions_are_numbered_without_a_hole() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("0*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
