"""Text and vocabularies."""
