"""One table in four forms, none of which a stranger's text can break."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from authentiscan.report.tables import Table, write_latex

TABLE = Table(["name", "AUC"], [["a|b\nc", "0.5 ± 0.1"], ["=cmd()", "–"]], note="below")


def test_markdown_keeps_its_columns() -> None:
    lines = TABLE.markdown().splitlines()
    assert lines[0] == "| name | AUC |"
    assert lines[1] == "| --- | ---: |"
    assert lines[2] == "| a\\|b c | 0.5 ± 0.1 |"
    assert lines[-1] == "below"
    assert Table(["a", "b"], [], left=True).markdown().splitlines()[1] == "| --- | --- |"


def test_csv_is_read_back_and_holds_no_formula() -> None:
    rows = list(csv.reader(io.StringIO(TABLE.csv())))
    assert rows[0] == ["name", "AUC"]
    assert rows[1] == ["a|b\nc", "0.5 ± 0.1"]
    assert rows[2][0] == "'=cmd()"


def test_latex_escapes_what_latex_would_obey() -> None:
    text = Table(["x_1", "50 %"], [["a & b", "\\input{secret}"], ["$x$", "1 – 2"]]).latex()
    assert text.startswith(r"\begin{tabular}{lr}")
    assert text.endswith(r"\end{tabular}")
    assert r"x\_1 & 50 \% \\" in text
    assert r"a \& b & \textbackslash{}input\{secret\} \\" in text
    assert r"\$x\$ & 1 -- 2 \\" in text
    body = text.splitlines()[1:-1]
    assert [body[0], body[2], body[-1]] == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert all(len(re.findall(r"(?<!\\)&", line)) == 1 for line in body if line.endswith(r"\\"))


def test_latex_tables_go_into_one_file_and_a_title_cannot_leave_its_comment(tmp_path: Path) -> None:
    table = Table(["", "AUC"], [["a_b", "71 %"]])
    write_latex(tmp_path / "t.tex", [("one\n\\input{x}", table), ("two", table)], inputs=[])
    lines = (tmp_path / "t.tex").read_text().splitlines()
    assert [line for line in lines if line.startswith("%")][1:] == ["% one \\input{x}", "% two"]
    assert lines.count(r"\toprule") == 2
    assert r"a\_b & 71 \% \\" in lines
