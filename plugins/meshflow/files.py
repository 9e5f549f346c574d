"""Files that are written whole or not at all."""

from __future__ import annotations

import uuid
from pathlib import Path

from meshflow.errors import InvalidInput


def write(path: Path, data: bytes) -> Path:
    """Write a file and return its path; a reader sees what was there before, or all of this.

    Others may do the same at the same moment, from other machines too: on a volume that containers share, their
    processes have the same numbers. Raises InvalidInput where nothing can be written.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(data)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidInput(
            f"cannot be written: {error.strerror}",
            where=str(path),
            way_out="Let the workers write there, or choose another folder (MESHFLOW_HOME, MESHFLOW_CACHE)",
        ) from error
    return path
