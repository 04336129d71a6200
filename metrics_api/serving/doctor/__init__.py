"""`metrics-api doctor`: is the warehouse as the definitions say, and can answers from it be trusted?"""

from metrics_api.serving.doctor.examination import OF_COLUMNS, OF_ROWS, USUAL_DAYS, examine
from metrics_api.serving.doctor.findings import Finding, Level

__all__ = ["OF_COLUMNS", "OF_ROWS", "USUAL_DAYS", "Finding", "Level", "examine"]
