"""What a validator says to the person whose definition it turns down."""

from __future__ import annotations


class Refusal(ValueError):
    """A value that a definition may not have: what is wrong and, apart from it, what to write instead.

    Raise it in any pydantic validator; the loader adds the place. `at` is the path of the offending field below the
    value being validated, for validators that see a whole model; with `on_key` the name is wrong and not its value.
    """

    def __init__(
        self, message: str, fix: str | None = None, *, at: tuple[str | int, ...] = (), on_key: bool = False
    ) -> None:
        super().__init__(f"{message}; {fix}" if fix else message)
        self.message = message
        self.fix = fix
        self.at = at
        self.on_key = on_key
