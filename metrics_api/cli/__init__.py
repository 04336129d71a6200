"""The command line: one file for each command, put together by `main`.

A command imports what is heavy when it runs: `--help` and `validate` load no driver, no Arrow and no GraphQL.
"""
