//! How long the kernel tries to bring bytes to a peer that does not confirm them.

use std::time::Duration;

/// Sets the time after which a connection breaks whose peer confirms nothing, or takes nothing. Connections that a listener
/// accepts have what it has. Only Linux and its kin know this; elsewhere PING alone finds out. A kernel that refuses is no
/// reason to do without the connection.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
pub(super) fn set<'s, S>(socket: &'s S, patience: Duration)
where
    socket2::SockRef<'s>: From<&'s S>,
{
    // Zero would mean the kernel's own default, which is a quarter of an hour.
    let patience = patience.max(Duration::from_millis(1));
    let _ = socket2::SockRef::from(socket).set_tcp_user_timeout(Some(patience));
}

#[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
pub(super) fn set<S>(_: &S, _: Duration) {}
