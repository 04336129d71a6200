"""The options that several commands share."""

import inspect
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

RANGE = "The range"
SHAPE = "The rows"
PEOPLE = "People"

ProjectFolder = Annotated[
    Path | None,
    typer.Option(
        "--project",
        "-p",
        envvar="METRICS_API_PROJECT",
        help="The folder of definitions. Left out: this one, or the nearest above it that holds a project.",
        show_default=False,
    ),
]
WarehouseName = Annotated[
    str | None,
    typer.Option("--warehouse", "-w", help="A warehouse of the project; left out: its default.", show_default=False),
]
TargetName = Annotated[
    str | None,
    typer.Option(
        "--target",
        envvar="METRICS_API_TARGET",
        help="A target of the project (dev, production); left out: its default.",
        show_default=False,
    ),
]

RedisUrl = Annotated[
    str | None,
    typer.Option(
        "--redis",
        envvar="METRICS_API_REDIS",
        help="A store of answers that several servers share: redis://HOST:6379/0. With a password say it in the "
        "environment: everybody on a machine sees its command lines.",
        show_default=False,
        show_envvar=True,
    ),
]

From = Annotated[
    str | None, typer.Option("--from", help="First local date, 2026-01-31.", rich_help_panel=RANGE, show_default=False)
]
To = Annotated[
    str | None, typer.Option("--to", help="Last local date, inclusive.", rich_help_panel=RANGE, show_default=False)
]
LastUnits = Annotated[
    str | None,
    typer.Option("--last", help="Instead of dates: 30 days, 8 weeks.", rich_help_panel=RANGE, show_default=False),
]
ExcludeCurrent = Annotated[
    bool,
    typer.Option(
        "--exclude-current", help="With --last: without the unit that is still going on.", rich_help_panel=RANGE
    ),
]
TimeZone = Annotated[
    str | None,
    typer.Option("--timezone", help="Whose days are counted; left out: the project's.", rich_help_panel=RANGE),
]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", help="Answer as if it were then: 2026-01-31T12:00:00 (UTC).", rich_help_panel=RANGE),
]
Grain = Annotated[
    str | None,
    typer.Option("--grain", help="hour, day, week, month, quarter or year.", rich_help_panel=SHAPE, show_default=False),
]
By = Annotated[
    list[str] | None,
    typer.Option("--by", help="Break down by properties: country,platform.", rich_help_panel=SHAPE, show_default=False),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        help="Only events for which this SQL condition is true; given twice, both.",
        rich_help_panel=SHAPE,
        show_default=False,
    ),
]
Measures = Annotated[
    list[str] | None,
    typer.Option("--measures", help="What is computed: value,users,per_user_p90.", rich_help_panel=SHAPE),
]
Overall = Annotated[
    bool,
    typer.Option("--overall", help="One answer for the whole range instead of one a bucket.", rich_help_panel=SHAPE),
]
Part = Annotated[
    str | None,
    typer.Option(
        "--part",
        help="Another part of the answer than the usual: overall, histogram, members.",
        rich_help_panel=SHAPE,
        show_default=False,
    ),
]
Top = Annotated[
    int | None,
    typer.Option(
        "--top",
        help="Only so many values of the first breakdown, the rest as (other).",
        rich_help_panel=SHAPE,
        show_default=False,
    ),
]
Bins = Annotated[
    list[str] | None,
    typer.Option("--bins", help="A number in bins: minutes=1,5,20.", rich_help_panel=SHAPE, show_default=False),
]
Subtotals = Annotated[
    bool,
    typer.Option("--subtotals", help="Also groups over all values of later breakdowns.", rich_help_panel=SHAPE),
]
Compare = Annotated[
    str | None,
    typer.Option(
        "--compare",
        help="Beside each value that of previous_period or previous_year.",
        rich_help_panel=SHAPE,
        show_default=False,
    ),
]
Within = Annotated[
    str | None, typer.Option("--within", help="A funnel's window, instead of its own: 7 days.", rich_help_panel=SHAPE)
]
Order = Annotated[
    list[str] | None,
    typer.Option("--order", help="Columns to sort by, -value for descending.", rich_help_panel=SHAPE),
]
Cohort = Annotated[
    str | None,
    typer.Option(
        "--cohort",
        help="Only people of this cohort, as of the end of the range.",
        rich_help_panel=PEOPLE,
        show_default=False,
    ),
]
CohortAsOf = Annotated[
    str | None,
    typer.Option(
        "--cohort-as-of",
        help="The day of the cohorts: range_end, or bucket_end for each bucket its own.",
        rich_help_panel=PEOPLE,
        show_default=False,
    ),
]
ByCohort = Annotated[
    list[str] | None,
    typer.Option(
        "--by-cohort",
        help="Each of these cohorts by itself, and those in none: active,lost.",
        rich_help_panel=PEOPLE,
        show_default=False,
    ),
]
Members = Annotated[
    list[str] | None,
    typer.Option(
        "--members",
        help="The people behind the numbers: tier=power. The usual ones: --part members.",
        rich_help_panel=PEOPLE,
        show_default=False,
    ),
]
First = Annotated[
    int | None,
    typer.Option("--first", help="So many members; 50 unless given.", rich_help_panel=PEOPLE, show_default=False),
]
After = Annotated[
    str | None,
    typer.Option("--after", help="Members after this id.", rich_help_panel=PEOPLE, show_default=False),
]
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attributes", help="What is told of members: plan,country.", rich_help_panel=PEOPLE, show_default=False
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", help="Rows at most.", rich_help_panel=SHAPE, show_default=False)]


