"""The pool's folders, while many pools start and end."""

from concurrent.futures import ThreadPoolExecutor

from infra.local.pool.folders import own_folders


def test_pools_that_start_at_once_leave_each_others_folders_alone() -> None:
    def start_and_end(number: int) -> str:
        with own_folders(None) as folders:
            for folder in (folders.run, folders.data, folders.incoming):
                (folder / "mine").write_text(str(number))
            return "".join((folder / "mine").read_text() for folder in (folders.run, folders.data, folders.incoming))

    with ThreadPoolExecutor(8) as starting:
        found = list(starting.map(start_and_end, range(800)))

    assert found == [str(number) * 3 for number in range(800)]
