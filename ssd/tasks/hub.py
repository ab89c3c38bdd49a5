"""Detect an unreachable Hub at once, instead of after 30 seconds of retries."""

from __future__ import annotations

TIMEOUT_S = 5


def go_offline_if_unreachable() -> str | None:
    """Send one request to the Hub. If it fails, use downloaded files only, and return the reason."""
    import datasets
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return None
    try:
        get_session().head(constants.ENDPOINT, timeout=TIMEOUT_S)
    except Exception as error:  # the class depends on the HTTP library of this huggingface_hub version
        # Both packages copied the environment variable at import, and read only their copies.
        constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None
