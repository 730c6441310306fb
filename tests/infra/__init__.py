"""Tests of what runs Tollgate on a laptop."""
