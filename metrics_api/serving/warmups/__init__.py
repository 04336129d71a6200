"""Asking questions before people ask them: what was asked most, one run across workers, and when."""
