"""The web page of `authentiscan app`: it shows reports and decides nothing.

    launch ─► Streamlit runs script ─► page ─► upload, judging ─► verdict, batch, tabs

Everything shown is of `authentiscan.analysis.Report`, of the detector's own description, or a view
of the same pixels by `authentiscan.explain`.
"""
