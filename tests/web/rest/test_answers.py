"""The answers of metrics in every format, and all that a caller may do wrong."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from graphql_schema.asking import project_of, streaming
from metrics_api import create_app
from metrics_api.cli.written import as_csv, exact_rows
from metrics_api.serving.asking import ask
from tests.web.rest.asking import get, refusals

WEEKS = {"last": "4 weeks", "grain": "week"}
POWER = {"members": {"tier": "power"}, "attributes": "plan", "first": 3}
HOURS = {"start": "2025-10-25", "end": "2025-10-26", "grain": "hour", "measures": "value,per_user_p90"}
GERMANS = {"last": "5 days", "where": "country = 'DE' and platform in ('ios', 'web')"}
BOTH = "".join(f"&where={quote(one)}" for one in ("country = 'DE'", '{"platform": {"in": ["ios", "web"]}}'))
QUESTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("videos_watched", "last=3 days&by=country,platform", {"last": "3 days", "by": "country,platform"}),
    ("videos_watched", "from=2025-10-25&to=2025-10-26&grain=hour&measures=value,per_user_p90&order=-value",
     {**HOURS, "order": "-value"}),
    ("app_opens", "last=4weeks&grain=week&compare=previous_period", {**WEEKS, "compare": "previous_period"}),
    ("app_opens", "part=overall&by=country&top=2&subtotals=true",
     {"parts": "overall", "by": "country", "top": 2, "subtotals": True}),
    ("activation", "last=14_days&within=7-days", {"last": "14 days", "within": "7 days"}),
    ("weekly_retention", "last=5+weeks", {"last": "5 weeks"}),
    ("weekly_retention", "last=5 weeks&part=average", {"last": "5 weeks", "parts": "average"}),
    ("watch_frequency", "part=thresholds", {"parts": "thresholds"}),
    ("watch_frequency", "members=tier=power&attributes=plan&first=3", POWER),
    ("rhythm", "", {}),
    ("growth", "last=4 weeks&grain=week&cohort=engaged_users", {**WEEKS, "cohort": "engaged_users"}),
    ("engaged_users", "last=2 weeks", {"last": "2 weeks"}),
    ("videos_watched", f"last=5 days{BOTH}", GERMANS),
]  # fmt: skip
IDS = [f"{name}?{words}" for name, words, _ in QUESTIONS]


@pytest.mark.parametrize(("name", "words", "asked"), QUESTIONS, ids=IDS)
def test_every_format_has_the_rows_that_python_gets(name: str, words: str, asked: dict[str, Any]) -> None:
    answer = streaming()[0].answer(ask(name, **asked))
    expected = next(iter(answer.parts.values()))
    assert expected.num_rows
    address = f"/v1/metrics/{name}"
    assert get(f"{address}.csv?{words}").text == as_csv(expected)
    told = get(f"{address}.json?{words}").json()
    assert told["rows"] == json.loads(json.dumps(exact_rows(expected), default=_as_text))
    assert [one["name"] for one in told["columns"]] == expected.column_names
    for table in (
        pa.ipc.open_stream(get(f"{address}.arrow?{words}").content).read_all(),
        pq.read_table(io.BytesIO(get(f"{address}.parquet?{words}").content)),
    ):
        assert json.loads(table.schema.metadata[b"info"]) == told["info"]
        assert [_naive(row) for row in table.to_pylist()] == expected.to_pylist()


def _as_text(value: object) -> str:
    assert isinstance(value, date | datetime)
    return f"{value.isoformat()}Z" if isinstance(value, datetime) else value.isoformat()


def _naive(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
        for name, value in row.items()
    }


MONEY = """
project: {{name: shop, as_of: 2026-02-01, warehouses: {{main: {{type: duckdb, path: shop.duckdb}}}}}}
sources:
  orders:
    table: orders
    time: placed
    identity: {{user: buyer}}
    properties: {{amount: decimal, points: integer, note: string, weight: number}}
events: {{order: {{source: orders}}}}
metrics:
  revenue: {{type: usage, event: order, measure: sum(amount)}}
  points: {{type: usage, event: order, measure: sum(points)}}
  weight: {{type: usage, event: order, measure: average(weight)}}
