"""How well an attributor names generators, known and unknown ones."""

from authentiscan.evaluation.attribution.leave_out import (
    LeftOut,
    LeftOutRow,
    left_out_row,
    summarize,
)
from authentiscan.evaluation.attribution.measure import (
    Answers,
    Measured,
    embed_rows,
    evaluate_attributor,
    measure,
)
from authentiscan.evaluation.attribution.write import (
    headline,
    left_out_text,
    write_left_out,
    write_results,
)

__all__ = [
    "Answers",
    "LeftOut",
    "LeftOutRow",
    "Measured",
    "embed_rows",
    "evaluate_attributor",
    "headline",
    "left_out_row",
    "left_out_text",
    "measure",
    "summarize",
    "write_left_out",
    "write_results",
]
