//! The service of gRPC's interoperability tests, generated from `idl/test_service.idl`; the cases are in `tests/`.

rpc_runtime::include_idl!();
