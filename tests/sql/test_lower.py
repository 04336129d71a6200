"""From plans to statements: what is folded into one SELECT, what is not, and that names never mean something else."""

from __future__ import annotations

from datetime import datetime

import duckdb
import pytest

from metrics_api.engines import engines
from metrics_api.engines.duckdb import DuckDBDialect
from metrics_api.periods import Span
from metrics_api.plan.expr import Agg, Case, Col, Expr, Lit, Over, Type, call, integer, text
from metrics_api.plan.nodes import Aggregate, Filter, Join, Named, Plan, Project, Scan, Sort, Spine, Union, View, keep
from metrics_api.sql.dialect import Dialect
from metrics_api.sql.lower import lower
from metrics_api.sql.render import render

EVER = Span(datetime.min, datetime.max)
EVENTS = (("ann", 1, "a"), ("ann", 2, "b"), ("bob", 3, "a"), ("bob", 5, None), ("eve", 8, "b"))
ALL = ("who", "n", "kind")
N, WHO, KIND = Col("n"), Col("who"), Col("kind")
DUCKDB = DuckDBDialect()


def events(table: str = "events", **renamed: str) -> Scan:
    columns = tuple((name, Col(renamed.get(name, name))) for name in ALL)
    return Scan("source", table, columns, N, EVER)


def written(plan: Plan, dialect: Dialect = DUCKDB) -> str:
    return render(lower(plan, dialect), dialect, comment="x")


def sql(plan: Plan, dialect: Dialect = DUCKDB) -> str:
    """On one line, without the comment."""
    return " ".join(written(plan, dialect).split()[3:]).replace("( ", "(").replace(" )", ")")


def rows(plan: Plan, *tables: str) -> list[tuple[object, ...]]:
    """What DuckDB answers, sorted, with the same rows in every table."""
    connection = duckdb.connect()
    for table in tables or ("events",):
        connection.execute(f"CREATE TABLE {table} (who VARCHAR, n INTEGER, kind VARCHAR)")
        connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", EVENTS)
    return sorted(connection.execute(written(plan)).fetchall(), key=repr)


def total(of: Expr) -> Agg:
    return Agg("sum", (of,))


# -- folding ----------------------------------------------------------------------------------------------------------


def test_scan_filter_projection_and_aggregation_are_one_select() -> None:
    doubled = Project(
        Filter(events(), call("gt", N, integer(1))), (*keep("who"), ("double", call("mul", N, integer(2))))
    )
    plan = Aggregate(doubled, keep("who"), (("total", total(Col("double"))),))
    assert sql(plan) == "SELECT who, SUM(n * 2) AS total FROM events WHERE n > 1 GROUP BY 1"
    assert rows(plan) == [("ann", 4), ("bob", 16), ("eve", 16)]


def test_conditions_one_after_another_are_one_where_that_says_each_once() -> None:
    small = call("lt", N, integer(8))
    plan = Filter(Filter(Filter(events(), small), call("or_", call("gt", N, integer(1)), call("is_null", KIND))), small)
    assert sql(plan).endswith("FROM events WHERE n < 8 AND (n > 1 OR kind IS NULL)")


def test_a_condition_reads_the_columns_of_its_own_place() -> None:
    shifted = Project(Filter(events(), call("gt", N, integer(2))), (("n", call("sub", N, integer(3))), *keep("who")))
    plan = Filter(shifted, call("gt", N, integer(0)))
    assert "WHERE n > 2 AND n - 3 > 0" in sql(plan)
    assert rows(plan) == [(2, "bob"), (5, "eve")]


def test_an_aggregate_of_an_aggregate_is_wrapped() -> None:
    people = Aggregate(events(), keep("who"), (("n", total(N)),))
    plan = Aggregate(people, (), (("most", Agg("max", (N,))), ("people", Agg("count_rows"))))
    assert sql(plan).count("SELECT") == 2
    assert rows(plan) == [(8, 3)]


def test_a_condition_on_an_aggregate_is_wrapped() -> None:
    plan = Filter(Aggregate(events(), keep("who"), (("total", total(N)),)), call("gt", Col("total"), integer(3)))
    assert rows(plan) == [("bob", 8), ("eve", 8)]


def test_a_condition_never_takes_rows_from_a_window_below() -> None:
    numbered = Project(events(), (*keep("who", "n"), ("k", Over("row_number", (), (WHO,), (N,)))))
    plan = Filter(numbered, call("gt", N, integer(1)))
    assert rows(plan) == [("ann", 2, 2), ("bob", 3, 1), ("bob", 5, 2), ("eve", 8, 1)]


