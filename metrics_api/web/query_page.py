"""A page to try queries on: one file, nothing from elsewhere, so that it works without a network."""

from __future__ import annotations

import html
import secrets

from starlette.responses import HTMLResponse

from metrics_api.graphql_schema.layout import Cell, camel
from metrics_api.graphql_schema.layouts import layout_of
from metrics_api.graphql_schema.names import first_series, public_metrics
from metrics_api.semantic.model import SemanticModel

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title$</title>
<style nonce="$nonce$">
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; }
h1 { font-size: 1.2rem; margin: 0 0 .2rem; }
p { margin: 0 0 1rem; }
main { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); }
label { display: block; font-weight: 600; margin: .6rem 0 .2rem; }
textarea, pre { box-sizing: border-box; width: 100%; font: 13px/1.5 ui-monospace, monospace; border: 1px solid #8888;
  border-radius: 6px; padding: .6rem; background: Field; color: FieldText; tab-size: 2; }
#query { height: 55vh; } #variables { height: 6rem; }
pre { min-height: 62vh; margin: 0; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
button { font: inherit; padding: .4rem 1.1rem; margin-top: .6rem; cursor: pointer; }
</style>
</head>
<body>
<h1>$title$</h1>
<p>Write a query and run it (Ctrl+Enter).
<code>{ catalog { metrics { field class description } } }</code> lists what there is.</p>
<main>
<form id="form">
<label for="query">Query</label>
<textarea id="query" spellcheck="false" autocomplete="off">$query$</textarea>
<label for="variables">Variables (JSON)</label>
<textarea id="variables" spellcheck="false" autocomplete="off">{}</textarea>
<button>Run</button>
</form>
<section><label for="answer">Answer</label><pre id="answer" role="status" aria-live="polite"></pre></section>
</main>
<noscript>This page needs JavaScript; the API does not: send a POST with <code>{"query": "..."}</code>.</noscript>
<script nonce="$nonce$">
const named = (id) => document.getElementById(id);
const [form, query, variables, answer] = ["form", "query", "variables", "answer"].map(named);
async function run(event) {
  event?.preventDefault();
  answer.textContent = "…";
  try {
    const body = JSON.stringify({query: query.value, variables: JSON.parse(variables.value || "{}")});
    const headers = {"content-type": "application/json"};
    const response = await fetch(location.pathname, {method: "POST", headers, body});
    answer.textContent = JSON.stringify(await response.json(), null, 2);
  } catch (error) {
    answer.textContent = String(error);
  }
}
form.addEventListener("submit", run);
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run(event);
});
</script>
</body>
</html>
"""


def query_page(model: SemanticModel) -> HTMLResponse:
    """The page, with a query that works on this project."""
    nonce = secrets.token_urlsafe(16)
    title = f"{model.project.label or model.project.name}: metrics"
    shown = {"title": html.escape(title), "query": html.escape(example_query(model)), "nonce": nonce}
    page = _PAGE
    for name, value in shown.items():
        page = page.replace(f"${name}$", value)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    return HTMLResponse(page, headers={"content-security-policy": policy, "cache-control": "no-store"})


def example_query(model: SemanticModel) -> str:
    """The last days of the project's first series, preferably of value received; else what its first metric tells."""
    first = first_series(model)
    if first is not None:
        return _EXAMPLE.format(f"{camel(first.name)}(time: {{last: {{n: 14, unit: DAY}}}}, grain: DAY)", _OF_SERIES)
    if not (metrics := public_metrics(model)):
        return "{ catalog { metrics { name type class } } }"
    main = layout_of(metrics[0], model).main
    measures = [one for one in main.measures if isinstance(one, Cell)]
    cells = " ".join(one.name for one in (*main.keys, *main.cells, *measures))
    return _EXAMPLE.format(camel(metrics[0].name), f"columns {{ {cells} }}")


_OF_SERIES = """\
rows { period value complete }
      overall { value }"""
_EXAMPLE = """\
{{
  metrics {{
    {} {{
      {}
      info {{ timezone dataThrough conventions }}
    }}
  }}
}}
"""
