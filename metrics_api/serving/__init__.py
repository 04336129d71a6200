"""The conductor: from a question to an answer, with a warehouse in between."""
