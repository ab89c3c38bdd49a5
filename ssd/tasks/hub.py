"""Do without the Hub at once where it cannot be reached, instead of after half a minute of announced retries."""

from __future__ import annotations

TIMEOUT_S = 5


def go_offline_if_unreachable() -> str | None:
    """Ask the Hub for a sign of life; without one, use only what earlier runs have downloaded, and return why."""
    import datasets
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return None
    try:
        get_session().head(constants.ENDPOINT, timeout=TIMEOUT_S)
    except Exception as error:  # whose class depends on the HTTP library that this huggingface_hub happens to use
        # Each has copied the environment variable when it was imported, and reads its copy from then on.
        constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None
