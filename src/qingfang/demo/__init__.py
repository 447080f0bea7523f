"""The synthetic hospital."""
