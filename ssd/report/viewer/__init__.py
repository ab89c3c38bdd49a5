"""The trace viewer: one self-contained HTML file that shows, forward by forward, how responses were decoded."""
