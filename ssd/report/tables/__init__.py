"""The report's tables: each a frame, and how its columns are written as CSV, Markdown, LaTeX and HTML."""
