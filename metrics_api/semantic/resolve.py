"""Definitions to the semantic model: every name an object, every condition parsed, all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol

from metrics_api.definitions.base import Deprecated, MetricDefinition, Selector
from metrics_api.definitions.loader import Definitions
from metrics_api.definitions.names import Path, Reference, references
from metrics_api.errors import Code, DefinitionError, Problem, SourceSpan, did_you_mean
from metrics_api.periods import Calendar
from metrics_api.plan.expr import TRUE, Expr, all_of, call, text
from metrics_api.plan.expr import Col as Column
from metrics_api.semantic.cohorts import cohorts_in_order
from metrics_api.semantic.expressions import ConditionError, parse_condition
from metrics_api.semantic.model import (
    Alternative,
    Event,
    Metric,
    MetricClass,
    Property,
    Selection,
    SemanticModel,
    Source,
    fields_of,
    personal_of,
    types_of,
)
from metrics_api.semantic.sources import Sources
from metrics_api.semantic.warmups import warmup_names

EVENT_COLUMN = "_event"
"""The event's name inside a scan; no property can be called so."""


_WORDS = {
    "moment": ("event or value moment", "events and value moments"),
    "asked": ("metric or cohort", "metrics and cohorts"),
}
"""How errors call what a name may lead to, where that is of several kinds."""


class ResolvesMetrics(Protocol):
    """What resolving needs of a metric family."""

    @property
    def resolve(self) -> Callable[[Any, Scope], Any]: ...
    @property
    def selections(self) -> Callable[[Any], tuple[Selection, ...]]: ...
    @property
    def is_engagement(self) -> Callable[[Any], bool]: ...
    @property
    def inputs(self) -> Callable[[Any], Sequence[tuple[Path, str]]]: ...

    def numbers(self, metric: Metric) -> Sequence[Offered]: ...
    def number(self, metric: Metric, name: str) -> Any: ...


class Offered(Protocol):
    """A measure that a metric offers."""

    @property
    def name(self) -> str: ...


@dataclass
class Scope:
    """What a family sees while it resolves one metric: lookups, and a place to put problems."""

    resolver: _Resolver
    path: Path
    problems: list[Problem] = field(default_factory=list)

    def selection(self, selector: Selector, *path: str | int) -> Selection | None:
        """What a selector selects; None (and a problem) if its condition is wrong."""
        found = self.resolver.selection(selector.name)
        if found is None or selector.where is None:
            return found
        alternatives = []
        for one in found.alternatives:
            where = self.condition(selector.where, one.event.source, *path, "where")
            if where is None:
                return None
            alternatives.append(Alternative(one.event, all_of([one.where, where])))
        return Selection(found.name, tuple(alternatives), found.is_value_moment)

    def condition(self, written: str, source: Source, *path: str | int) -> Expr | None:
        try:
            return parse_condition(written, types_of(fields_of([source])), personal_of([source]))
        except ConditionError as error:
            self.problem(error.message, *path, fix=error.fix)
            return None

    def attribute_condition(self, written: str, entity: str, *path: str | int) -> Expr | None:
        """A condition over what is known of an entity; None (and a problem) if it is wrong."""
        known = self.attributes(entity)
        shown = {one.name: one for one in known.values() if not one.personal}
        personal = {name for one in known.values() if one.personal for name in (one.name, one.written)}
        try:
            return parse_condition(written, types_of(shown), personal)
        except ConditionError as error:
            self.problem(error.message, *path, fix=error.fix)
            return None

    def attributes(self, entity: str) -> Mapping[str, Property]:
        """What is known of an entity, by the names of answers (`user_plan`), personal attributes too."""
        found = self.resolver.entities.get(entity)
        return found.attributes.properties if found and found.attributes else {}

    def properties(self) -> set[str]:
        """The names of all properties of events."""
        return {name for source in self.resolver.sources.values() for name in source.properties}

    def source(self, name: str) -> Source | None:
        """The source of that name, unless something is wrong with it: that is told where it stands."""
        return self.resolver.sources.get(name)

    def metric(self, name: str) -> Metric | None:
        """The metric of that name, unless something is wrong with it: that is told where it stands."""
        return self.resolver.metrics.get(name)

    def cohort(self, name: str) -> Metric | None:
        """The cohort of that name, unless something is wrong with it."""
        return self.resolver.cohorts.get(name)

    def sources_of(self, entity: str) -> tuple[Source, ...]:
        """The sources that say who of this entity did it."""
        return tuple(one for one in self.resolver.sources.values() if entity in one.identities)

    def output(self, written: str, *path: str | int) -> tuple[Metric, Any] | None:
        """The metric and its measure that `NAME` (its `value`) or `NAME.measure` means; None if there is no such."""
        name, _, measure = written.partition(".")
        resolver = self.resolver
        if name not in resolver.definitions.metrics:
            fix = did_you_mean(name, resolver.definitions.metrics, what="metrics")
            self.problem(f"there is no metric `{name}`", *path, fix=fix, code=Code.UNKNOWN_NAME)
            return None
        metric = resolver.metrics.get(name)
        if metric is None:  # What is wrong with it is told where it stands.
            return None
        family = resolver.families[metric.type]
        offered = [one.name for one in family.numbers(metric)]
        noun = metric.definition.noun()
        if not offered:
            fix = "Name a metric that has one for each bucket, such as usage."
            self.problem(f"`{name}` is {noun}, which has no number to calculate with", *path, fix=fix)
            return None
        if not measure and "value" not in offered:
            fix = f"Write which of its numbers: {', '.join(f'`{name}.{one}`' for one in offered)}."
            self.problem(f"`{name}` is {noun}, which has no `value`", *path, fix=fix)
            return None
        found = family.number(metric, measure or "value")
        if found is None:
            fix = did_you_mean(measure, offered, what=f"measures of {name}")
            self.problem(f"`{name}` has no measure `{measure}`", *path, fix=fix, code=Code.UNKNOWN_NAME)
            return None
        return metric, found

    def problem(
        self, message: str, *path: str | int, fix: str | None = None, code: Code = Code.DEFINITION_INVALID
    ) -> None:
        self.problems.append(Problem(message, self.resolver.definitions.span(*self.path, *path), fix, code))


