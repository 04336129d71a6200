"""The passes: plan to plan, each one function, in the one order that `pipeline.passes` shows."""
