"""Who holds the other end of a connection."""

import os
import socket
import sys
from contextlib import closing

import pytest

from selflow.web.peers import Peers, peer_of, uid_of


def test_a_peer_holds_no_more_than_its_bound() -> None:
    peers = Peers(max_connections=2)

    assert [peers.enter("uid 1") for _ in range(3)] == [True, True, False]
    assert peers.enter("uid 2")
    peers.leave("uid 1")
    assert peers.enter("uid 1")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a socket")
def test_the_account_behind_a_connection_is_known() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        client = socket.create_connection(server.getsockname())
        taken, address = server.accept()
        with closing(client), closing(taken):
            assert uid_of(address, taken.getsockname()) == os.getuid()


def test_a_peer_without_an_account_is_its_address() -> None:
    assert peer_of(("127.0.0.1", 1), ("127.0.0.1", 1)) == "127.0.0.1"
