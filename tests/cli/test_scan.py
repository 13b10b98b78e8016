"""`authentiscan scan` end to end: the installed command on real files."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from authentiscan.images.decode import encode

COMMAND = str(Path(sys.executable).with_name("authentiscan"))
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "sub").mkdir()
    for name, format in (("coffee", "JPEG"), ("chelsea", "PNG"), ("rocket", "WEBP")):
        (folder / f"{name}.{format.lower()}").write_bytes(encode(photos[name][:200, :300], format))
    (folder / "sub" / "china.jpg").write_bytes(encode(photos["china"], "JPEG"))
    return folder


@pytest.fixture(scope="module")
def mixed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    mixed = tmp_path_factory.mktemp("mixed")
    (mixed / "good.jpg").write_bytes((folder / "coffee.jpeg").read_bytes())
    (mixed / "empty.png").write_bytes(b"")
    (mixed / "script.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0")
    (mixed / "cut.jpg").write_bytes((folder / "coffee.jpeg").read_bytes()[:900])
    return mixed


@pytest.fixture
def run(tiny_bundle: Path, tmp_path: Path) -> Run:
    def call(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, "scan", *map(str, arguments), "--model", str(tiny_bundle)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "140", "NO_COLOR": "1"},
            check=False,
        )

    return call


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_table_for_people(run: Run, folder: Path) -> None:
    result = run(folder)
    assert result.returncode == 0, result.stderr
    head = result.stdout.splitlines()[0]
    for column in ("file", "verdict", "score", "spread", "warnings", "ms"):
        assert column in head
    assert "coffee.jpeg" in result.stdout
    assert "4 images: " in result.stdout
    assert "images/s" in result.stdout


def test_json_lines_are_clean(run: Run, folder: Path) -> None:
    result = run(folder, "--json")
    assert result.returncode == 0, result.stderr
    found = rows(result.stdout)
    names = ["chelsea.png", "coffee.jpeg", "rocket.webp", "sub/china.jpg"]
    assert [Path(str(row["path"])).relative_to(folder).as_posix() for row in found] == names
    for row in found:
        assert {"path", "verdict", "score", "error"} <= set(row)
        assert row["verdict"] in ("real", "generated", "inconclusive")
        assert 0 <= float(str(row["score"])) <= 1
        assert row["error"] is None
    assert "4 images" in result.stderr


def test_failures_are_rows_and_exit_code_1(run: Run, mixed: Path) -> None:
    result = run(mixed, mixed / "gone.jpg", "--json")
    assert result.returncode == 1
    found = {Path(str(row["path"])).name: row for row in rows(result.stdout)}
    assert found["good.jpg"]["error"] is None
    assert "0 bytes" in str(found["empty.png"]["error"])
    assert "PostScript" in str(found["script.jpg"]["error"])
    assert "JPEG" in str(found["cut.jpg"]["error"])
    assert "does not exist" in str(found["gone.jpg"]["error"])
    assert found["gone.jpg"]["verdict"] is None
    assert "Traceback" not in result.stderr


def test_failures_in_the_table(run: Run, mixed: Path) -> None:
    result = run(mixed)
    assert result.returncode == 1
    assert "3 failed" in result.stdout
    assert "PostScript" in result.stdout


def test_v_prints_the_reason_of_every_verdict_and_q_no_closing_line(run: Run, folder: Path) -> None:
    reasons = [row["reason"] for row in rows(run(folder, "--json").stdout)]
    said = run(folder, "-v")
    assert said.returncode == 0, said.stderr
    words = " ".join(said.stdout.split())
    assert words.count("score") > run(folder).stdout.count("score")
    assert all(reason.split(":")[0] in words for reason in reasons)
    assert "images/s" in run(folder).stdout
    assert "images/s" not in run(folder, "-q").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "missing argument"),
        (("x.jpg", "--workers", "0"), "workers"),
        (("x.jpg", "--json", "--csv"), "standard output"),
        (("x.jpg", "-o", "result.xlsx"), ".parquet"),
        (("x.jpg", "--resume"), "-o result.jsonl"),
    ],
)
def test_usage_errors_exit_2(run: Run, arguments: tuple[str, ...], told: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_bundle_is_one_clear_line(folder: Path) -> None:
    command = [COMMAND, "scan", str(folder), "--model", "/nowhere"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("error: no detector '/nowhere': there is no such folder")
    assert len(result.stderr.splitlines()) == 1


def test_nothing_to_scan(run: Run, tmp_path: Path) -> None:
    (tmp_path / "void").mkdir()
    result = run("void")
    assert result.returncode == 2
    assert "found no images in void" in result.stderr


def test_standard_input_lists_globs_and_archives(run: Run, folder: Path, tmp_path: Path) -> None:
    assert len(rows(run("-", "--json", stdin=f"{folder}/coffee.jpeg\n").stdout)) == 1
    (tmp_path / "list.txt").write_text(f"{folder}/coffee.jpeg\n{folder}/sub\n")
    assert len(rows(run("list.txt", "--json").stdout)) == 2
    assert len(rows(run(f"{folder}/*.png", f"{folder}/*/*.jpg", "--json").stdout)) == 2
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(folder / "coffee.jpeg", "in/coffee.jpeg")
    (row,) = rows(run("x.zip", "--json").stdout)
    assert row["path"] == "x.zip::in/coffee.jpeg"
    assert row["error"] is None


def test_no_recursive(run: Run, folder: Path) -> None:
    assert len(rows(run(folder, "--json", "--no-recursive").stdout)) == 3


def test_csv_on_standard_output(run: Run, folder: Path) -> None:
    found = list(csv.DictReader(run(folder, "--csv").stdout.splitlines()))
    assert len(found) == 4
    assert all(row["verdict"] for row in found)


def test_every_output_at_once(run: Run, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    result = run(
        folder, "-o", "r.jsonl", "-o", "r.csv", "--html", "r.html", "--parquet", "r.parquet"
    )
    assert result.returncode == 0, result.stderr
    assert len(rows((tmp_path / "r.jsonl").read_text())) == 4
    page = (tmp_path / "r.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 8  # each image and its heatmap
    assert page.count("<article") == 4
    assert (tmp_path / "r.parquet").stat().st_size > 500
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 5


def test_resume_goes_on_and_other_outputs_are_whole(run: Run, folder: Path, tmp_path: Path) -> None:
    assert run(folder / "sub", "-o", "r.jsonl").returncode == 0
    first = (tmp_path / "r.jsonl").read_text()
    (tmp_path / "r.jsonl").write_text(first + '{"schema_version":1,"path": "half')
    result = run(folder, "-o", "r.jsonl", "-o", "r.csv", "--resume")
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "r.jsonl").read_text()
    assert text.startswith(first)
    assert len({row["path"] for row in rows(text)}) == len(rows(text)) == 4
    assert "3 images" in result.stderr
    assert "1 done before" in result.stderr
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 5
    again = run(folder, "-o", "r.jsonl", "--resume")
    assert again.returncode == 0
    assert (tmp_path / "r.jsonl").read_text() == text


def test_resume_with_another_detector_is_refused(run: Run, folder: Path, tmp_path: Path) -> None:
    run(folder / "sub", "-o", "r.jsonl")
    row = json.loads((tmp_path / "r.jsonl").read_text())
    row["model"]["sha256"] = "0" * 64
    (tmp_path / "r.jsonl").write_text(json.dumps(row, separators=(",", ":")) + "\n")
    result = run(folder, "-o", "r.jsonl", "--resume")
    assert result.returncode == 2
    assert "another detector" in result.stderr


def test_an_interrupted_scan_leaves_whole_lines(
    tiny_bundle: Path, folder: Path, tmp_path: Path
) -> None:
    content = (folder / "sub" / "china.jpg").read_bytes()
    for number in range(1500):
        (tmp_path / f"{number:04d}.jpg").write_bytes(content)
    output = tmp_path / "out.jsonl"
    command = [COMMAND, "scan", str(tmp_path), "--model", str(tiny_bundle), "-o", str(output)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and (not output.exists() or output.stat().st_size < 3000):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "interrupted after" in errors
    assert "Traceback" not in errors
    text = output.read_text()
    assert text.endswith("\n")
    assert 0 < len(rows(text)) < 1500


def test_a_closed_pipe_is_no_error_message(tiny_bundle: Path, folder: Path) -> None:
    paths = [str(folder)] * 60
    command = [COMMAND, "scan", *paths, "--model", str(tiny_bundle), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.wait(timeout=30)
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


def test_terminal_escapes_in_names_are_not_printed(run: Run, folder: Path, tmp_path: Path) -> None:
    name = "\x1b[31mred\x1b]0;title\x07.jpeg"
    (tmp_path / name).write_bytes((folder / "coffee.jpeg").read_bytes())
    result = run(".")
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout
    assert "\\u001b[31mred" in result.stdout


def test_help_teaches(run: Run) -> None:
    result = run("--help")
    assert result.returncode == 0
    for word in ("--json", ".html", "--resume", "--workers", "Exit codes", "authentiscan scan"):
        assert word in result.stdout


def test_max_pixels_says_what_is_decoded(run: Run, folder: Path) -> None:
    refused = run(folder / "chelsea.png", "--json", "--max-pixels", 59_999)
    row = json.loads(refused.stdout)
    assert refused.returncode == 1
    assert "--max-pixels 60000" in row["error"]
    judged = run(folder / "chelsea.png", "--json", "--max-pixels", 60_000)
    assert (judged.returncode, json.loads(judged.stdout)["error"]) == (0, None)
    wrong = run(folder, "--max-pixels", 0)
    assert wrong.returncode == 2
    assert wrong.stderr == (
        "error: --max-pixels must be greater than or equal to 1, got '0'. "
        "See authentiscan scan --help\n"
    )


def test_max_bytes_says_what_is_read(run: Run, folder: Path) -> None:
    photo = folder / "chelsea.png"
    size = photo.stat().st_size
    refused = run(photo, "--json", "--max-bytes", size - 1)
    assert refused.returncode == 1
    assert f"with --max-bytes {size}" in json.loads(refused.stdout)["error"]
    assert run(photo, "--json", "--max-bytes", size).returncode == 0


# What is left out, what fails, what goes on


def test_what_is_left_out_is_told_and_a_lost_archive_member_is_a_failure(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg_large").write_bytes((folder / "coffee.jpeg").read_bytes())
    (tmp_path / "in" / "notes.md").write_text("words")
    result = run("in", "-o", "page.html")
    assert result.returncode == 0
    assert "left out 1: a text file 1" in result.stderr
    assert "left out 1: a text file 1" in (tmp_path / "page.html").read_text()
    with zipfile.ZipFile(tmp_path / "in" / "more.zip", "w") as archive:
        archive.write(folder / "chelsea.png", "b.png")
    result = run("in", "-q")
    assert "warning: not read, though images may be in there: an archive (name it" in result.stderr
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        for name in ("1.png", "2.png"):
            archive.add(folder / "chelsea.png", name)
    content = (tmp_path / "x.tar").read_bytes()
    (tmp_path / "x.tar").write_bytes(content.replace(b"2.png", b"9.png", 1))
    result = run("x.tar", "--json")
    assert result.returncode == 1
    assert [row["error"] is None for row in rows(result.stdout)] == [True, False]


def test_results_come_as_paths_come_from_a_slow_pipe(tiny_bundle: Path, folder: Path) -> None:
    command = [COMMAND, "scan", "-", "--json", "--model", str(tiny_bundle)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, bufsize=0, **pipes) as process:  # type: ignore[call-overload]
        for name in ("coffee.jpeg", "chelsea.png", "rocket.webp"):
            process.stdin.write(f"{folder}/{name}\n".encode())
            line = process.stdout.readline()  # with the pipe open: the next path is not written
            assert json.loads(line)["path"].endswith(name)
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_an_interrupt_ends_a_scan_that_waits_for_a_pipe(
    tiny_bundle: Path, folder: Path, tmp_path: Path
) -> None:
    output = tmp_path / "r.jsonl"
    command = [COMMAND, "scan", "-", "--model", str(tiny_bundle), "-o", str(output)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0, **SIGNALS) as process:
        assert process.stdin is not None
        process.stdin.write(f"{folder}/coffee.jpeg\n".encode())
        wait_for(lambda: output.exists() and output.stat().st_size > 0, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143
    assert len(rows(output.read_text())) == 1


SIGNALS: dict[str, Any] = {
    "stderr": subprocess.DEVNULL,
    # The tests may run where Ctrl-C is ignored, and children inherit that.
    "preexec_fn": lambda: [
        signal.signal(s, signal.SIG_DFL) for s in (signal.SIGINT, signal.SIGTERM)
    ],
}


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not ready():
        assert process.poll() is None, "it ended too early"
        time.sleep(0.02)


@pytest.fixture
def many(tmp_path: Path, folder: Path) -> Path:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(800):
        (many / f"{number:03d}.jpg").hardlink_to(folder / "sub" / "china.jpg")
    return many


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_whole_files_and_resume_keeps_rows_and_pictures(
    tiny_bundle: Path, many: Path, tmp_path: Path, sign: signal.Signals, code: int
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    names = ["r.jsonl", "r.csv", "r.parquet", "r.html"]
    outputs = [word for name in names for word in ("-o", str(tmp_path / name))]
    command = [COMMAND, "scan", str(many), "--model", str(tiny_bundle), *outputs]
    journal = tmp_path / "r.jsonl"
    with subprocess.Popen(command, **SIGNALS) as process:
        wait_for(lambda: journal.exists() and journal.stat().st_size > 5000, process)
        process.send_signal(sign)
        assert process.wait(timeout=60) == code
    made = len(rows(journal.read_text()))
    assert 0 < made < 800
    assert len(pq.read_table(tmp_path / "r.parquet")) == made
    assert len(list(csv.DictReader((tmp_path / "r.csv").open()))) == made
    page = (tmp_path / "r.html").read_text()
    assert page.count("<article") == made
    assert page.count("data:image/jpeg") == 2 * made
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "many"])
    for path in sorted(many.iterdir())[made + 5 :]:
        path.unlink()
    result = subprocess.run([*command, "--resume"], check=False, capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert [row["path"] for row in rows(journal.read_text())] == sorted(map(str, many.iterdir()))
    page = (tmp_path / "r.html").read_text()
    assert page.count("data:image/jpeg") == 2 * (made + 5)


def test_a_killed_scan_leaves_the_old_page_and_rows_to_go_on_with(
    tiny_bundle: Path, many: Path, tmp_path: Path
) -> None:
    page, journal = tmp_path / "r.html", tmp_path / "r.jsonl"
    page.write_text("OLD PAGE of authentiscan")
    command = [COMMAND, "scan", many, "--model", tiny_bundle, "-o", journal, "-o", page]
    with subprocess.Popen(list(map(str, command)), **SIGNALS) as process:
        wait_for(lambda: journal.exists() and journal.stat().st_size > 5000, process)
        process.kill()
    assert page.read_text() == "OLD PAGE of authentiscan"
    made = len(journal.read_text().splitlines())
    for path in sorted(many.iterdir())[made + 5 :]:
        path.unlink()
    result = subprocess.run(
        list(map(str, [*command, "--resume"])), check=False, capture_output=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert [row["path"] for row in rows(journal.read_text())] == sorted(map(str, many.iterdir()))
    shown = page.read_text()
    assert shown.count("<article") == len(list(many.iterdir()))
    assert shown.count("data:image/jpeg") == 2 * shown.count("<article")


def test_a_page_asked_for_later_gets_the_pictures_of_earlier_rows(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    assert run(folder, "-o", "r.jsonl").returncode == 0
    before = (tmp_path / "r.jsonl").read_text()
    result = run(folder, "-o", "r.jsonl", "-o", "p.html", "--resume")
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "p.html").read_text()
    assert page.count("data:image/jpeg") == 2 * page.count("<article") > 0
    assert [r["path"] for r in rows((tmp_path / "r.jsonl").read_text())] == [
        r["path"] for r in rows(before)
    ]
    again = run(folder, "-o", "r.jsonl", "-o", "p.html", "--resume")
    assert again.returncode == 0
    assert (tmp_path / "p.html").read_text().count("data:image/jpeg") == page.count(
        "data:image/jpeg"
    )


@pytest.mark.parametrize("resume", [(), ("--resume",)])
def test_a_second_scan_into_one_output_ends_with_2(
    run: Run, tiny_bundle: Path, many: Path, tmp_path: Path, resume: tuple[str, ...]
) -> None:
    journal = tmp_path / "r.jsonl"
    command = [COMMAND, "scan", str(many), "--model", str(tiny_bundle), "-o", str(journal), *resume]
    with subprocess.Popen(command, **SIGNALS) as process:
        wait_for(lambda: journal.exists() and journal.stat().st_size > 5000, process)
        second = run(many, "-o", "r.jsonl", *resume)
        assert second.returncode == 2
        assert "another command writes r.jsonl" in second.stderr
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    paths = [row["path"] for row in rows(journal.read_text())]
    assert len(paths) == len(set(paths))


def test_resume_tries_failed_rows_again_and_counts_those_that_stay(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text("a.jpg\nb.jpg\nc.jpg\n")
    for name in ("a.jpg", "c.jpg"):
        (tmp_path / name).write_bytes((folder / "coffee.jpeg").read_bytes())
    assert run("list.txt", "-o", "r.jsonl").returncode == 1
    again = run("list.txt", "-o", "r.jsonl", "-o", "r.csv", "--resume")
    assert again.returncode == 1
    assert len(rows((tmp_path / "r.jsonl").read_text())) == 3
    elsewhere = run("c.jpg", "-o", "r.jsonl", "--resume")
    assert elsewhere.returncode == 1  # the failed row of b.jpg is still there
    assert len(rows((tmp_path / "r.jsonl").read_text())) == 3
    (tmp_path / "b.jpg").write_bytes((folder / "coffee.jpeg").read_bytes())
    mended = run("list.txt", "-o", "r.jsonl", "-o", "r.csv", "--resume")
    assert mended.returncode == 0
    assert "1 image: " in mended.stderr
    found = rows((tmp_path / "r.jsonl").read_text())
    assert sorted(str(row["path"]) for row in found) == ["a.jpg", "b.jpg", "c.jpg"]
    assert all(row["error"] is None for row in found)
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 4
    finished = run("list.txt", "-o", "r.jsonl", "--resume")
    assert finished.returncode == 0
    assert "nothing left to do: all 3 images were done before" in finished.stderr


def test_resume_keeps_members_of_one_name(run: Run, folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("coffee.jpeg", "chelsea.png", "rocket.webp"):
            archive.write(folder / name, "same.jpg")
    assert run("x.zip", "-o", "r.jsonl").returncode == 0
    whole = rows((tmp_path / "r.jsonl").read_text())
    first = (tmp_path / "r.jsonl").read_text().splitlines()[0]
    (tmp_path / "r.jsonl").write_text(first + "\n")
    assert run("x.zip", "-o", "r.jsonl", "--resume").returncode == 0
    found = rows((tmp_path / "r.jsonl").read_text())
    assert [row["score"] for row in found] == [row["score"] for row in whole]


def test_resume_with_other_options_is_refused(run: Run, folder: Path, tmp_path: Path) -> None:
    assert run(folder / "sub", "-o", "r.jsonl", "--no-provenance").returncode == 0
    text = (tmp_path / "r.jsonl").read_text()
    result = run(folder, "-o", "r.jsonl", "--resume")
    assert result.returncode == 2
    assert "made with --no-provenance: do the same" in result.stderr
    assert (tmp_path / "r.jsonl").read_text() == text


def test_resume_with_another_trust_list_is_refused(
    run: Run,
    folder: Path,
    tmp_path: Path,
    signer_chain: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(folder / "sub", "-o", "r.jsonl").returncode == 0
    text = (tmp_path / "r.jsonl").read_text()
    (tmp_path / "own.pem").write_bytes(signer_chain["root"])
    result = run(folder, "-o", "r.jsonl", "--resume", "--trust-list", "own.pem")
    assert result.returncode == 2
    assert "with another trust list: give the same --trust-list" in result.stderr
    monkeypatch.setenv("AUTHENTISCAN_TRUST_LIST", str(tmp_path / "own.pem"))
    assert run(folder, "-o", "r.jsonl", "--resume").returncode == 2
    assert (tmp_path / "r.jsonl").read_text() == text


@pytest.mark.parametrize("content", [b'{"a": 1}', b"\xff\xd8\xff\xe0 photo", b"[1, 2]\n"])
def test_resume_never_empties_a_file_of_another_program(
    run: Run, folder: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "r.json").write_bytes(content)
    result = run(folder, "-o", "r.json", "--resume")
    assert result.returncode == 2
    assert "name another output file" in result.stderr
    assert (tmp_path / "r.json").read_bytes() == content


def test_an_output_that_is_an_input_is_refused(run: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.html").write_bytes((folder / "coffee.jpeg").read_bytes())
    (tmp_path / "same.html").hardlink_to(tmp_path / "in.html")
    for path in ("in.html", "*.html", "./in.html"):
        result = run(path, "-o", "same.html")
        assert result.returncode == 2
        assert "is also an input" in result.stderr
    assert (tmp_path / "in.html").read_bytes() == (folder / "coffee.jpeg").read_bytes()


def test_names_that_are_no_utf_8_in_every_output(run: Run, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    place = tmp_path / "in"
    place.mkdir()
    (place / "a.jpg").write_bytes((folder / "coffee.jpeg").read_bytes())
    (place / "z.jpg").write_bytes((folder / "coffee.jpeg").read_bytes())
    (place / os.fsdecode(b"caf\xe9.jpg")).symlink_to("/nowhere")
    (place / os.fsdecode(b"caf\xe9 is locked.jpg")).write_bytes(b"no image")
    outputs = [word for end in ("jsonl", "csv", "html", "parquet") for word in ("-o", f"r.{end}")]
    result = run("in", *outputs)
    assert result.returncode == 1
    found = rows((tmp_path / "r.jsonl").read_text())
    assert [Path(str(row["path"])).name for row in found] == [
        "a.jpg",
        r"caf\xe9 is locked.jpg",
        r"caf\xe9.jpg",
        "z.jpg",
    ]
    assert "Traceback" not in result.stderr
