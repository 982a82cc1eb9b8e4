"""What the commands for recorded sessions say to the person at the terminal."""

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from hil.api.recordings import Replayed
    from simulators.recording.comparison import Comparison
    from simulators.recording.listing import Listing


def replay_text(result: "Replayed") -> str:
    """What came of a replay."""
    if not result.asked:
        return "nothing was replayed: the command opened no VISA library, or one that it names itself"
    lines = [f"{result.answered:,} exchanges were answered from {result.recording}"]
    for how, messages in result.loosely.items():
        for message, count in messages.items():
            lines.append(f"{how.replace('_', ' ')}, {count} times: {message}")
    for instrument, rest in result.unused.items() if result.divergence is None else ():
        lines.append(
            f"{rest['exchanges']:,} more with {instrument} were not asked for, the first: {rest['first']}"
        )
    if result.cut:
        lines.append("the recording was cut short: its process was stopped, or its disk was full")
    if result.divergence is not None:
        lines.append(result.divergence)
    return "\n".join(lines)


def comparison_table(comparison: "Comparison") -> RenderableType:
    """One table an instrument and one line a command header; what differs comes with examples below."""
    shown: list[RenderableType] = []
    for resource in dict.fromkeys(tally.resource for tally in comparison.tallies):
        table = Table(title=escape(resource), title_justify="left", box=SIMPLE_HEAD)
        table.add_column("header", overflow="fold")
        for head in ("n", "equal", "close", "differ", "timeout", "-113", "largest"):
            table.add_column(head, no_wrap=True, min_width=max(len(head), 5))
        examples: list[RenderableType] = []
        for tally in comparison.tallies:
            if tally.resource == resource:
                counts = (
                    tally.count,
                    tally.equal,
                    tally.close,
                    tally.different,
                    tally.timeout,
                    tally.undefined,
                )
                largest = "" if tally.largest is None else f"{tally.largest:.0e}"
                cells = [str(count) if count else "" for count in counts]
                table.add_row(escape(tally.header), *cells, largest, style=None if tally.agrees else "yellow")
                examples += [] if tally.agrees else [_unbroken(example) for example in tally.examples]
        shown += [table, *examples]
    shown += [_unbroken(f"{name} could not be opened: {why}") for name, why in comparison.missing.items()]
    agreeing = sum(tally.agrees for tally in comparison.tallies)
    verdict = (
        f"{agreeing} of {len(comparison.tallies)} headers answer as recorded, "
        f"numbers within {comparison.tolerance:g} of the largest in an answer"
    )
    return Group(*shown, _unbroken(verdict))


def listing_summary(listing: "Listing") -> str:
    """A recording's summary by instrument."""
    header = listing.recording.header
    lines = [
        f"{share.resource}  {share.identity}\n"
        f"    {share.writes:,} writes ({share.bytes_written:,} bytes), {share.reads:,} reads "
        f"({share.bytes_read:,} bytes), {share.timeouts} timeouts, {share.errors} errors, "
        f"busy for {share.busy_s:.3g} s"
        for share in listing.shares.values()
    ]
    cut = ", cut short: its process was stopped, or its disk was full" if listing.recording.cut else ""
    library = header.get("library") or "the system's VISA"
    lines.append(
        f"{listing.duration_s:.3f} s ({header.get('clock')}) from {header.get('started')} over {library}{cut}"
    )
    return "\n".join(lines)


def _unbroken(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ignore")
