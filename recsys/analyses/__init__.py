"""Named analyses: questions about the catalogue as files of SQL, ours and one's own, with typed parameters."""

from recsys.analyses.analysis import Analysis, Parameter, Value, analyses, find_analysis
from recsys.analyses.run import Result, filled_in, run_analysis

__all__ = [
    "Analysis",
    "Parameter",
    "Result",
    "Value",
    "analyses",
    "filled_in",
    "find_analysis",
    "run_analysis",
]
