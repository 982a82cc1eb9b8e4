"""What a report tells of the run itself: its steps, its instruments, and what did not go as it should."""

from datetime import datetime
from typing import Any

from hil.page.data import Event, Run, Step
from hil.session import Session


def run_of(session: Session[Any, Any]) -> Run:
    """The run as a report shows it."""
    store = session.store
    instruments = store.manifest.get("instruments", {})
    return Run(
        name=store.name,
        folder=str(session.folder),
        created_utc=str(store.manifest["created"]),
        seed=store.seed,
        chip=f"{instruments.get('kind', session.bench.chip.type)} {session.bench.chip.name}",
        steps=tuple(
            Step(name, str(state.status), _seconds(state), state.attempts, state.reason, state.exit_status)
            for name, state in store.state.items()
        ),
        identities={key: str(value) for key, value in instruments.items() if key not in ("kind", "name")},
        versions=store.manifest["versions"],
        files={name: described["sha256"] for name, described in store.manifest["files"].items()},
        events=_events(session),
    )


def _seconds(state: Any) -> float | None:
    if not (state.started and state.finished):
        return None
    return (datetime.fromisoformat(state.finished) - datetime.fromisoformat(state.started)).total_seconds()


def _events(session: Session[Any, Any]) -> tuple[Event, ...]:
    told = []
    for event in session.store.events():
        kind, step = event.get("kind"), event.get("step")
        if kind == "step" and event.get("status") == "running" and event.get("attempt", 1) > 1:
            told.append(Event(event["t"], "resumed", f"{step} goes on, attempt {event['attempt']}"))
        elif kind == "step" and event.get("status") == "interrupted":
            told.append(Event(event["t"], "interrupted", f"{step}: {event.get('reason')}"))
        elif kind == "step" and event.get("status") == "failed":
            told.append(Event(event["t"], "failure", f"{step}: {event.get('reason')}"))
        elif kind == "warning":
            told.append(Event(event["t"], "warning", str(event.get("message"))))
    # resuming a report is no news
    return tuple(event for event in told if not event.message.startswith("report goes on"))
