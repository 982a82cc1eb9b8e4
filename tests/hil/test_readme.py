"""What the README says is true: its first example runs, its table lists every command."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def test_the_first_example_runs_and_prints_a_margin(capsys: pytest.CaptureFixture[str]) -> None:
    example = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]
    assert len(example.strip().splitlines()) <= 10
    exec(compile(example, "README.md", "exec"), {})
    margin, rest = capsys.readouterr().out.split("\r")[-1].split(" ", 1)
    assert float(margin) > 0
    assert rest.startswith("nA between the classes")


def test_every_command_is_in_the_table() -> None:
    from hil.cli.main import app, importer

    text = README.read_text()
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__
        assert f"hil {name}" in text or re.search(rf"hil \S*\b{name}\b", text), name
    for command in importer.registered_commands:
        assert f"hil import {command.name}" in text


def test_the_exit_codes_are_those_of_the_program() -> None:
    from hil.cli import exit_codes

    text = README.read_text()
    for code in (exit_codes.SAFETY, exit_codes.INSTRUMENT, exit_codes.ACCEPTANCE, exit_codes.TERMINATED):
        assert re.search(rf"\| {code} \|", text)
