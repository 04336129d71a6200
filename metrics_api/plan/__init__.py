"""The relational language: how a metric is computed, with no word about any engine.

In rough order of control flow: families build plans from `expr` and `nodes`; the passes of `compile` rewrite them with
`walk`; `fingerprint` names them; `explain` tells them as a story; `sql.lower` turns them into a statement.
"""