""".replace("{{", "{").replace("}}", "}")


def shop(folder: Path) -> Any:
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE orders (placed TIMESTAMP, buyer TEXT, amount DECIMAL(18, 2), points BIGINT, note TEXT, "
            "weight DOUBLE)"
        )
        connection.executemany(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?)",
            [
                (datetime(2026, 1, 5, 9), "ann", Decimal("1234567890123456.70"), 2**53, 'says "hi", twice', 1.5),
                (datetime(2026, 1, 5, 10), "bob", Decimal("0.05"), 1, "two\nlines", 2.0),
                (datetime(2026, 1, 5, 11), "cem", Decimal(-3), -5, "", 1e300),
                (datetime(2026, 1, 5, 12), "dee", None, None, None, None),
            ],
        )
    return create_app(project_of(MONEY, folder))


def test_money_and_large_numbers_are_exact_in_every_format(tmp_path: Path) -> None:
    app = shop(tmp_path)
    words = "from=2026-01-05&to=2026-01-05"

    def values(metric: str) -> tuple[Any, ...]:
        csv_ = list(csv.DictReader(io.StringIO(get(f"/v1/metrics/{metric}.csv?{words}", app=app).text)))
        json_ = get(f"/v1/metrics/{metric}.json?{words}", app=app).json()["rows"]
        arrow = pa.ipc.open_stream(get(f"/v1/metrics/{metric}.arrow?{words}", app=app).content).read_all().to_pylist()
        parquet = pq.read_table(io.BytesIO(get(f"/v1/metrics/{metric}.parquet?{words}", app=app).content)).to_pylist()
        return tuple(rows[0]["value"] for rows in (csv_, json_, arrow, parquet))

    exact = Decimal("1234567890123453.75")
    assert values("revenue") == ("1234567890123453.75", "1234567890123453.75", exact, exact)
    whole = 2**53 - 4
    assert values("points") == (str(whole), whole, whole, whole)
    every_day = f"/v1/metrics/points.json?{words}&where=points > 0"
    assert get(every_day, app=app).json()["rows"][0]["value"] == str(2**53 + 1)


def test_texts_are_quoted_in_csv_where_they_must_be(tmp_path: Path) -> None:
    app = shop(tmp_path)
    text = get("/v1/metrics/points.csv?part=overall&by=note&from=2026-01-05&to=2026-01-05", app=app).text
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["note"] for row in read] == ["", "(none)", 'says "hi", twice', "two\nlines"]
    assert '"says ""hi"", twice"' in text
    lone = get("/v1/metrics/weight.csv?part=overall&measures=value&from=2026-01-06&to=2026-01-06", app=app).text
    assert lone == 'value\n""\n'


def test_what_is_not_finite_is_refused_in_every_format(tmp_path: Path) -> None:
    app = shop(tmp_path)
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute("UPDATE orders SET weight = 1.7e308")
    for ending in ("csv", "json", "arrow", "parquet"):
        response = get(f"/v1/metrics/weight.{ending}?from=2026-01-05&to=2026-01-05&where=weight > 0", app=app)
        assert response.status_code == 502
        assert refusals(response)[0][0] == "WAREHOUSE_ERROR"


# -- headers and negotiation -------------------------------------------------------------------------------------------


def test_headers_tell_how_far_and_how_complete() -> None:
    response = get("/v1/metrics/app_opens.csv?last=3 days", app=create_app(streaming()[0]))
    told = {name: value for name, value in response.headers.items() if name.startswith("metrics-")}
    assert told == {
        "metrics-as-of": "2025-11-03T09:30:00Z",
        "metrics-data-through": "2025-11-03T00:10:00Z",
        "metrics-from": "2025-11-01",
        "metrics-to": "2025-11-03",
        "metrics-timezone": "Europe/Berlin",
        "metrics-rows": "3",
        "metrics-truncated": "false",
        "metrics-complete": "false",
        "metrics-cache": "miss",
    }
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="app_opens.csv"'
    cut = get("/v1/metrics/app_opens?last=3 days&exclude_current=true&limit=2")
    assert cut.headers["metrics-truncated"] == "true"
    assert cut.headers["metrics-complete"] == "true"
    assert cut.headers["content-disposition"] == 'inline; filename="app_opens.json"'
    assert cut.json()["info"]["truncated"] is True


def test_head_tells_what_get_would() -> None:
    url = "/v1/metrics/app_opens.csv?last=3 days&as_of=2025-11-01"
    head, whole = get(url, method="HEAD"), get(url)
    same = ("content-type", "content-length", "etag", "metrics-rows", "content-disposition")
    assert [head.headers[name] for name in same] == [whole.headers[name] for name in same]


def test_who_has_the_bytes_gets_none() -> None:
    app = create_app(streaming()[0])
    url = "/v1/metrics/app_opens.json?last=3 days"
    first = get(url, app=app)
    for known in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = get(url, app=app, headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["metrics-cache"] == "hit"
    assert get(url, app=app, headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "type_"),
    [
        (None, "application/json; charset=utf-8"),
        ("*/*", "application/json; charset=utf-8"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json; charset=utf-8"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/json;q=0.5, text/csv", "text/csv; charset=utf-8"),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
    ],
)
def test_without_an_ending_accept_decides(accepted: str | None, type_: str) -> None:
    headers = {} if accepted is None else {"accept": accepted}
    response = get("/v1/metrics/app_opens?last=1 day", headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == type_
    assert response.headers["vary"] == "accept"


def test_what_nobody_writes_is_not_acceptable() -> None:
    response = get("/v1/metrics/app_opens?last=1 day", headers={"accept": "image/png"})
    assert response.status_code == 406
    assert "text/csv, application/json" in refusals(response)[0][2]
    assert get("/v1/metrics/app_opens.csv?last=1 day", headers={"accept": "image/png"}).status_code == 200


def test_pages_of_people_lead_on() -> None:
    app = create_app(streaming()[0])
    seen: list[str] = []
    url: str | None = "/v1/metrics/watch_frequency.json?part=members&first=20&attributes=plan"
    while url is not None:
        response = get(url, app=app)
        seen += [row["id"] for row in response.json()["rows"]]
        assert response.headers["metrics-as-of"] == "2025-11-03T09:30:00Z"
        link = response.headers.get("link")
        url = link.removeprefix("<").removesuffix('>; rel="next"') if link else None
    everybody = [one for page in streaming()[0].members("watch_frequency") for one in page["id"].to_pylist()]
    assert len(everybody) > 40
    assert seen == everybody


# -- the cache's words -------------------------------------------------------------------------------------------------


def test_words_for_the_cache() -> None:
    app = create_app(streaming()[0])
    url = "/v1/metrics/app_opens?last=6 days"
    missing = get(f"{url}&cache=only", app=app)
    assert missing.status_code == 404
    assert refusals(missing)[0][0] == "NOT_KEPT"
    told = [get(f"{url}&cache={use}", app=app).headers["metrics-cache"] for use in ("any", "any", "only", "fresh")]
    assert told == ["miss", "hit", "hit", "bypass"]


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once() -> None:
    response = get(
        "/v1/metrics/videos_watched.csv?last=soon&grain=weak&by=contry&limit=0&first=x&wear=1&where={&subtotals=yes"
        "&as_of=now&measures=vale&compare=previous&top=many&bins=minutes&timezone="
    )
    assert response.status_code == 400
    words = {(code, parameter): message for code, parameter, message in refusals(response)}
    assert words == {
        ("QUERY_INVALID", "last"): (
            "last: `soon` is not a duration; write a whole number and a unit, such as `7 days`, with one of second, "
            "minute, hour, day, week, month, quarter, year"
        ),
        ("QUERY_INVALID", "grain"): "grain: `weak` is none of its words. Did you mean `week`?",
        ("LIMIT_EXCEEDED", "limit"): "limit: 0; it can be 1 to 50,000",
        ("QUERY_INVALID", "first"): "first: `x` is not a whole number",
        ("UNKNOWN_NAME", "wear"): "there is no parameter `wear`. Did you mean `where`?",
        ("QUERY_INVALID", "where"): (
            'where: this begins as JSON and is none. Write `{"country": {"in": ["DE"]}}`, or SQL: `country = \'DE\'`.'
        ),
        ("QUERY_INVALID", "subtotals"): "subtotals: `yes` is none of its words. The words are `false`, `true`.",
        ("QUERY_INVALID", "as_of"): ("as_of: `now` is not an instant. Write it as `2026-01-31T12:00:00Z`"),
        ("QUERY_INVALID", "compare"): "compare: `previous` is none of its words. Did you mean `previous_year`?",
        ("QUERY_INVALID", "top"): "top: `many` is not a whole number",
        ("QUERY_INVALID", "bins"): "bins: `minutes`: write it as `minutes=1,5,20`",
        ("QUERY_INVALID", "timezone"): "timezone: it is empty; leave it out instead",
        ("UNKNOWN_NAME", None): words[("UNKNOWN_NAME", None)],
    }
    of_question = [message for code, parameter, message in refusals(response) if parameter is None]
    assert of_question == [
        "videos_watched: there is no property `contry` to break down by. Did you mean `country`?",
        "videos_watched: there is no measure `vale` on this value_moment metric. Did you mean `value`?",
    ]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("from=2026-1-1", "from: `2026-1-1` is not a date. Write year, month and day: `2026-01-31`"),
        ("from=20260101", "from: `20260101` is not a date. Write year, month and day: `2026-01-31`"),
        ("to=2026-01-01", "`to` is given without `from`. Give `from` as well."),
        ("from=x&to=2026-01-01", "from: `x` is not a date. Write year, month and day: `2026-01-31`"),
        ("last=1 day&last=2 days", "last: it is given 2 times, and can be given once"),
        ("last=1 day&from=2026-01-01", "a range is either `last` or `from` and `to`, not both"),
        ("by=a,,b", "by: `a,,b`: a name is missing beside a comma"),
        ("limit=50001", "limit: 50,001; it can be 1 to 50,000"),
        ("limit=%D9%A3", "limit: `٣` is not a whole number"),
        ("after=%00", "after: there is a control character in it"),
        ("members=tier", "members: `tier`: write it as `tier=power`"),
        ("bins=minutes=1,x", "bins: `minutes=1,x`: write it as `minutes=1,5,20`"),
        ("top=3", "top: the greatest of what? Give `by`"),
        ("where=", "where: it is empty; leave it out instead"),
        ('where={"country": {"isnull": 1}}', "where: there is no operator `isnull`. Did you mean `is_null`?"),
        ('where={"and": 1}', 'where: `and` combines a list of filters. Write `{"and": [{...}, {...}]}`.'),
        ('where={"not": []}', 'where: `[]` is no filter. Write an object such as `{"minutes": {"ge": 3}}`.'),
        ('where={"minutes": {"ge": NaN}}', "where: this begins as JSON and is none."),
        ('where={"minutes": {"ge": 1e999}}', "where: `1E+999` has more digits than are read"),
        ('where={"minutes": 99999999999999999999}', "where: `99999999999999999999` does not fit 64 bits"),
        ('where={"country": {"in": [[1]]}}', "where: `country` is compared with `[1]`."),
        ('where={"country": "\\ud800"}', "where: `country` is compared with something that is not text."),
        ("where=" + '{"not": ' * 20 + "{}" + "}" * 20, "where: more than 16 filters inside each other"),
        ("where=" + '{"not":' * 700, "where: 4,900 characters; at most 4,000 are read"),
        ('where={"country": {"in": ' + json.dumps(["x"] * 1_001).replace(" ", "") + "}}", "where: "),
    ],
)  # fmt: skip
def test_refusals(query: str, told: str) -> None:
    name, _, value = query.partition("=")
    response = get(f"/v1/metrics/videos_watched.json?{f'where={quote(value)}' if name == 'where' else query}")
    assert response.status_code == 400
    errors = refusals(response)
    assert len(errors) == 1, errors
    assert errors[0][2].startswith(told)


def test_only_what_is_offered_is_found(tmp_path: Path) -> None:
    missing = get("/v1/metrics/videos_watchd.csv")
    assert missing.status_code == 404
    message = "there is no metric `videos_watchd`. Did you mean `videos_watched`?"
    assert refusals(missing) == [("UNKNOWN_NAME", None, message)]
    ending = get("/v1/metrics/videos_watched.xlsx")
    assert ending.status_code == 404
    assert refusals(ending)[0][2] == (
        "this is not written as `.xlsx`. The endings are `.csv`, `.json`, `.arrow` and `.parquet`."
    )
    hidden = MONEY.replace("revenue: {type: usage", "revenue: {visibility: internal, type: usage")
    (tmp_path / "shop.duckdb").touch()
    app = create_app(project_of(hidden, tmp_path))
    assert get("/v1/metrics/revenue.csv", app=app).status_code == 404
    assert [one["name"] for one in get("/v1/metrics", app=app).json()["metrics"]] == ["points", "weight"]


def test_other_methods_are_refused_with_those_there_are() -> None:
    response = get("/v1/metrics/videos_watched.csv", method="POST")
    assert response.status_code == 405
    assert {one.strip() for one in response.headers["allow"].split(",")} == {"GET", "HEAD"}


def test_addresses_are_limited() -> None:
    response = get(f"/v1/metrics/videos_watched.csv?by={'x' * 17_000}")
    assert response.status_code == 414
    assert refusals(response)[0][0] == "LIMIT_EXCEEDED"


def test_a_warehouse_that_fails_is_told_as_such(tmp_path: Path) -> None:
    app = create_app(project_of(MONEY, tmp_path))
    response = get("/v1/metrics/revenue.csv", app=app)
    assert response.status_code == 502
    assert refusals(response)[0][0] == "WAREHOUSE_ERROR"


def test_as_of_takes_offsets() -> None:
    told = [get(f"/v1/metrics/app_opens?last=1 day&as_of={quote(one)}").headers["metrics-as-of"]
            for one in ("2025-11-02T12:00:00", "2025-11-02T13:00:00+01:00", "2025-11-02T12:00:00Z")]  # fmt: skip
    assert told == ["2025-11-02T12:00:00Z"] * 3
