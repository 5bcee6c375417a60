//! Listeners.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Connections that may wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// One listener for each thread, all on one address. With port 0 the system picks one, the same for all.
pub(crate) fn listeners(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    // With SO_REUSEPORT alone, a second server of the same user would get a share of the first one's connections.
    // A socket without it is refused where anyone listens already, so that one is bound first.
    let probe = socket(address, false)?;
    let address = probe.local_addr()?.as_socket().unwrap_or(address);
    drop(probe);
    (0..count)
        .map(|_| {
            let socket = socket(address, true)?;
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        })
        .collect()
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if !shared {
        // Linux reports a listener of others only when one listens, too.
        socket.listen(1)?;
    }
    Ok(socket)
}
