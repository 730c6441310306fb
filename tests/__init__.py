"""Tests of Tollgate; the folders mirror the packages."""
