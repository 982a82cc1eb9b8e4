"""The `hil` command: every command calls the function of the same name in `hil`."""

import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hil.cli import recordings
from hil.cli.console import Bars, print_json, stderr
from hil.cli.exit_codes import exit_code

app = typer.Typer(
    name="hil",
    help="Calibrate unconventional computing chips on a real bench or an emulated one.",
    epilog="Exit codes: 0 ok, 1 failure, 2 usage or configuration, 3 refused for safety, "
    "4 instrument or disk, 5 acceptance missed, 130/143 interrupted after the safe state.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    add_completion=False,
)
importer = typer.Typer(no_args_is_help=True, help="Read what other projects' tools have written.")
app.add_typer(importer, name="import")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Target = Annotated[Path, typer.Argument(help="An experiment file (a new run) or a run folder (resumed).")]
Run = Annotated[Path, typer.Argument(help="A run folder.")]


@app.callback()
def options(
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="Say more; twice: debug.")] = 0,
) -> None:
    """Calibrate unconventional computing chips on a real bench or an emulated one."""
    level = {0: logging.ERROR, 1: logging.INFO}.get(verbose, logging.DEBUG)
    if not verbose:  # their errors reach the user as one sentence of ours, not as a traceback of theirs
        for noisy in ("qcodes", "pyvisa"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s")


@app.command(
    epilog="Example: hil init dnpu mylab   or, with a measured chip, hil init dnpu mylab --chip chip"
)
def init(
    kind: Annotated[
        str,
        typer.Argument(
            help="The bench: dnpu, dnpu-cards, mesh, diffractive; dnpu-tuning, mesh-tuning, diffractive-tuning, "
            "network-tuning, to be tuned in situ; rack, instruments without a chip; own, a package."
        ),
    ],
    folder: Annotated[Path, typer.Argument(help="A folder to make.")],
    chip: Annotated[
        Path | None,
        typer.Option(help="A stored chip for the emulator, such as `hil import brainspy` writes."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a commented bench.yaml and its experiment's file to edit."""
    import hil

    files = hil.init(kind, folder, chip)
    _tell({"files": [str(path) for path in files]}, json, "\n".join(f"wrote {path}" for path in files))
    if not json:
        first = next(path.name for path in files if path.name in ("bench.yaml", "device.yaml"))
        stderr.print(f"next: cd {folder} && hil check {first}")


@app.command(epilog="Example: hil check bench.yaml")
def check(
    bench: Annotated[Path, typer.Argument(help="A bench file.")],
    experiment: Annotated[
        Path | None,
        typer.Option(help="The experiment to dry-run; experiment.yaml beside it if there is one."),
    ] = None,
    json: Json = False,
) -> None:
    """Connect, identify, self-test, compare limits and dry-run the plan; drives nothing."""
    import hil
    from hil.cli.tables import check_table

    result = hil.check(bench, experiment)
    _tell(result.as_dict(), json, check_table(result))
    if not result.ok:
        raise typer.Exit(result.exit_code)


@app.command(epilog="Example: hil station bench.yaml > station.yaml")
def station(bench: Annotated[Path, typer.Argument(help="A bench file.")], json: Json = False) -> None:
    """Print the bench's instruments as a QCoDeS Station configuration, in YAML or JSON."""
    import hil

    text = hil.station(bench)
    if json:
        import yaml

        print_json(yaml.safe_load(text))
    else:
        sys.stdout.write(text)


@app.command(
    epilog="Example: hil serve bench.yaml --station served.yaml   then, elsewhere, hil check served.yaml"
)
def serve(
    bench: Annotated[Path, typer.Argument(help="A bench file with an emulator section.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port of the first instrument's socket, the others follow; 0: free ones.")
    ] = 0,
    hislip_port: Annotated[int, typer.Option(help="Port for HiSLIP, usually 4880; 0: a free one.")] = 0,
    port_mapper: Annotated[
        bool,
        typer.Option(
            "--vxi11", help="Answer on port 111 too, for TCPIP::host::inst0::INSTR; needs privileges."
        ),
    ] = False,
    real_time: Annotated[
        bool, typer.Option("--real-time", help="Let the bench's time follow the computer's clock.")
    ] = False,
    station: Annotated[
        Path | None,
        typer.Option(help="Write the bench file with the served addresses here, for hil check or calibrate."),
    ] = None,
    json: Json = False,
) -> None:
    """Serve the emulated bench on sockets, HiSLIP, VXI-11 and pseudo-terminals until it is stopped."""
    import hil
    from hil.cli.tables import doors_table
    from hil.interrupts import Interrupts, Stopped

    try:
        with Interrupts() as interrupts:
            served = hil.serve(
                bench,
                host=host,
                port=port,
                hislip_port=hislip_port,
                port_mapper=port_mapper,
                real_time=real_time,
                station=station,
            )
            with served:
                if not served.server.is_loopback:
                    stderr.print(f"[bold red]WARNING: whoever reaches {host} can use these instruments[/]")
                _tell(served.as_dict(), json, doors_table(served.doors))
                sys.stdout.flush()
                while True:
                    interrupts.checkpoint()
                    served.server.wait(0.2)
    except Stopped as stopped:  # the way in which a server is meant to end
        raise typer.Exit(stopped.exit_status) from None


@app.command(
    epilog="Example: hil calibrate experiment.yaml, hil calibrate mesh.yaml   and, after an interruption, "
    "hil calibrate runs/RUN"
)
def calibrate(target: Target, json: Json = False) -> None:
    """Calibrate the chip and report, by its experiment file; resumes where it stopped when given a run folder."""
    import hil

    _finish(hil.calibrate(target, progress=Bars()), json)


@app.command(
    epilog="Example: hil deploy mesh.yaml --target U.npy   or, by the calibration of one run, "
    "hil deploy runs/RUN --haar 7"
)
def deploy(
    source: Annotated[
        Path,
        typer.Argument(help="A mesh's experiment file (its newest calibration) or a run folder (its own)."),
    ],
    target: Annotated[
        Path | None, typer.Option("--target", help="The matrix: a .npy or .safetensors file.")
    ] = None,
    haar: Annotated[int | None, typer.Option(help="Instead, the seed of a random unitary.")] = None,
    hold: Annotated[
        bool, typer.Option("--hold", help="Leave heaters and light on; otherwise the chip goes to rest.")
    ] = False,
    json: Json = False,
) -> None:
    """Put a matrix on a calibrated mesh, corrected, and measure what the chip makes of it."""
    import hil

    _finish(hil.deploy(source, target, haar=haar, hold=hold, progress=Bars()), json)


@app.command(
    epilog="Example: hil tune tune.yaml --method spsa --method pat   and, after an interruption, hil tune runs/RUN"
)
def tune(
    target: Target,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="One of "
            "backpropagation, cma-es, coordinate-search, dat, dfa, finite-differences, genetic, gift, lock-in, mgd, "
            "parameter-shift, pat, pepg, phyll, spsa; again for more, each from the same start."
        ),
    ] = None,
    budget: Annotated[int | None, typer.Option(help="Readings of the chip for each method.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Of the methods; again for more.")] = None,
    hold: Annotated[
        bool, typer.Option("--hold", help="Leave the best parameters on the chip; otherwise it goes to rest.")
    ] = False,
    json: Json = False,
) -> None:
    """Tune the chip in situ, by measuring what it makes of its task; exits with 5 when the acceptance is missed."""
    import hil

    _finish(
        hil.tune(target, method or (), readings=budget, seeds=seed or (), hold=hold, progress=Bars()), json
    )


@app.command(epilog="Example: hil keep tune.yaml   and, after an interruption, hil keep runs/RUN")
def keep(
    target: Target,
    hold: Annotated[
        bool, typer.Option("--hold", help="Leave what was kept on the chip; otherwise it goes to rest.")
    ] = False,
    json: Json = False,
) -> None:
    """Watch a tuned chip, and re-tune it by the cheapest means when it leaves its tolerance."""
    import hil

    _finish(hil.keep(target, hold=hold, progress=Bars()), json)


@app.command(epilog="Example: hil sample experiment.yaml")
def sample(target: Target, json: Json = False) -> None:
    """Drive the chip with the experiment's waveforms and record its answer."""
    import hil

    _finish(hil.sample(target, progress=Bars()), json)


@app.command(epilog="Example: hil fit runs/RUN")
def fit(run: Run, json: Json = False) -> None:
    """Fit the surrogate network to what was sampled."""
    import hil

    _finish(hil.fit(run, progress=Bars()), json)


@app.command(epilog="Example: hil search runs/RUN")
def search(run: Run, json: Json = False) -> None:
    """Look for control voltages that do the tasks, on the surrogate."""
    import hil

    _finish(hil.search(run, progress=Bars()), json)


@app.command(epilog="Example: hil verify runs/RUN")
def verify(run: Run, json: Json = False) -> None:
    """Try the best solutions on the chip; exits with 5 when the acceptance is missed."""
    import hil

    _finish(hil.verify(run, progress=Bars()), json)


@app.command(epilog="Example: hil report runs/RUN")
def report(run: Run, json: Json = False) -> None:
    """Write the run's report: one HTML file that works offline."""
    import hil

    _finish(hil.report(run, progress=Bars()), json)


@app.command(epilog="Example: hil demo --folder runs/demo")
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demonstration's files and run go.")] = Path(
        "runs/demo"
    ),
    json: Json = False,
) -> None:
    """Run a whole session on the emulated bench and write its report."""
    import hil

    _finish(hil.demo(folder, progress=Bars()), json)


