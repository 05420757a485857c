//! The protocol core, driven without a socket.
