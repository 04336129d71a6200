"""What the definitions mean: `resolve` turns names into objects, `expressions` SQL snippets into plan expressions."""