@app.command(epilog="Example: hil instruments   or, with its driver tried on it, hil instruments qdac2")
def instruments(
    model: Annotated[str | None, typer.Argument(help="One model, with all that it covers.")] = None,
    markdown: Annotated[bool, typer.Option(help="Print the page of all models and what they cover.")] = False,
    json: Json = False,
) -> None:
    """List the instruments that a bench file can emulate, and what they cover of their stock drivers."""
    import hil
    from hil.api.instruments import chips, coverage, coverage_page
    from hil.cli.tables import instrument_text, instruments_table

    if markdown:
        sys.stdout.write(coverage_page())
        return
    found = hil.instruments(model)
    if model is None:
        document = {"instruments": [info.as_dict() for info in found], "chips": chips()}
        _tell(document, json, instruments_table(found, chips()))
        return
    tried = coverage(model)
    document = found[0].as_dict() | {"coverage": asdict(tried) if tried else None}
    _tell(document, json, instrument_text(found[0], tried))


@app.command(epilog="Example: hil runs mylab/runs")
def runs(
    folder: Annotated[Path, typer.Argument(help="Where the runs are.")] = Path("runs"),
    json: Json = False,
) -> None:
    """List what has been run, with its state and its key figures."""
    import hil
    from hil.cli.tables import runs_table

    found = hil.runs(folder)
    _tell([vars(run) for run in found], json, runs_table(found, folder))