def test_a_window_sees_the_rows_that_passed_a_condition() -> None:
    plan = Project(
        Filter(events(), call("gt", N, integer(1))), (*keep("n"), ("k", Over("row_number", (), (WHO,), (N,))))
    )
    assert sql(plan) == "SELECT n, ROW_NUMBER() OVER (PARTITION BY who ORDER BY n) AS k FROM events WHERE n > 1"
    assert rows(plan) == [(2, 1), (3, 1), (5, 2), (8, 1)]


def test_windows_on_windows_and_on_aggregates_are_wrapped() -> None:
    first = Project(events(), (*keep("who", "n"), ("next", Over("lead", (N,), (WHO,), (N,)))))
    plan = Project(first, (*keep("n"), ("after", Over("lead", (Col("next"),), (WHO,), (N,)))))
    assert sql(plan).count("SELECT") == 2
    people = Aggregate(events(), keep("who"), (("n", total(N)),))
    ranked = Project(people, (*keep("who"), ("place", Over("dense_rank", (), (), (N,)))))
    assert rows(ranked) == [("ann", 1), ("bob", 2), ("eve", 2)]


def test_what_is_heavy_is_not_said_twice() -> None:
    summed = Aggregate(events(), keep("who"), (("total", total(N)),))
    plan = Project(summed, (("twice", call("add", Col("total"), Col("total"))),))
    assert sql(plan).count("SUM") == 1


def test_a_quotient_of_aggregates_is_not_wrapped() -> None:
    summed = Aggregate(events(), keep("who"), (("total", total(N)), ("rows", Agg("count_rows"))))
    plan = Project(summed, (*keep("who"), ("mean", call("divide", Col("total"), Col("rows")))))
    assert sql(plan) == "SELECT who, CAST(SUM(n) AS DOUBLE) / NULLIF(COUNT(*), 0) AS mean FROM events GROUP BY 1"


def test_a_key_that_is_not_shown_still_groups() -> None:
    plan = Project(Aggregate(events(), keep("who", "kind"), (("n", total(N)),)), keep("kind", "n"))
    assert rows(plan) == [("a", 1), ("a", 3), ("b", 2), ("b", 8), (None, 5)]


def test_an_aggregation_of_which_nothing_is_shown_is_still_one_row() -> None:
    plan = Project(Aggregate(events(), (), (("n", total(N)),)), (("one", integer(1)),))
    assert rows(plan) == [(1,)]


def test_keys_alone_are_the_different_values() -> None:
    plan = Aggregate(events(), keep("who"), ())
    assert sql(plan) == "SELECT who FROM events GROUP BY 1"
    assert rows(plan) == [("ann",), ("bob",), ("eve",)]


# -- steps ------------------------------------------------------------------------------------------------------------


def test_a_step_read_twice_is_written_once() -> None:
    people = Named("people", Aggregate(events(), keep("who"), (("n", total(N)),)))
    plan = Union((Project(people, keep("who")), Project(people, keep("who"))))
    assert sql(plan).startswith("WITH people AS (SELECT who, SUM(n) AS n FROM events GROUP BY 1) SELECT")
    assert sql(plan).count("events") == 1


def test_equal_steps_are_one_and_others_of_their_name_are_numbered() -> None:
    def step(kind: str) -> Plan:
        return Named("people", Filter(events(), call("eq", KIND, text(kind))))

    plan = Union((step("a"), step("b"), step("a")))
    assert sql(plan).count("people AS (") == 1
    assert sql(plan).count("people_2 AS (") == 1
    assert len(rows(plan)) == 6


def test_a_step_in_a_step_of_its_name_comes_first() -> None:
    inner = Named("people", Aggregate(events(), keep("who"), (("n", total(N)),)))
    plan = Named("people", Filter(inner, call("gt", N, integer(3))))
    assert sql(plan).startswith("WITH people AS (")
    assert "people_2 AS (SELECT who, n FROM people WHERE n > 3)" in sql(plan)
    assert rows(plan) == [("bob", 8), ("eve", 8)]


@pytest.mark.parametrize("table", ["people", "main.people", "People"])
def test_a_step_never_hides_a_table_of_its_name(table: str) -> None:
    people = Named("people", Aggregate(events(table), keep("who"), (("n", total(N)),)))
    plan = Join(
        people,
        Named("counted", Aggregate(events(table), keep("who"), (("rows", Agg("count_rows")),))),
        "left",
        (("who", "who"),),
    )
    assert "WITH people_2 AS (" in sql(plan)
    assert rows(plan, "people") == [("ann", 3, 2), ("bob", 8, 2), ("eve", 8, 1)]


