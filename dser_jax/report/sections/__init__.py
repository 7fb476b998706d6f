"""What stands between the tables and the figures of a report: leaks, the paper, a search."""
