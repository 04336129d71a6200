"""A person's short SQL condition, or arithmetic over metrics, through an allow-list to a plan expression.

Conditions are two-valued (RULES 11): a comparison with a missing value is false, `!=` holds for one, and `not` is true
of everything that is not true. sqlglot parses; what is not listed here is refused, with what is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

import sqlglot
from sqlglot import exp

from metrics_api.errors import did_you_mean
from metrics_api.plan.expr import TRUE, Call, Col, Expr, Lit, Type, all_of, any_of, call, negated

MAX_LENGTH = 4_000
MAX_DEPTH = 40
MAX_OPERATIONS = 100

_FUNCTIONS = ("abs", "coalesce", "lower")
_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "eq",
    exp.GT: "gt",
    exp.GTE: "ge",
    exp.LT: "lt",
    exp.LTE: "le",
}
_MIRRORED = {"eq": "eq", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_ARITHMETIC: dict[type[exp.Expr], str] = {
    exp.Add: "add",
    exp.Sub: "sub",
    exp.Mul: "mul",
    exp.Div: "divide",
    exp.Mod: "mod",
}


class ConditionError(ValueError):
    """What is wrong with a condition, and the remedy; the caller adds the place."""

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.message, self.fix = message, fix


def personal_refusal(name: str) -> ConditionError:
    """Of a personal attribute that is to be filtered or broken down by."""
    return ConditionError(
        f"`{name}` is personal: this release offers it neither as a filter nor as a breakdown",
        "Use an attribute that does not say who somebody is.",
    )


Typed = tuple[Expr, Type]
LARGEST = Decimal("1.7976931348623157e308")


def property_value(name: str, type_: Type) -> Expr:
    """A property as conditions see it: NaN and infinities count as missing (RULES 12)."""
    return call("finite", Col(name)) if type_ is Type.NUMBER else Col(name)


def compared(op: str, left: Expr, right: Expr) -> Expr:
    """A comparison in which what is not finite is missing.

    With a constant the column stays bare, so that a warehouse can skip data by it: of NaN and the infinities, which
    sort at the ends, one more bound leaves out those that the constant does not.
    """
    if op == "eq" and right == TRUE:
        return left
    bare = _bare(left)
    if bare is left or not isinstance(right, Lit):
        return call(op, left, right)
    beyond = {"gt": ("le", LARGEST), "ge": ("le", LARGEST), "lt": ("ge", -LARGEST), "le": ("ge", -LARGEST)}.get(op)
    bounds = [call(op, bare, right)]
    if beyond:
        bounds.append(call(beyond[0], bare, Lit(beyond[1], Type.NUMBER)))
    return all_of(bounds)


def _in_order(op: str, left: Expr, right: Expr, type_: Type) -> Expr:
    """A comparison of two values of a type: two columns of text by their code points, as with a constant."""
    by_code_points = type_ is Type.STRING and op != "eq" and not isinstance(right, Lit)
    return compared(op, call("to_text", left) if by_code_points else left, right)


def a(type_: Type) -> str:
    """`a string`, `an integer`."""
    return f"{'an' if type_ is Type.INTEGER else 'a'} {type_}"


def _bare(value: Expr) -> Expr:
    return value.args[0] if isinstance(value, Call) and value.op == "finite" else value


def parse_condition(text: str, properties: Mapping[str, Type], personal: Collection[str] = ()) -> Expr:
    """The condition as a plan expression over the named properties; raises ConditionError.

    A name with a dot (`user.plan`) is the column with `_` in its place. What is personal is refused by its name.
    """
    tree = _parse(text)
    return _Reader(properties, personal).condition(tree)


def parse_arithmetic(text: str) -> Expr:
    """Arithmetic over named numbers as an expression over columns of these names; raises ConditionError.

    >>> parse_arithmetic("shares.users / visits").args[0]
    Col(name='shares.users')
    """
    if "--" in text or "/*" in text:  # To SQL, what follows would be a comment.
        raise ConditionError("an expression holds no comments", "Write `a - (-b)` to take away what is negative.")
    return _arithmetic(_parse(text, "expression", "Write arithmetic over metrics, such as `shares.users / visits`."))


def _arithmetic(tree: exp.Expr) -> Expr:
    match tree:
        case exp.Paren():
            return _arithmetic(tree.this)
        case exp.Add() | exp.Sub() | exp.Mul() | exp.Div():
            return call(_ARITHMETIC[type(tree)], _arithmetic(tree.this), _arithmetic(tree.expression))
        case exp.Neg():
            return call("sub", _arithmetic(tree.this))
        case exp.Literal() if not tree.is_string:
            return _number(tree.this)
        case exp.Column() if len(tree.parts) <= 2 and not isinstance(tree.this, exp.Star):
            return Col(".".join(part.name for part in tree.parts))
    raise ConditionError(
        f"`{_shown(tree)}` is not something a derived metric may say",
        "Names of metrics (or `NAME.measure`), numbers, `+ - * /` and parentheses are read.",
    )


def _parse(text: str, what: str = "condition", remedy: str = "Write a comparison, such as `minutes >= 3`.") -> exp.Expr:
    if len(text) > MAX_LENGTH:
        raise ConditionError(f"the {what} is {len(text)} characters long; at most {MAX_LENGTH} are read")
    try:
        trees = _trees(text)
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError) as error:
        errors = getattr(error, "errors", None)
        detail = errors[0]["description"].rstrip(".") if errors else "it cannot be read"
        detail = "something is missing" if detail.startswith("Required keyword") else detail
        article = "an" if what[0] in "aeio" else "a"
        raise ConditionError(f"`{_cut(text)}` is not {article} {what}: {detail}", remedy) from None
    if len(trees) != 1 or trees[0] is None:
        raise ConditionError(f"`{_cut(text)}` is not one {what}", remedy)
    # A chain of them is as deep as it is long, and all that reads trees from here on goes down by calling itself.
    if sum(1 for _ in trees[0].find_all(*_ARITHMETIC, exp.Neg)) > MAX_OPERATIONS:
        raise ConditionError(f"the {what} has more than {MAX_OPERATIONS} arithmetic operations")
    return trees[0]


@lru_cache(maxsize=2_048)
def _trees(text: str) -> tuple[exp.Expr | None, ...]:
    return tuple(sqlglot.parse(text))


def _number(text: str) -> Lit:
    try:
        number = Lit(int(text), Type.INTEGER) if text.isdigit() else Lit(Decimal(text), Type.NUMBER)
    except ArithmeticError:
        raise ConditionError(f"`{text}` is not a number") from None
    if number.value > LARGEST:  # type: ignore[operator]
        raise ConditionError(f"`{_cut(text)}` is larger than any number an engine knows")
    return number


def _shown(tree: exp.Expr) -> str:
    return _cut(tree.sql())


def _cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."


class _Reader:
    def __init__(self, properties: Mapping[str, Type], personal: Collection[str]) -> None:
        self.properties, self.personal = properties, personal
        self.depth = 0

    def condition(self, tree: exp.Expr) -> Expr:
        """A two-valued condition: true, or not."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ConditionError(f"the condition is nested more than {MAX_DEPTH} deep", "Write it flatter.")
        try:
            return self._condition(tree)
        finally:
            self.depth -= 1

    def _condition(self, tree: exp.Expr) -> Expr:
        match tree:
            case exp.Paren():
                return self.condition(tree.this)
            case exp.And() | exp.Or():
                parts = [self.condition(part) for part in tree.flatten()]
                return all_of(parts) if isinstance(tree, exp.And) else any_of(parts)
            case exp.Not():
                return self.negation(tree.this)
            case exp.NEQ():
                return self.different(*self.pair(tree))
            case exp.EQ() | exp.GT() | exp.GTE() | exp.LT() | exp.LTE():
                op = _COMPARISONS[type(tree)]
                turned = isinstance(tree.this.unnest(), exp.Literal)  # `3 <= minutes` is read as `minutes >= 3`.
                _, type_ = self.value(tree.this)
                return _in_order(_MIRRORED[op] if turned else op, *self.pair(tree), type_)
            case exp.In():
                return self.membership(tree)
            case exp.Between():
                subject = self.value(tree.this)
                low, high = (self.same_type(subject, self.value(tree.args[key]), tree) for key in ("low", "high"))
                of, type_ = subject
                return all_of([_in_order("ge", of, low, type_), _in_order("le", of, high, type_)])
            case exp.Is():
                return self.identity_test(tree)
            case exp.Like() | exp.ILike():
                return self.pattern(tree)
            case exp.Boolean():
                return Lit(tree.this, Type.BOOLEAN)
            case exp.Column():
                value, type_ = self.value(tree)
                if type_ is not Type.BOOLEAN:
                    raise ConditionError(
                        f"`{tree.sql()}` is {a(type_)}, not a condition", f"Compare it, such as `{tree.sql()} = ...`."
                    )
                return value
        raise self.refusal(tree)

    def negation(self, tree: exp.Expr) -> Expr:
        inner = tree.unnest()
        if isinstance(inner, exp.Is) and isinstance(inner.expression, exp.Null):
            return call("not_", self.identity_test(inner))
        return negated(self.condition(inner))

    def different(self, left: Expr, right: Expr) -> Expr:
        """`!=` holds for a missing value, unless both are missing."""
        unlike = call("ne", left, right)
        if isinstance(right, Lit):
            return any_of([unlike, call("is_null", left)])
        one_missing = any_of(
            [all_of([call("is_null", a), call("not_", call("is_null", b))]) for a, b in ((left, right), (right, left))]
        )
        return any_of([unlike, one_missing])

    def membership(self, tree: exp.In) -> Expr:
        if tree.args.get("query") is not None or tree.args.get("unnest") is not None:
            raise self.refusal(tree.args.get("query") or tree)
        value = self.value(tree.this)
        choices = [self.same_type(value, self.value(one), tree) for one in tree.expressions]
        if not choices:
            raise ConditionError(f"`{tree.sql()}` names nothing to choose from", "Write `in ('a', 'b')`.")
        return Call("in_", (_bare(value[0]) if all(isinstance(one, Lit) for one in choices) else value[0], *choices))

    def identity_test(self, tree: exp.Is) -> Expr:
        match tree.expression:
            case exp.Null():
                return call("is_null", self.value(tree.this)[0])
            case exp.Boolean() as wanted:
                return compared("eq", self.value(tree.this)[0], Lit(wanted.this, Type.BOOLEAN))
        raise self.refusal(tree)

    def pattern(self, tree: exp.Like | exp.ILike) -> Expr:
        value, type_ = self.value(tree.this)
        pattern = tree.expression
        if type_ is not Type.STRING or not (isinstance(pattern, exp.Literal) and pattern.is_string):
            raise ConditionError(f"`{tree.sql()}`: `like` compares a string property with a quoted pattern")
        if "\\" in pattern.this:
            raise ConditionError(
                f"`{tree.sql()}`: a backslash in a pattern means different things on different engines"
            )
        if isinstance(tree, exp.ILike):
            return call("like", call("lower", value), Lit(pattern.this.lower(), Type.STRING))
        return call("like", value, Lit(pattern.this, Type.STRING))

    # -- values -------------------------------------------------------------------------------------------------------

    def pair(self, tree: exp.Expr) -> tuple[Expr, Expr]:
        left, right = self.value(tree.this), self.value(tree.expression)
        if isinstance(left[0], Lit) and not isinstance(right[0], Lit):
            return right[0], self.same_type(right, left, tree)
        return left[0], self.same_type(left, right, tree)

    def same_type(self, of: Typed, value: Typed, tree: exp.Expr) -> Expr:
        """The value, fit to be compared with something of that type."""
        (expr, type_), wanted = value, of[1]
        if isinstance(expr, Lit) and expr.value is None:
            raise ConditionError(f"`{tree.sql()}` compares with null, which is never true", "Write `is null`.")
        if type_ is wanted or (type_.is_numeric and wanted.is_numeric):
            return expr
        if isinstance(expr, Lit) and isinstance(expr.value, str) and wanted in (Type.TIMESTAMP, Type.DATE):
            return self.moment(expr.value, wanted)
        bare = _bare(of[0])
        shown = bare.name if isinstance(bare, Col) else "the left side"
        raise ConditionError(
            f"`{tree.sql()}` compares `{shown}`, {a(wanted)}, with {a(type_)}", f"Write {a(wanted)} on the other side."
        )

    def moment(self, text: str, wanted: Type) -> Lit:
        try:
            parsed = datetime.fromisoformat(text)
        except ValueError:
            raise ConditionError(
                f"`{text}` is not {a(wanted)}", "Write it as `2026-01-31` or `2026-01-31 09:00:00`."
            ) from None
        if parsed.tzinfo is not None:
            raise ConditionError(f"`{text}` names a time zone", "Write the UTC time without an offset.")
        value: date = parsed.date() if wanted is Type.DATE else parsed
        return Lit(value, wanted)

    def value(self, tree: exp.Expr) -> Typed:
        match tree:
            case exp.Paren():
                return self.value(tree.this)
            case exp.Column():
                return self.column(tree)
            case exp.Literal():
                return (Lit(tree.this, Type.STRING), Type.STRING) if tree.is_string else self.number(tree.this)
            case exp.Boolean():
                return Lit(tree.this, Type.BOOLEAN), Type.BOOLEAN
            case exp.Null():
                return Lit(None, Type.STRING), Type.STRING
            case exp.Neg():
                expr, type_ = self.numeric(tree.this)
                if isinstance(expr, Lit) and isinstance(expr.value, int | float | Decimal):
                    return Lit(-expr.value, type_), type_
                return call("sub", expr), type_
            case exp.Cast() if isinstance(tree.this, exp.Literal) and tree.this.is_string:
                wanted = {"DATE": Type.DATE, "TIMESTAMP": Type.TIMESTAMP}.get(tree.to.sql())
                if wanted:
                    return self.moment(tree.this.this, wanted), wanted
            case exp.Add() | exp.Sub() | exp.Mul() | exp.Div() | exp.Mod():
                (left, left_type), (right, right_type) = self.numeric(tree.this), self.numeric(tree.expression)
                both_whole = left_type is right_type is Type.INTEGER and not isinstance(tree, exp.Div)
                return call(_ARITHMETIC[type(tree)], left, right), Type.INTEGER if both_whole else Type.NUMBER
            case exp.Lower() | exp.Abs() | exp.Coalesce():
                return self.function(tree)
        raise self.refusal(tree)

    def numeric(self, tree: exp.Expr) -> Typed:
        expr, type_ = self.value(tree)
        if not type_.is_numeric:
            raise ConditionError(f"`{tree.sql()}` is {a(type_)}; arithmetic needs numbers")
        return expr, type_

    def number(self, text: str) -> Typed:
        number = _number(text)
        return number, number.type

    def column(self, tree: exp.Column) -> Typed:
        name = ".".join(part.name for part in tree.parts)
        if name in self.personal:
            raise personal_refusal(name)
        if name not in self.properties:
            alike = [one for one in self.properties if ("." in one) == ("." in name)]
            raise ConditionError(
                f"`{name}` is not a declared property", did_you_mean(name, alike or self.properties, what="properties")
            )
        type_ = self.properties[name]
        return property_value(name.replace(".", "_"), type_), type_

    def function(self, tree: exp.Func) -> Typed:
        name = tree.sql_name().lower()
        args = [self.value(one) for one in (tree.this, *tree.expressions)]
        for later in args[1:]:
            self.same_type(args[0], later, tree)
        if name == "lower" and args[0][1] is not Type.STRING:
            raise ConditionError(f"`{tree.sql()}`: `{name}` takes a string, not {a(args[0][1])}")
        if name == "abs" and not args[0][1].is_numeric:
            raise ConditionError(f"`{tree.sql()}`: `abs` takes a number, not {a(args[0][1])}")
        return Call(name, tuple(expr for expr, _ in args)), args[0][1]

    def refusal(self, tree: exp.Expr) -> ConditionError:
        allowed = (
            "Comparisons, `in`, `between`, `like`, `is null`, and/or/not, arithmetic and "
            + ", ".join(f"`{name}`" for name in sorted(_FUNCTIONS))
            + " are read."
        )
        shown = _shown(tree)
        if tree.find(exp.Select, exp.Subquery):
            return ConditionError(f"`{shown}` is a sub-query, which a condition may not hold", allowed)
        if isinstance(tree, exp.Anonymous):
            return ConditionError(
                f"`{tree.name}` is not a function that a condition may call",
                did_you_mean(tree.name, _FUNCTIONS, what="functions"),
            )
        if isinstance(tree, exp.Func):
            return ConditionError(
                f"`{tree.sql_name().lower()}` is not a function that a condition may call",
                did_you_mean(tree.sql_name().lower(), _FUNCTIONS, what="functions"),
            )
        return ConditionError(f"`{shown}` is not something a condition may say", allowed)


Parser = Callable[[str, Mapping[str, Type]], Expr]
