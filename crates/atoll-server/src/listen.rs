//! Listeners.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Connections that may wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// One listener for each thread, all on one address. With port 0 the system picks one, the same for all.
///
/// With `SO_REUSEPORT` alone, a second server of the same user would get a share of the first one's connections. So the
/// first listener is made without it, which is refused where anyone listens already, and opens itself to the others only
/// then. It stays: whoever connects meanwhile is served by it.
pub(crate) fn listeners(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let first = socket(address, false)?;
    first.listen(BACKLOG)?;
    let address = first.local_addr()?.as_socket().unwrap_or(address);
    if count > 1 {
        first.set_reuse_port(true)?;
    }
    let mut listeners = Vec::with_capacity(count);
    for _ in 1..count {
        let joined = socket(address, true).and_then(|socket| socket.listen(BACKLOG).map(|()| socket));
        // Where a system doesn't let others join later, threads take turns at the same one.
        listeners.push(joined.or_else(|_| first.try_clone())?.into());
    }
    listeners.push(first.into());
    Ok(listeners)
}

/// A listener of its own.
pub(crate) fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address, false)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpStream};

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn the_listeners_share_what_comes_and_nobody_else_joins() {
        let listeners = listeners(ANY, 3).expect("a free port");
        let address = listeners[0].local_addr().expect("an address");
        assert!(listeners.iter().all(|listener| listener.local_addr().is_ok_and(|other| other == address)));
        let second = super::listeners(address, 2).expect_err("a second server");
        assert_eq!(second.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(listener(address).expect_err("a second server").kind(), io::ErrorKind::AddrInUse);
        let clients: Vec<TcpStream> = (0..90).map(|_| TcpStream::connect(address).expect("someone listens")).collect();
        let accepted = listeners.iter().map(|listener| std::iter::from_fn(|| listener.accept().ok()).count());
        let accepted: Vec<usize> = accepted.collect();
        assert_eq!(accepted.iter().sum::<usize>(), clients.len(), "{accepted:?}");
        if cfg!(target_os = "linux") {
            assert!(accepted.iter().all(|count| *count > 0), "{accepted:?}");
        }
    }

    #[test]
    fn whoever_connects_while_a_server_starts_is_served() {
        // The port is known beforehand, and clients knock at it all the time.
        let address = listener(ANY).and_then(|listener| listener.local_addr()).expect("a free port");
        let knocking = std::thread::spawn(move || {
            loop {
                if let Ok(client) = TcpStream::connect(address) {
                    return client;
                }
            }
        });
        let listeners = listeners(address, 4).expect("the port is free again");
        let client = knocking.join().expect("no panic");
        let from = client.local_addr().expect("an address");
        let accepted = listeners.iter().find_map(|listener| listener.accept().ok());
        assert_eq!(accepted.expect("the connection waits").1, from);
    }
}