@app.command(epilog="Example: hil export runs/RUN samples.nc   (.h5, .nc or .npz)")
def export(
    run: Run,
    path: Annotated[Path, typer.Argument(help="The file to write; its ending names the format.")],
    json: Json = False,
) -> None:
    """Write a run's samples as HDF5, netCDF or npz."""
    import hil

    written = hil.export(run, path)
    _tell({"file": str(written)}, json, f"wrote {written}")


@importer.command("brainspy", epilog="Example: hil import brainspy training_data.pt -o chip")
def import_brainspy(
    file: Annotated[Path, typer.Argument(help="A surrogate saved by brains-py or brainspy-smg.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The chip folder to write.")],
    amplification: Annotated[
        float | None, typer.Option(help="nA per volt, where the file does not say.")
    ] = None,
    json: Json = False,
) -> None:
    """Turn a measured device's published surrogate into a chip for the emulator."""
    import hil
    from hil.cli.tables import import_text

    summary = hil.import_brainspy(file, output, amplification=amplification)
    _tell(asdict(summary), json, import_text(asdict(summary), output))


@importer.command("brainspy-data", epilog="Example: hil import brainspy-data IO.dat -o runs/measured")
def import_brainspy_data(
    file: Annotated[Path, typer.Argument(help="IO.dat or postprocessed_data.npz of brainspy-smg.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The run folder to write.")],
    config: Annotated[Path | None, typer.Option(help="The sampler_configs file beside it.")] = None,
    json: Json = False,
) -> None:
    """Read measured samples of brainspy-smg as a run."""
    import hil
    from hil.cli.tables import import_text

    summary = hil.import_brainspy_data([file, config] if config else file, output)
    _tell(asdict(summary), json, import_text(asdict(summary), output))


for _command in (recordings.record, recordings.replay, recordings.compare, recordings.show):
    app.command(epilog=recordings.EPILOGS[_command.__name__])(_command)


def _tell(document: Any, json: bool, text: Any) -> None:
    if json:
        print_json(document)
    else:
        stderr.print(text, soft_wrap=isinstance(text, str), crop=False)  # a path must survive being copied


def _finish(result: Any, json: bool) -> None:
    from hil.cli.tables import outcome_table

    _tell(result.as_dict(), json, outcome_table(result))
    if result.exit_code:
        raise typer.Exit(result.exit_code)


def main() -> None:
    """Run the command line and turn an error into one clear message and its exit code."""
    try:
        code = app(standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        _end(error)
    except BaseException as error:
        if not hasattr(error, "exit_status"):
            raise
        _end(error)
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _left_the_recording(error: BaseException | None) -> BaseException | None:
    """Where a replay was left, if it was: whatever failed later, the way to the safe state too, follows from it."""
    first = None
    while error is not None:
        first = error if type(error).__name__ == "Divergence" else first
        error = error.__cause__ or error.__context__
    return first


def _end(error: BaseException) -> None:
    from rich.markup import escape

    error = _left_the_recording(error) or error
    show = getattr(error, "show", None)
    if show is not None:  # typer's own: wrong words on the command line
        show()
    elif not isinstance(error, KeyboardInterrupt):
        stderr.print(f"[bold red]{type(error).__name__}[/]: {escape(str(error))}", soft_wrap=True)
        for note in dict.fromkeys(getattr(error, "__notes__", ())):
            stderr.print(escape(note), soft_wrap=True)
        if logging.getLogger().isEnabledFor(logging.INFO):
            stderr.print_exception()
    if "--json" in sys.argv and not isinstance(error, KeyboardInterrupt):
        notes = list(dict.fromkeys(getattr(error, "__notes__", ())))
        told = {"type": type(error).__name__, "message": str(error), "notes": notes}
        print_json({"error": told, "exit_code": exit_code(error)})
    sys.exit(exit_code(error))
