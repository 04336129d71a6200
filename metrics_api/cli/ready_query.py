"""Questions that work on a project as it is, to paste into a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from metrics_api.semantic.model import SemanticModel

CATALOG = "{ catalog { metrics { name type class } } }"


def ready_query(model: SemanticModel, url: str) -> str:
    """A `curl` command that asks for the last seven days of the project's first series, or for the catalog."""
    from metrics_api.graphql_schema.layout import camel
    from metrics_api.graphql_schema.names import first_series

    first = first_series(model)
    asked = CATALOG
    if first is not None:
        field = f"{camel(first.name)}(time: {{last: {{n: 7, unit: DAY}}}})"
        asked = f"{{ metrics {{ {field} {{ rows {{ period value complete }} }} }} }}"
    return f"curl -s {url}/graphql -H 'content-type: application/json' -d '{json.dumps({'query': asked})}'"
