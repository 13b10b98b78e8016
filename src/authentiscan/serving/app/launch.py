"""Start Streamlit on the page: on this machine only, silent, and without reports to anyone."""

from __future__ import annotations

import importlib
import importlib.util
import socket
import threading
from contextlib import suppress
from pathlib import Path

from authentiscan.core.errors import AuthentiscanError, MissingExtraError, UsageError
from authentiscan.serving.address import is_loopback
from authentiscan.serving.app import settings
from authentiscan.serving.app.settings import MEGABYTE, Settings

FIRST_PORT = 8501
_PORTS = 50  # tried from the first one, where none is named
_LIGHT = {
    "primaryColor": "#0b5f9e",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f1f4f7",
    "textColor": "#1d2329",
    "linkColor": "#0b5f9e",
    "borderColor": "#c3ccd4",
}
_DARK = {
    "primaryColor": "#7cc0f5",
    "backgroundColor": "#13171b",
    "secondaryBackgroundColor": "#1e252b",
    "textColor": "#e6eaee",
    "linkColor": "#7cc0f5",
    "borderColor": "#4a555f",
}


def require() -> None:
    """Raise MissingExtraError where Streamlit is not installed."""
    if importlib.util.find_spec("streamlit") is None:
        raise MissingExtraError("the web page", "app")


def free_port(host: str, port: int | None) -> int:
    """``port`` of ``host`` where it is free; the first free one where None is given.

    UsageError where it is taken, or where the address is none of this machine's.
    """
    wanted = range(FIRST_PORT, FIRST_PORT + _PORTS) if port is None else (port,)
    reason = ""
    for number in wanted:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, number))
                return int(probe.getsockname()[1])
            except OSError as error:
                reason = error.strerror or str(error)
    named = f"port {port}" if port is not None else f"ports {wanted[0]} to {wanted[-1]}"
    raise UsageError(f"cannot listen at {host}, {named}: {reason}; name others: --host, --port")


def options(host: str, port: int, limits_bytes: int, *, open_browser: bool) -> dict[str, object]:
    """Streamlit's options; they overrule its configuration files."""
    theme = {f"theme.light.{name}": value for name, value in _LIGHT.items()}
    theme |= {f"theme.dark.{name}": value for name, value in _DARK.items()}
    allowed = ["localhost", "127.0.0.1", "[::1]", "::1"] if is_loopback(host) else []
    return {
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.disableDataExport": True,  # the page has buttons for files that spreadsheets trust
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,  # to search engines, with the error's text
        "global.developmentMode": False,
        "logger.hideWelcomeMessage": True,
        "logger.level": "error",
        "server.address": host,
        "server.port": port,
        "server.headless": not open_browser,
        "server.showEmailPrompt": False,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": max(1, limits_bytes // MEGABYTE),
        "server.allowedHosts": allowed,  # a page of a stranger cannot reach us by a name of its own
        **theme,
    }


def serve(chosen: Settings, host: str, port: int, *, open_browser: bool) -> None:
    """Serve the page until a signal ends it. Raises MissingExtraError without Streamlit."""
    require()
    from starlette.formparsers import MultiPartParser
    from streamlit import config
    from streamlit.web import bootstrap

    # Uploads over a megabyte would else lie in a temporary file while they arrive.
    MultiPartParser.spool_max_size = chosen.limits.bytes + MEGABYTE
    settings.use(chosen)
    threading.Thread(target=warm, args=[chosen], daemon=True).start()
    script = str(Path(__file__).with_name("script.py"))
    flags = options(host, port, chosen.limits.bytes, open_browser=open_browser)
    config._main_script_path = script  # as `streamlit run` does before it reads options
    bootstrap.load_config_options(flags)
    bootstrap.run(script, False, [], flags)


def warm(chosen: Settings) -> None:
    """Load what the first visitor would wait for, and judge an example once."""
    importlib.import_module("pandas")  # Streamlit loads it for its first table
    from authentiscan.analysis import analyze
    from authentiscan.serving.app import page  # noqa: F401 - with every room it needs
    from authentiscan.serving.app.upload import EXAMPLES, of_example

    with suppress(AuthentiscanError):  # it will be told where it is asked for
        detector = chosen.detectors.get(chosen.detectors.names[0])
        analyze(of_example(EXAMPLES[0]).content, detector, heatmap=True, trust=chosen.trust)
