"""The file that Streamlit runs again for every click; `launch.serve` says what it serves."""

from authentiscan.serving.app.page import show

show()