def test_a_numbered_step_never_hides_a_table_either() -> None:
    people = Named("people", Aggregate(events("people"), keep("who"), ()))
    plan = Union((Project(people, keep("who")), Project(events("people_2"), keep("who"))))
    assert "WITH people_3 AS (" in sql(plan)
    assert len(rows(plan, "people", "people_2")) == 8


# -- joins ------------------------------------------------------------------------------------------------------------


def named(name: str, *kinds: str, out: str = "n") -> Plan:
    kept = Filter(events(), call("in_", KIND, *map(text, kinds)))
    return Named(name, Project(kept, (*keep("who"), (out, N))))


def test_columns_are_qualified_once_there_are_two_relations() -> None:
    plan = Join(named("early", "a"), named("late", "b", out="m"), "inner", (("who", "who"),))
    assert sql(plan).endswith("SELECT early.who, early.n, late.m FROM early JOIN late ON early.who = late.who")
    assert rows(plan) == [("ann", 1, 2)]


def test_a_step_joined_with_itself_has_two_names() -> None:
    one = named("a_step", "a", "b")
    other = Project(one, (("who", WHO), ("m", N)))
    plan = Join(one, other, "inner", (("who", "who"),), where=call("lt", N, Col("m")))
    assert "JOIN a_step AS a_step_2" in sql(plan)
    assert rows(plan) == [("ann", 1, 2)]


def test_constant_rows_joined_with_others_keep_their_columns() -> None:
    plan = Join(
        Spine((("x", Type.INTEGER),), ((1,), (2,))),
        Spine((("y", Type.INTEGER),), ((2,), (3,))),
        "inner",
        where=call("eq", Col("x"), Col("y")),
    )
    assert rows(plan) == [(2, 2)]


def test_a_condition_below_the_right_of_a_left_join_stays_below() -> None:
    right = Filter(Project(named("late", "a", "b", out="m"), keep("who", "m")), call("gt", Col("m"), integer(4)))
    plan = Join(Named("everybody", Aggregate(events(), keep("who"), ())), right, "left", (("who", "who"),))
    assert rows(plan) == [("ann", None), ("bob", None), ("eve", 8)]


def test_a_condition_below_the_left_of_a_left_join_stays_below() -> None:
    left = Filter(named("early", "a", "b"), call("gt", N, integer(2)))
    plan = Join(left, named("late", "b", out="m"), "left", (("who", "who"),))
    assert rows(plan) == [("bob", 3, None), ("eve", 8, 8)]


def test_a_condition_on_what_a_left_join_missed_stays_above() -> None:
    joined = Join(named("early", "a"), named("late", "b", out="m"), "left", (("who", "who"),))
    assert rows(Filter(joined, call("is_null", Col("m")))) == [("bob", 3, None)]


def test_three_relations_in_a_row() -> None:
    two = Join(named("early", "a"), named("late", "b", out="m"), "left", (("who", "who"),))
    plan = Join(two, named("third", "a", "b", out="k"), "left", (("who", "who"),))
    assert sql(plan).count("LEFT JOIN") == 2
    assert rows(plan) == [("ann", 1, 2, 1), ("ann", 1, 2, 2), ("bob", 3, None, 3)]


# -- unions and order -------------------------------------------------------------------------------------------------


def test_a_union_of_sorted_and_cut_rows() -> None:
    def best(kind: str) -> Plan:
        return Sort(Project(Filter(events(), call("eq", KIND, text(kind))), keep("n")), (("n", True),), 1)

    assert rows(Union((best("a"), best("b")))) == [(3,), (8,)]


def test_an_order_over_a_union() -> None:
    plan = Sort(Union((Project(events(), keep("n")), Project(events(), keep("n")))), (("n", True),), 3)
    assert rows(plan) == [(5,), (8,), (8,)]


def test_an_order_over_an_order_keeps_the_inner_limit() -> None:
    plan = Sort(Sort(Project(events(), keep("n")), (("n", True),), 2), (("n", False),), 10)
    assert rows(plan) == [(5,), (8,)]


