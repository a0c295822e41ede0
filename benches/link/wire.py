"""A link between a client and a server: slow, and far."""

import queue
import socket
import threading
import time
from contextlib import suppress

CHUNK = 16 << 10


class Wire:
    """Listens on a port of this machine, and passes on what comes there. All connections share the link."""

    def __init__(self, server, rtt, mbit):
        """`rtt` in seconds, `mbit` in millions of bits a second in each direction."""
        self.server, self.half, self.rate = server, rtt / 2, mbit * 1e6 / 8
        self.free_at, self.lock = {"up": 0.0, "down": 0.0}, threading.Lock()
        self.connections = self.trips = 0
        self.bytes = {"up": 0, "down": 0}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(self.server)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
            heard = threading.Event()
            # MariaDB speaks first; a client that does waits for nothing yet.
            for way, source, sink in (("up", client, server), ("down", server, client)):
                # What is under way is bounded, as in real sockets.
                late = queue.Queue(64)
                threading.Thread(target=self._read, args=(way, source, late, heard), daemon=True).start()
                threading.Thread(target=self._write, args=(sink, late), daemon=True).start()

    def _read(self, way, source, late, heard):
        while True:
            try:
                data = source.recv(CHUNK)
            except OSError:
                data = b""
            with self.lock:
                self.bytes[way] += len(data)
                # A round trip ends where the client speaks after the server did.
                if way == "up" and data and heard.is_set():
                    self.trips += 1
                    heard.clear()
                elif way == "down" and data:
                    heard.set()
                self.free_at[way] = max(self.free_at[way], time.monotonic()) + len(data) / self.rate
                due = self.free_at[way] + self.half
            late.put((due, data))
            if not data:
                return

    @staticmethod
    def _write(sink, late):
        while True:
            due, data = late.get()
            time.sleep(max(0, due - time.monotonic()))
            with suppress(OSError):
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)

    def read(self):
        """What passed since the last time: connections, round trips, bytes up and down."""
        with self.lock:
            passed = self.connections, self.trips, self.bytes["up"], self.bytes["down"]
            self.connections = self.trips = 0
            self.bytes = {"up": 0, "down": 0}
        return passed
