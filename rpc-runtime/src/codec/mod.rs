//! MessagePack as generated code writes and reads it.
