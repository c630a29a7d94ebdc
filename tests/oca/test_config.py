"""The appliance's settings: what does not fit together is said with its place."""

import pytest

from control.kit.errors import ConfigError
from oca.config import SOCKET_PATH_LIMIT, load

BASE = "appliance: a1\nurl: http://a1\nrun_dir: {run}\ndisks:\n  - {{id: d1, path: one}}\n"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("  - {id: d1, path: two}", "disks[1].id: 'd1' is given to two disks"),
        ("  - {id: d2, path: ./one}", "disks[1].path: one is given to two disks"),
        ("  - {id: d2, path: two, capacity: 1GB, reserve: 1GB}", "disks[1].reserve: must be less than"),
        ("serves: [10.0.0.0/8, 300.0.0.0/8]", "serves[1]: "),
        ("serves: [10.0.0.1/8]", "serves[0]: 10.0.0.1/8 has host bits set"),
        ("url: http://twice", "url: given twice"),
        ("workers: 0", "workers: "),
        ("log_level: loud", "log_level: "),
        ("front: {max_conections: 5}", "unknown key; known here: max_connections"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, more, words):
    file = tmp_path / "appliance.yaml"
    file.write_text(BASE.format(run="run") + more + "\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(file))


def test_a_run_directory_too_deep_for_a_socket_is_refused_before_anything_starts(tmp_path):
    file = tmp_path / "appliance.yaml"
    file.write_text(BASE.format(run="x" * SOCKET_PATH_LIMIT))
    with pytest.raises(ConfigError, match="too long for a Unix socket"):
        load(file)
