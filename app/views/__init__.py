"""Pages, one a folder, each a straight line: choose → read → measure → draw. No SQL and no arithmetic here."""

from typing import NamedTuple


class Listed(NamedTuple):
    """A page in the navigation: its folder here, title and icon."""

    name: str
    title: str
    icon: str

    @property
    def path(self) -> str:
        """Its path in addresses; the first page has none."""
        return "" if self is PAGES[0] else self.name.replace("_", "-")


PAGES = (  # in the order of the navigation; Streamlit would show a string
    Listed("overview", "Overview", "flag"),
    Listed("choose", "Choose", "how_to_vote"),
    Listed("explore", "Explore", "scatter_plot"),
    Listed("measures", "Measures", "leaderboard"),
    Listed("test_sets", "Test sets", "grid_on"),
    Listed("audit", "Audit", "fact_check"),
    Listed("overoptimisation", "Overoptimisation", "trending_down"),
    Listed("reward_models", "Reward models", "grading"),
    Listed("responses", "Responses", "forum"),
    Listed("runs", "Runs", "list_alt"),
)
