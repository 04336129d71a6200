"""Users, accounts, and what is known of them: what resolving refuses, and what it makes of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from metrics_api.compile.project import load_model
from metrics_api.errors import DefinitionError
from metrics_api.semantic.model import SemanticModel, fields_of, types_of

BASE = """\
version: 1
project: {name: shop}
sources:
  app:
    table: app_events
    time: at
    event_name: event
    identity: IDENTITY
    properties: {minutes: number, user_plan: string}
events:
  watch: {source: app}
"""


def model(tmp_path: Path, more: str, *, identity: str = "{user: user_id}") -> SemanticModel:
    (tmp_path / "shop.yml").write_text(BASE.replace("IDENTITY", identity) + more, encoding="utf-8")
    return load_model(tmp_path)[0]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "entities: {usr: {attributes: {table: users, key: id, columns: {plan: string}}}}",
            "shop.yml:12:12  there is no entity `usr`\n    Did you mean `user`?",
        ),
        (
            "entities: {user: {attributes: {table: users, key: id, columns: {plan: string}}}}",
            (
                "shop.yml:9:35  property `user_plan` of source `app` is called as the attribute `plan` of users is in "
                "answers (shop.yml:12:65)\n"
                "    Rename one of them: `event_user_plan: {type: ..., column: user_plan}`."
            ),
        ),
        (
            f"entities: {{account: {{attributes: {{table: t, key: id, columns: {{{'a' * 60}: string}}}}}}}}",
            (
                f"shop.yml:12:64  the attribute is `account_{'a' * 60}` in answers, which is 68 characters long; "
                "names have at most 63\n"
                "    Shorten it, and say `column:`."
            ),
        ),
        (
            "metrics: {watched: {type: usage, event: watch, entity: account}}",
            (
                "shop.yml:12:56  `watched` counts accounts, and source `app` does not say who the account is\n"
                "    Write `identity: {account: COLUMN}` at the source, or `entity: user` here."
            ),
        ),
        (
            "metrics: {watched: {type: usage, event: watch, entity: acount}}",
            "shop.yml:12:56  watched.entity: `acount` is not one of the choices\n    Did you mean `account`?",
        ),
        (
            "entities: {user: {description: Somebody.}}",
            (
                "shop.yml:12:18  user: says neither `attributes` nor `identity_map`\n"
                "    Write one of them, or leave the entity out."
            ),
        ),
        (
            "entities: {user: {attributes: {table: t, key: id, columns: {}}}}",
            "shop.yml:12:60  user.attributes.columns: is empty\n    Write a value, or leave the line out.",
        ),
        (
            (
                "entities: {user: {attributes: {table: t, key: id, columns: {mail: {type: string, personal: true}}}}}\n"
                "metrics: {watched: {type: usage, event: watch, where: user.mail = 'x'}}"
            ),
            (
                "shop.yml:13:55  `user.mail` is personal: this release offers it neither as a filter nor as a "
                "breakdown\n"
                "    Use an attribute that does not say who somebody is."
            ),
        ),
        (
            (
                "entities: {user: {attributes: {table: t, key: id, columns: {tier: string}}}}\n"
                "metrics: {watched: {type: usage, event: watch, where: user.teir = 'x'}}"
            ),
            "shop.yml:13:55  `user.teir` is not a declared property\n    Did you mean `user.tier`?",
        ),
        (
            (
                "entities: {account: {attributes: {table: t, key: id, columns: {tier: string}}}}\n"
                "metrics: {watched: {type: usage, event: watch, where: account.tier = 'x'}}"
            ),
            (
                "shop.yml:13:55  `account.tier` is not a declared property\n"
                "    The properties are `minutes`, `user_plan`."
            ),
        ),
    ],
)
def test_refuses_in_full(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        model(tmp_path, more)
    assert str(raised.value) == message


def test_a_source_of_accounts_only_serves_metrics_of_accounts(tmp_path: Path) -> None:
    accounts = "{account: account_id}"
    found = model(tmp_path, "metrics: {w: {type: usage, event: watch, entity: account}}", identity=accounts)
    assert found.metrics["w"].entity == "account"
    with pytest.raises(DefinitionError) as raised:
        model(tmp_path, "metrics: {w: {type: usage, event: watch}}", identity=accounts)
    assert str(raised.value) == (
        "shop.yml:12:11  `w` counts users, and source `app` does not say who the user is\n"
        "    Write `identity: {user: COLUMN}` at the source, or `entity: account` here."
    )


def test_attributes_are_fields_under_two_names(tmp_path: Path) -> None:
    found = model(
        tmp_path,
        "entities:\n"
        "  user: {attributes: {table: t, key: id, columns: {tier: string, mail: {type: string, personal: true}}}}\n"
        "  account: {attributes: {table: a, key: id, columns: {seats: {type: integer, json: about.seats}}}}",
        identity="{user: user_id, account: account_id}",
    )
    fields = fields_of([found.sources["app"]])
    assert list(fields) == ["minutes", "user_plan", "user_tier", "account_seats"]
    assert (fields["account_seats"].column, fields["account_seats"].path) == ("about", "seats")
    assert set(types_of(fields)) == {*fields, "user.tier", "account.seats"}
