"""What people write: the definition files, their fields and their errors. No SQL and no warehouse."""
