"""The commands for recorded sessions, as `hil.cli.main` takes them up."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hil.cli.console import print_json, stderr

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Session = Annotated[
    Path, typer.Argument(metavar="SESSION.rec", help="The recording, a name that ends in .rec.")
]
Command = Annotated[
    list[str] | None, typer.Argument(metavar="-- COMMAND ...", help="A command and its arguments.")
]

EPILOGS = {
    "record": "Example: hil record s.rec -- hil calibrate experiment.yaml   or, for a script that opens "
    "pyvisa.ResourceManager(), hil record s.rec --visa @py -- python script.py",
    "replay": "Example: hil replay s.rec -- hil calibrate experiment.yaml   or, in a bench file, "
    'visa: "replay:s.rec@hil"',
    "compare": "Example: hil compare s.rec bench.yaml",
    "show": "Example: hil show s.rec --instrument 34465A",
}


def record(
    recording: Session,
    command: Command = None,
    visa: Annotated[
        str | None,
        typer.Option(
            help='For scripts: "@py", bench.yaml, or "" for the system\'s VISA; PYVISA_LIBRARY if not given.'
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run a command and record what it exchanges with its instruments; exits as the command does."""
    import hil

    result = hil.record(recording, command or [], visa)
    if json:
        print_json(result.as_dict())
    elif not result.instruments:
        stderr.print(
            "nothing was recorded: the command opened no VISA library, or one that it names itself",
            soft_wrap=True,
        )
    else:
        cut = "; it ends without a proper end, as after a kill" if result.cut else ""
        stderr.print(
            f"recorded {result.exchanges:,} exchanges with {', '.join(result.instruments)} in {recording}{cut}",
            soft_wrap=True,
            markup=False,
        )
    raise typer.Exit(result.exit_code)


def replay(
    recording: Session,
    command: Command = None,
    loose: Annotated[
        bool,
        typer.Option(
            "--loose", help="Answer by command instead of in the recorded order; what was loose is told."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Run a command with no instruments, answered from a recording; exits with 4 where it leaves it."""
    import hil
    from hil.cli.recording_tables import replay_text

    result = hil.replay(recording, command or [], loose)
    if json:
        print_json(result.as_dict())
    else:
        stderr.print(replay_text(result), soft_wrap=True, markup=False)
    raise typer.Exit(result.exit_code)


def compare(
    recording: Session,
    against: Annotated[str, typer.Argument(help="A bench file to emulate, or a VISA library such as @py.")],
    tolerance: Annotated[
        float, typer.Option(help="How far numbers may be apart, relative to the largest of an answer.")
    ] = 1e-3,
    drive: Annotated[
        bool, typer.Option("--drive", help="Let a VISA library's real instruments be driven as recorded.")
    ] = False,
    json: Json = False,
) -> None:
    """Do a recorded session again on another bench, and list by command what answers differently."""
    import hil
    from hil.cli.recording_tables import comparison_table

    result = hil.compare(recording, against, tolerance, drive=drive)
    if json:
        print_json(result.as_dict())
    else:
        stderr.print(comparison_table(result), crop=False)


def show(
    recording: Session,
    instrument: Annotated[
        str | None, typer.Option(help="Only this one: part of a resource name or of an answer to *IDN?.")
    ] = None,
    json: Json = False,
) -> None:
    """List a recording's exchanges on stdout, long ones abbreviated, with a summary at the end."""
    import hil
    from hil.cli.recording_tables import listing_summary

    listing = hil.show(recording, instrument)
    if json:
        print_json(listing.as_dict())
        return
    _print(listing)
    stderr.print(listing_summary(listing), soft_wrap=True, markup=False)


def _print(listing: Any) -> None:
    try:
        for row in listing.rows():
            sys.stdout.write(f"{row}\n")
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        sys.stdout = None
