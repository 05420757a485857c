//! A thousand clients of one server that dies and comes back.
