"""Documents whose references lead somewhere, for the tests of what they reach."""

from __future__ import annotations

import json
from pathlib import Path


def document(*refs: str) -> str:
    schemas = {f"S{number}": {"$ref": ref} for number, ref in enumerate(refs)}
    return json.dumps(
        {
            "asyncapi": "3.0.0",
            "info": {"title": "Reach", "version": "1"},
            "channels": {
                "c": {
                    "address": "c",
                    "messages": {"m": {"payload": {"$ref": "#/components/schemas/S0"}}},
                }
            },
            "components": {"schemas": schemas},
        }
    )


def put(place: Path, text: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place
