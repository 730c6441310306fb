"""Drives LangChain's package 0.3 in the same way as the newest one."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[1] / "langchain/drive.py"), run_name="__main__")
