"""What a house makes sure of before it starts anything."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from qingfang import config
from qingfang.config import Config
from qingfang.engine.house import check_listen, held
from qingfang.engine.supervisor import Failed
from qingfang.postgres import free_port


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on as gateway workers do, ready to share it."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def house(folder: Path, route: int, console: int) -> Config:
    file = folder / "qingfang.toml"
    file.write_text(
        f'[console]\nlisten = "127.0.0.1:{console}"\n'
        '[[database]]\nname = "his"\naddress = "127.0.0.1:5432"\ncatalogue = "his.json"\n'
        f'[[route]]\nname = "his"\ndatabase = "his"\nlisten = "127.0.0.1:{route}"\n'
    )
    return config.read(file)


def test_folders_belong_to_one_house(tmp_path: Path) -> None:
    state, run, other = tmp_path / "state", tmp_path / "run", tmp_path / "other"
    for folder in (state, run, other):
        folder.mkdir()
    with held(state, run):
        for folders in ((state, other), (other, run)):
            with pytest.raises(Failed, match="另一个 qingfang"), held(*folders):
                pass
    with held(other, run):
        pass


def test_a_port_of_another_house_is_not_shared(tmp_path: Path, taken: int) -> None:
    with pytest.raises(
        Failed, match=rf"route\[0\]\.listen：不能监听 127\.0\.0\.1:{taken}：端口已被"
    ):
        check_listen(house(tmp_path, taken, free_port()))


def test_a_console_port_in_use_is_named(tmp_path: Path, taken: int) -> None:
    asked = house(tmp_path, free_port(), taken)
    with pytest.raises(Failed, match=rf"console\.listen：不能监听 127\.0\.0\.1:{taken}：端口已被"):
        check_listen(asked)
    check_listen(asked, console=False)


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    asked = house(tmp_path, free_port(), free_port())
    moved = config.replace(asked.route[0], listen="192.0.2.7:15432")
    with pytest.raises(Failed, match="不是本机的地址"):
        check_listen(config.replace(asked, route=(moved,)))
