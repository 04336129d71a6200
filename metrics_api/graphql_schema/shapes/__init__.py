"""The shapes of answers as GraphQL types: one file each, with the type and how a question is asked for it."""