def test_an_aggregate_of_a_union() -> None:
    plan = Aggregate(
        Union((Project(events(), keep("who", "n")), Project(events(), keep("who", "n")))),
        keep("who"),
        (("n", total(N)),),
    )
    assert rows(plan) == [("ann", 6), ("bob", 16), ("eve", 16)]


def test_columns_of_a_union_are_in_the_order_of_the_first() -> None:
    plan = Union((Project(events(), keep("who", "kind")), Project(events(), (("who", KIND), ("kind", WHO)))))
    assert ("ann", "a") in rows(plan)
    assert ("a", "ann") in rows(plan)


# -- names and precedence ---------------------------------------------------------------------------------------------


def test_words_of_sql_and_odd_names_are_quoted() -> None:
    plan = Project(
        Scan("s", "shop.order", (("a", Col("group")), ("b", Col("Order Date")), ("c", Col('say "x"'))), Col("a"), EVER),
        (("select", Col("a")), ("b", Col("b")), ("ü", Col("c"))),
    )
    assert sql(plan) == 'SELECT "group" AS "select", "Order Date" AS b, "say ""x""" AS "ü" FROM shop."order"'


QUOTED = {
    # A bare name is first of all the table of that name there.
    "bigquery": "SELECT `order`.`order` FROM a.b.`order`",
    "clickhouse": 'SELECT "order" FROM a.b."order" SETTINGS',
    "databricks": "SELECT `order` FROM a.b.`order`",
    "duckdb": 'SELECT "order" FROM a.b."order"',
    "postgres": 'SELECT "order" FROM a.b."order"',
    "redshift": 'SELECT "order" FROM a.b."order"',
    # Bare names are upper case there: ORDER is what `order` would be.
    "snowflake": 'SELECT "ORDER" FROM a.b."ORDER"',
    "spark": "SELECT `order` FROM a.b.`order`",
    "trino": 'SELECT "order" FROM a.b."order"',
}


@pytest.mark.parametrize("name", QUOTED)
def test_words_of_sql_are_quoted_as_each_engine_does(name: str) -> None:
    plan = Scan("s", "a.b.order", (("order", Col("order")),), Col("order"), EVER)
    assert sql(plan, engines()[name].dialect).startswith(QUOTED[name])


def test_a_table_has_up_to_four_parts() -> None:
    plan = Scan("s", "a.b.c.select", (("n", N),), N, EVER)
    assert sql(plan) == 'SELECT n FROM a.b.c."select"'


@pytest.mark.parametrize("name", QUOTED)
def test_a_query_of_peoples_own_is_left_as_it_is(name: str) -> None:
    """Its names are its own: those of two such queries, and of our steps, may be the same."""
    view = View("WITH people AS (SELECT n FROM kept) SELECT n FROM people", "duckdb")
    scan = Scan("s", "events", (("n", N),), N, EVER, view=view)
    said = sql(Union((scan, scan)), engines()[name].dialect)
    assert said.count("FROM (WITH people AS (SELECT n FROM kept) SELECT n FROM people) AS events") == 2


def test_operands_are_enclosed_only_where_it_matters() -> None:
    x, y, z = Col("who"), Col("n"), Col("kind")
    said = {
        "n + kind > n - (kind - n)": call("gt", call("add", y, z), call("sub", y, call("sub", z, y))),
        "n * (kind + 1) + n * 2": call("add", call("mul", y, call("add", z, integer(1))), call("mul", y, integer(2))),
        "(who OR n) AND (kind OR NOT (who AND n))": call(
            "and_", call("or_", x, y), call("or_", z, call("not_", call("and_", x, y)))
        ),
        "NOT (n IN (1, 2))": call("not_", call("in_", y, integer(1), integer(2))),
        "n - -5": call("sub", y, integer(-5)),
        "-(n + 1)": call("sub", call("add", y, integer(1))),
        "who IS NOT NULL": call("not_", call("is_null", x)),
        "(n = 1) = (kind = 2)": call("eq", call("eq", y, integer(1)), call("eq", z, integer(2))),
        "n + 1 IS NULL": call("is_null", call("add", y, integer(1))),
    }
    for expected, expr in said.items():
        assert sql(Project(events(), (("answer", expr),))) == f"SELECT {expected} AS answer FROM events"


def test_texts_stay_texts() -> None:
    hostile = "'; DROP TABLE events; -- \\' \n */ /*"
    plan = Project(events(), (("a", Case(((call("is_null", KIND), text(hostile)),), Lit(None, Type.STRING))),))
    assert rows(plan)[0] == (hostile,)
    assert len(rows(plan)) == len(EVENTS)
