#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ports of one network namespace in another, without a network: over sockets in a directory.

tunnel.py out DIR PORT…: what connects to DIR/PORT comes to 127.0.0.1:PORT here
tunnel.py in DIR PORT…:  what connects to 127.0.0.1:PORT here goes to DIR/PORT (and `lo` is put up first)

Says "ready" when it listens. A host whose tunnel is stopped or killed is cut off, and nobody else."""
import asyncio
import fcntl
import os
import socket
import struct
import sys


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack('16sh', b'lo', 0x1 | 0x40) + bytes(16))  # SIOCSIFFLAGS, up and running


async def pump(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()


async def main(way, directory, ports):
    def answer(port):
        path = f'{directory}/{port}'

        async def connected(reader, writer):
            try:
                there = await (asyncio.open_connection('127.0.0.1', port) if way == 'out' else asyncio.open_unix_connection(path))
                await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))
                there[1].close()
            except OSError:
                pass
            writer.close()
        return asyncio.start_unix_server(connected, path, backlog=512) if way == 'out' else \
            asyncio.start_server(connected, '127.0.0.1', port, backlog=512)

    servers = [await answer(int(port)) for port in ports]
    print('ready', flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == '__main__':
    if sys.argv[1] == 'in':
        raise_loopback()
    if sys.argv[1] == 'out':
        os.makedirs(sys.argv[2], mode=0o700, exist_ok=True)
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
    except KeyboardInterrupt:
        pass