def question(
    *,
    start: From = None,
    end: To = None,
    last: LastUnits = None,
    exclude_current: ExcludeCurrent = False,
    timezone: TimeZone = None,
    as_of: AsOf = None,
    grain: Grain = None,
    by: By = None,
    where: Where = None,
    measures: Measures = None,
    overall: Overall = False,
    part: Part = None,
    top: Top = None,
    bins: Bins = None,
    subtotals: Subtotals = False,
    compare: Compare = None,
    within: Within = None,
    order: Order = None,
    limit: Limit = None,
    cohort: Cohort = None,
    by_cohort: ByCohort = None,
    cohort_as_of: CohortAsOf = None,
    members: Members = None,
    first: First = None,
    after: After = None,
    attributes: Attributes = None,
) -> dict[str, Any]:
    """The options as the words of `serving.asking.ask`."""
    if overall and part not in (None, "overall"):
        raise typer.BadParameter(f"--overall and `{part}`: ask for one part at a time", param_hint="--part")
    return {
        "start": start,
        "end": end,
        "last": last,
        "exclude_current": exclude_current,
        "grain": grain,
        "by": ",".join(by or ()),
        "where": {"and": where} if where else None,
        "measures": ",".join(measures) if measures else None,
        "parts": "overall" if overall else part or "",
        "within": within,
        "order": ",".join(order or ()),
        "limit": limit,
        "timezone": timezone,
        "as_of": as_of,
        "top": top,
        "bins": dict(map(_bins, bins or ())),
        "subtotals": subtotals,
        "compare": compare,
        "cohort": cohort,
        "by_cohorts": ",".join(by_cohort or ()),
        "cohort_as_of": cohort_as_of,
        "members": _choices(members) if members else None,
        "first": first,
        "after": after,
        "attributes": ",".join(attributes or ()),
    }


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """The command with all options of `question`, which it gets together as `words`."""
    own = [one for one in inspect.signature(command).parameters.values() if one.name != "words"]
    shared = inspect.signature(question).parameters

    @wraps(command)
    def asked(**given: Any) -> None:
        words = question(**{name: given.pop(name) for name in shared})
        command(**given, words=words)

    parameters = [*own, *shared.values()]
    # Typer reads both: the order of the options, and what they are.
    asked.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    asked.__annotations__ = {one.name: one.annotation for one in parameters}
    return asked


def _choices(written: list[str]) -> dict[str, str]:
    """`tier=power,period=2026-01-05`, each by its name."""
    found = {}
    for one in ",".join(written).split(","):
        name, equals, value = one.partition("=")
        if not equals or not value.strip():
            raise typer.BadParameter(f"`{one}`: write it as tier=power", param_hint="--members")
        found[name.strip()] = value.strip()
    return found


def _bins(written: str) -> tuple[str, list[Decimal]]:
    """`minutes=1,5,20` as the breakdown and its edges."""
    name, _, edges = written.partition("=")
    try:
        return name.strip(), [Decimal(edge.strip()) for edge in edges.split(",")]
    except InvalidOperation:
        raise typer.BadParameter(f"`{written}`: write it as minutes=1,5,20", param_hint="--bins") from None
