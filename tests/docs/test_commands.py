"""Commands in the documents exist: those of `shilu` with their options, targets of make, modules of Python."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
import yaml
from typer.core import TyperCommand, TyperGroup

from evidence_store.site import DatabaseSettings
from evidence_store.verify import Verdict
from recorder.devices import CameraSettings, Limits, StoreSettings
from shilu.cli import app
from tests.docs.markdown import DOCUMENTS, ROOT, Document, code, documents, read, table

SHELL = ("sh", "bash")
README = read(ROOT / "README.md")
each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


@cache
def program() -> TyperGroup:
    found = typer.main.get_command(app)
    assert isinstance(found, TyperGroup)
    return found


def lines(document: Document) -> Iterator[str]:
    """Logical lines of shell blocks, and code inside of lines."""
    for fence in document.fences:
        if fence.language in SHELL:
            yield from fence.text.replace("\\\n", " ").splitlines()
    yield from document.spans()


def calls(document: Document) -> Iterator[list[str]]:
    """The words after `shilu`, without what belongs to the shell around it."""
    for line in lines(document):
        found = re.search(r"(?:^|\s)(?:\.venv/bin/)?shilu ([a-z].*)", line)
        if found:
            yield shlex.split(found[1], comments=True)


def command_of(words: list[str]) -> tuple[TyperCommand, list[str]]:
    group = program()
    for place, word in enumerate(words):
        assert word in group.commands, f"shilu has no command {word}"
        found = group.commands[word]
        if isinstance(found, TyperCommand):
            return found, words[place + 1 :]
        assert isinstance(found, TyperGroup)
        group = found
    pytest.fail(f"{' '.join(words)} is a group of commands, not one")


@each_document
def test_commands_of_shilu_exist_with_their_options(path: Path) -> None:
    for words in calls(read(path)):
        command, rest = command_of(words)
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
        assert {word for word in rest if word.startswith("--")} <= known, words


def test_whole_commands_are_taken_as_they_stand() -> None:
    """What stands in a block of its own is complete: required options are there, and values are of the right kind."""
    whole = [
        words
        for document in documents()
        for fence in document.fences
        if fence.language in SHELL
        for line in fence.text.replace("\\\n", " ").splitlines()
        for found in [re.search(r"(?:^|\s)(?:\.venv/bin/)?shilu ([a-z].*)", line)]
        if found
        for words in [shlex.split(found[1], comments=True)]
    ]
    assert len(whole) > 20
    for words in whole:
        command, rest = command_of(words)
        command.make_context("shilu", list(rest))


def test_every_command_is_in_the_readme() -> None:
    def names(group: TyperGroup, prefix: str) -> Iterator[str]:
        for name, command in group.commands.items():
            if isinstance(command, TyperGroup):
                yield from names(command, f"{prefix} {name}")
            else:
                yield f"{prefix} {name}"

    for heading in ("命令一览", "Commands"):
        assert sorted(code(row[0]) for row in README.section(heading).rows()) == sorted(names(program(), "shilu"))


def test_exit_codes_of_the_readme_are_those_of_the_verdicts() -> None:
    for heading, head in (("命令一览", "| 退出码 |"), ("Commands", "| exit code |")):
        text = README.section(heading).text
        rows = table(text[text.index(head) :])
        told = {int(row[0]): re.findall(r"`([A-Z_]+)`", row[1]) for row in rows}
        assert told.pop(1) == told.pop(2) == []
        assert told == {verdict.exit_code: [verdict.value] for verdict in Verdict}


@each_document
def test_targets_of_make_exist(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w.$()/]+):", makefile.replace("$(VENV)", ".venv"), flags=re.MULTILINE))
    for line in lines(read(path)):
        found = re.match(r"make ([\w./]+)", line)
        if found:
            assert found[1] in targets, line


@each_document
def test_modules_and_scripts_exist(path: Path) -> None:
    for line in lines(read(path)):
        for module in re.findall(r"python3? -m ([\w.]+)", line):
            assert importlib.util.find_spec(module), line
        found = re.match(r"(?:bash )?((?:deploy|\.ci)/\w+)", line)
        if found:
            assert (ROOT / found[1]).exists(), line


@each_document
def test_settings_in_examples_are_taken(path: Path) -> None:
    for fence in read(path).fences:
        if fence.language == "yaml":
            values = yaml.safe_load(fence.text)
            for camera in values.pop("cameras", []):
                CameraSettings.model_validate(camera)
            for store in values.pop("stores", []):
                StoreSettings.model_validate(store)
            if "database" in values:
                DatabaseSettings.model_validate(values.pop("database"))
            assert not values, "an example that nobody checks"


def test_limits_of_the_guide_are_all_there_with_their_defaults() -> None:
    guide = read(ROOT / "docs" / "guide" / "cameras.md")
    for heading in ("限值", "Limits"):
        told = {code(row[0]): float(row[1]) for row in guide.section(heading).rows()}
        assert told == Limits().model_dump()
