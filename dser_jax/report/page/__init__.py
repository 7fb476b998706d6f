"""A report as one HTML file to open, mail or publish, which reads nothing from a network."""

from dser_jax.report.page.runs import Cache
from dser_jax.report.page.writing import default_file, write_page

__all__ = ["Cache", "default_file", "write_page"]
