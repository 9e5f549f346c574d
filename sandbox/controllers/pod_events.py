"""What the node says about its containers: an event for each thing that is new."""

from __future__ import annotations

from typing import Any

from sandbox.controllers.events import Recorder
from sandbox.controllers.life import Does, Moment
from sandbox.controllers.runs import Container, Run

Obj = dict[str, Any]


class Teller:
    """Remembers on each container what was told last."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def tell(self, run: Run, spec: Obj, container: Container, moment: Moment) -> None:
        """Write the events of a container, where it does something else than last time."""
        turn = container.restarts + moment.restarts
        if (moment.does, turn) == container.told:
            return
        was_running = container.told[0] is Does.RUNNING
        container.told = (moment.does, turn)
        where, image = _path(run, spec), spec["image"]
        match moment.does:
            case Does.PULLING:
                self.recorder.normal(run.pod, "Pulling", f'Pulling image "{image}"', field=where)
            case Does.RUNNING:
                self._started(run, spec, again=turn > 0)
            case Does.ENDED if not was_running:
                self._started(run, spec, again=turn > 0)
            case Does.PULL_FAILED:
                why = container.behaviour.pull_error
                self.recorder.warning(run.pod, "Failed", f'Failed to pull image "{image}": {why}', field=where)
                self.recorder.warning(run.pod, "Failed", "Error: ErrImagePull", field=where)
            case Does.PULL_BACKOFF:
                self.recorder.normal(run.pod, "BackOff", f'Back-off pulling image "{image}"', field=where)
                self.recorder.warning(run.pod, "Failed", "Error: ImagePullBackOff", field=where)
            case Does.BACKOFF:
                metadata = run.pod["metadata"]
                full = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
                message = f"Back-off restarting failed container {spec['name']} in pod {full}"
                self.recorder.warning(run.pod, "BackOff", message, field=where)

    def _started(self, run: Run, spec: Obj, *, again: bool) -> None:
        image, name, where = spec["image"], spec["name"], _path(run, spec)
        present = f'Container image "{image}" already present on machine'
        pulled = present if again else f'Successfully pulled image "{image}"'
        self.recorder.normal(run.pod, "Pulled", pulled, field=where)
        self.recorder.normal(run.pod, "Created", f"Container created: {name}", field=where)
        self.recorder.normal(run.pod, "Started", f"Container started: {name}", field=where)

    def stopping(self, run: Run) -> None:
        """The pod is being deleted."""
        for spec in [*run.main, *run.init]:
            if spec["name"] in run.containers:
                self.recorder.normal(run.pod, "Killing", f"Stopping container {spec['name']}", field=_path(run, spec))


def _path(run: Run, spec: Obj) -> str:
    return f"spec.{'initContainers' if spec in run.init else 'containers'}{{{spec['name']}}}"