def resolve(definitions: Definitions, families: Mapping[str, ResolvesMetrics]) -> SemanticModel:
    """The semantic model; raises DefinitionError with every problem, in order of place."""
    return _Resolver(definitions, families).model()


class _Resolver:
    def __init__(self, definitions: Definitions, families: Mapping[str, ResolvesMetrics]) -> None:
        self.definitions = definitions
        self.families = families
        self.calendar = Calendar(definitions.project.timezone, definitions.project.week_start)
        self.problems: list[Problem] = []
        self.read = Sources(definitions, self.calendar, self.problems)
        self.entities, self.sources = self.read.entities, self.read.sources
        self.events: dict[str, Event] = {}
        self.metrics: dict[str, Metric] = {}
        self.cohorts: dict[str, Metric] = {}
        self.moments: dict[str, Selection] = {}
        self.circular: set[str] = set()

    def model(self) -> SemanticModel:
        project = self.definitions.project
        for name in self.definitions.entities:
            self.read.add_entity(name)
        for name in self.definitions.sources:
            self.read.add_source(name)
        self.check_references()
        for name in self.definitions.events:
            self.add_event(name)
        for name in self.metrics_in_order():
            self.add_metric(name, self.definitions.metrics[name])
        ordered, circular = cohorts_in_order(self.definitions)
        self.problems += circular
        for name in ordered:
            self.add_cohort(name)
        self.check_project()
        self.problems += warmup_names(self.definitions)
        if self.problems:
            raise DefinitionError(
                sorted(set(self.problems), key=lambda one: (one.where or SourceSpan(""), one.message))
            )
        return SemanticModel(
            project=project,
            calendar=self.calendar,
            entities=self.entities,
            sources=self.sources,
            events=self.events,
            metrics={name: self.metrics[name] for name in self.definitions.metrics},
            cohorts={name: self.cohorts[name] for name in self.definitions.cohorts},
            boards=self.definitions.boards,
            warmups=self.definitions.warmups,
            as_of=project.as_of,
            hash=self.definitions.hash,
        )

    def known(self, kind: str) -> list[str]:
        moments = [name for name, one in self.definitions.metrics.items() if one.type == "value_moment"]
        return {
            "source": list(self.definitions.sources),
            "event": list(self.definitions.events),
            "metric": list(self.definitions.metrics),
            "moment": [*self.definitions.events, *moments],
            "cohort": list(self.definitions.cohorts),
            "board": list(self.definitions.boards),
            "asked": [*self.definitions.metrics, *self.definitions.cohorts],
        }[kind]

    def check_references(self) -> None:
        groups: tuple[tuple[str, Mapping[str, Any]], ...] = (
            ("events", self.definitions.events),
            ("metrics", self.definitions.metrics),
            ("cohorts", self.definitions.cohorts),
        )
        asking = (("boards", self.definitions.boards), ("warmups", self.definitions.warmups))
        for group, of in asking:
            for name, one in of.items():
                for path, reference, wanted in references(one):
                    self.check_reference((group, name, *path), reference, wanted)
        for group, members in groups:
            for name, definition in members.items():
                for path, reference, wanted in references(definition):
                    self.check_reference((group, name, *path), reference, wanted)
        for kind, written in (("sources", self.definitions.sources), *groups):
            for name, definition in written.items():
                self.check_replacement(kind, name, definition.deprecated, written)
        for name in self.definitions.events:
            if name in self.definitions.metrics and self.definitions.metrics[name].type == "value_moment":
                self.problems.append(
                    Problem(
                        f"`{name}` is both an event and a value moment, and `on: {name}` could mean either",
                        self.definitions.key_span("metrics", name),
                        f"Rename one of them; the event is at {self.definitions.key_span('events', name)}.",
                    )
                )

    def check_replacement(self, kind: str, name: str, deprecated: Deprecated | None, known: Iterable[str]) -> None:
        """What a deprecated definition names instead must be there, and not be itself."""
        if deprecated is None or (wanted := deprecated.replaced_by) is None:
            return
        if (others := [one for one in known if one != name]) and wanted in others:
            return
        message = f"`{name}` is replaced by itself" if wanted == name else f"there is no {kind[:-1]} `{wanted}`"
        where = self.definitions.span(kind, name, "deprecated", "replaced_by")
        self.problems.append(Problem(message, where, did_you_mean(wanted, others, what=kind), Code.UNKNOWN_NAME))

    def check_reference(self, path: Path, reference: Reference, wanted: str) -> None:
        known = self.known(reference.kind)
        if wanted in known:
            return
        one, several = _WORDS.get(reference.kind, (reference.kind, f"{reference.kind}s"))
        fix = did_you_mean(wanted, known, what=several)
        problem = Problem(f"there is no {one} `{wanted}`", self.definitions.span(*path), fix, Code.UNKNOWN_NAME)
        self.problems.append(problem)

    def add_event(self, name: str) -> None:
        written = self.definitions.events[name]
        source = self.sources.get(written.source)
        if source is None:
            return
        scope = Scope(self, ("events", name))
        conditions: list[Expr | None] = []
        key = None if written.name == "any" else written.name or name
        there = [table.event for table in source.tables if table.event is not None]
        if key is not None and there and key not in there:
            fix = did_you_mean(key, there, what=f"tables of `{source.name}`")
            scope.problem(f"source `{source.name}` has no table for the event `{key}`", "name", fix=fix)
        if key is not None and source.tells_events:
            conditions.append(call("eq", Column(EVENT_COLUMN), text(key)))
        if written.where is not None:
            conditions.append(scope.condition(written.where, source, "where"))
        self.problems += scope.problems
        match = all_of(conditions)
        self.events[name] = Event(name, source, match, key, written.once_per_user, written.label, written.description)

    def metrics_in_order(self) -> list[str]:
        """Each metric after those it is made of; value moments first, since every other family may rest on them."""
        metrics = self.definitions.metrics
        moments = [name for name, one in metrics.items() if one.type == "value_moment"]
        made_of = {
            name: [wanted for _, wanted in self.families[one.type].inputs(one) if wanted in metrics]
            for name, one in metrics.items()
            if one.type != "value_moment"
        }
        while True:
            try:
                ordered = TopologicalSorter(made_of).static_order()
                return [*moments, *(name for name in ordered if name not in moments)]
            except CycleError as error:
                backwards: list[str] = error.args[1][1:]
                self.refuse_cycle(backwards[::-1])
                # The others are looked at as if these had no inputs; nothing can be asked of the project anyway.
                made_of |= {name: [] for name in backwards}

    def refuse_cycle(self, members: Sequence[str]) -> None:
        """Metrics of which each is made of the next, and the last of the first."""
        written = list(self.definitions.metrics)
        begin = members.index(min(members, key=written.index))
        first, *others = (*members[begin:], *members[:begin])
        following = others[0] if others else first
        definition = self.definitions.metrics[first]
        inputs = self.families[definition.type].inputs(definition)
        path = next(path for path, wanted in inputs if wanted == following)
        self.problems.append(
            Problem(
                f"`{' -> '.join((first, *others, first))}`: a metric cannot be made of itself",
                self.definitions.span("metrics", first, *path),
                "Make one of them of something else.",
            )
        )
        self.circular |= set(members)

    def selection(self, name: str) -> Selection | None:
        if name in self.moments:
            return self.moments[name]
        event = self.events.get(name)
        if event is None:
            return None
        value = self.definitions.project.value_moment
        is_value = value is not None and value.where is None and value.name == name
        return Selection(name, (Alternative(event, TRUE),), is_value)

    def add_metric(self, name: str, definition: MetricDefinition) -> None:
        family = self.families[definition.type]
        wanted = [(reference.kind, found) for _, reference, found in references(definition)]
        if name in self.circular or any(found not in self.known(kind) for kind, found in wanted):
            return
        scope = Scope(self, ("metrics", name))
        spec = family.resolve(definition, scope)
        self.problems += scope.problems
        if spec is None or scope.problems:
            return
        engaged = family.is_engagement(spec)
        self.check_class(name, definition, engaged=engaged)
        selections = family.selections(spec)
        sources = tuple(dict.fromkeys(source for one in selections for source in one.sources))
        if not family.inputs(definition):  # What is made of other metrics counts whom they count.
            self.check_entity(("metrics", name), definition, sources)
        if definition.type == "value_moment":
            alternatives = tuple(one for selection in selections for one in selection.alternatives)
            self.moments[name] = Selection(name, alternatives, is_value_moment=True)
        self.metrics[name] = Metric(
            name=name,
            type=definition.type,
            definition=definition,
            spec=spec,
            metric_class=MetricClass.ENGAGEMENT if engaged else MetricClass.USAGE,
            sources=sources,
            depends_on=tuple(dict.fromkeys(found for _, found in (*wanted, *family.inputs(definition)))),
            where=self.definitions.key_span("metrics", name),
            entity=definition.entity,
        )

    def add_cohort(self, name: str) -> None:
        definition, family = self.definitions.cohorts[name], self.families["cohort"]
        wanted = [(reference.kind, found) for _, reference, found in references(definition)]
        if any(found not in self.known(kind) for kind, found in wanted):
            return
        scope = Scope(self, ("cohorts", name))
        spec = family.resolve(definition, scope)
        self.problems += scope.problems
        if spec is None or scope.problems:
            return
        self.check_entity(("cohorts", name), definition, spec.sources)
        self.cohorts[name] = Metric(
            name=name,
            type=definition.type,
            definition=definition,
            spec=spec,
            metric_class=MetricClass.ENGAGEMENT if family.is_engagement(spec) else MetricClass.USAGE,
            sources=spec.sources,
            depends_on=tuple(dict.fromkeys(found for _, found in wanted)),
            where=self.definitions.key_span("cohorts", name),
            entity=definition.entity,
        )

    def check_entity(self, path: tuple[str, str], definition: MetricDefinition, sources: Iterable[Source]) -> None:
        """Each source of a metric must say who did it."""
        name, wanted = path[1], definition.entity
        is_written = "entity" in definition.model_fields_set
        where = self.definitions.span(*path, "entity") if is_written else self.definitions.key_span(*path)
        for source in sources:
            if wanted not in source.identities:
                (other,) = source.identities
                self.problems.append(
                    Problem(
                        f"`{name}` counts {wanted}s, and source `{source.name}` does not say who the {wanted} is",
                        where,
                        f"Write `identity: {{{wanted}: COLUMN}}` at the source, or `entity: {other}` here.",
                    )
                )

    def check_class(self, name: str, definition: MetricDefinition, *, engaged: bool) -> None:
        derived = "engagement" if engaged else "usage"
        if definition.class_ in (None, derived):
            return
        if engaged:
            message = f"`{name}` counts a value moment, so it is engagement, not usage"
            fix = "Write `class: engagement`, or leave the line out."
        else:
            message = (
                f"`{name}` counts actions, not value: it is usage. Engagement is a value moment reached, "
                "and a click says nothing about value"
            )
            fix = (
                "Rest the metric on a value moment (`on: NAME` of a metric of type value_moment), "
                "or write `class: usage`."
            )
        self.problems.append(Problem(message, self.definitions.span("metrics", name, "class"), fix))

    def check_project(self) -> None:
        project = self.definitions.project
        if not project.default_range.is_whole_days:
            self.problems.append(
                Problem(
                    f"a default range of {project.default_range} is shorter than a day",
                    self.definitions.span("project", "default_range"),
                    "Write whole days, such as `1 day`.",
                )
            )
        for path, reference, wanted in references(project):
            self.check_reference(("project", *path), reference, wanted)
        if project.exclude is not None and self.sources and not any(one.exclude for one in self.sources.values()):
            every = {key: one.type for source in self.sources.values() for key, one in source.properties.items()}
            try:
                parse_condition(project.exclude, every)
                message, fix = "no source has the properties of `exclude`, so it would exclude nothing", None
            except ConditionError as error:
                message, fix = error.message, error.fix
            self.problems.append(Problem(message, self.definitions.span("project", "exclude"), fix))
