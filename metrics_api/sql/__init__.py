"""From plans to text: `dialect` says every portable operation, `lower` builds sqlglot's tree, `render` prints it."""
