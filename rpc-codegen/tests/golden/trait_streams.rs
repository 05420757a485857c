/// Streams of every kind.
pub trait Market: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Prices as they change.
    fn watch(
        &self,
        filter: Option<&str>,
    ) -> impl ::core::future::Future<
        Output = Result<
            impl Stream<Item = Result<Tick, Closed>> + ::core::marker::Send,
            Closed,
        >,
    > + ::core::marker::Send;
    fn count_to(&self, last: u32) -> impl Stream<Item = u32> + Send + use<'_, Self>;
    fn upload(
        &self,
        name: &str,
        chunks: Items<Vec<u8>>,
    ) -> impl ::core::future::Future<Output = u64> + ::core::marker::Send;
    fn check(
        &self,
        ticks: impl rpc_runtime::Stream<
            Item = Tick,
        > + ::core::marker::Send + ::core::marker::Unpin + 'static,
        ctx: &Context,
    ) -> impl ::core::future::Future<
        Output = Result<bool, Closed>,
    > + ::core::marker::Send;
    fn shout(
        &self,
        lines: rpc_runtime::Items<String>,
    ) -> impl Stream<Item = String> + ::core::marker::Send;
    fn trade(
        &self,
        limit: f64,
        orders: Items<Tick>,
    ) -> impl ::core::future::Future<
        Output = impl Stream<Item = Result<f64, Closed>> + ::core::marker::Send,
    > + ::core::marker::Send;
    fn opened(
        &self,
    ) -> impl ::core::future::Future<
        Output = Result<impl Stream<Item = u8> + ::core::marker::Send, Closed>,
    > + ::core::marker::Send;
    fn counter(
        &self,
        start: u64,
    ) -> impl ::core::future::Future<
        Output = Handle<CounterClient>,
    > + ::core::marker::Send;
    fn count(
        &self,
        counter: &Handle<CounterClient>,
        meter: Option<rpc_runtime::Handle<super::MeterClient>>,
    ) -> impl ::core::future::Future<
        Output = Result<u64, Closed>,
    > + ::core::marker::Send;
}
#[doc(hidden)]
#[derive(::core::fmt::Debug)]
pub struct __RpcMarket;
impl __RpcMarket {
    const SERVICE: &'static ::rpc_runtime::ServiceDescriptor = &::rpc_runtime::ServiceDescriptor {
        name: "acme.streams.v1.Market",
        fingerprint: 10557542359771176142u64,
        version: ::core::option::Option::None,
        docs: "Streams of every kind.",
        methods: &[
            ::rpc_runtime::MethodDescriptor {
                id: 1066905927981504u64,
                service: "acme.streams.v1.Market",
                name: "opened",
                wire_name: "opened",
                kind: ::rpc_runtime::MethodKind::ServerStream,
                oneway: false,
                idempotent: false,
                finish: false,
                timeout: ::core::option::Option::None,
                retry: ::core::option::Option::None,
                fingerprint: 17603980848499414509u64,
                signature: "() -> stream u8 throws Closed",
                served: true,
            },
            ::rpc_runtime::MethodDescriptor {
                id: 3974320489199246u64,
                service: "acme.streams.v1.Market",
                name: "upload",
                wire_name: "upload",
                kind: ::rpc_runtime::MethodKind::ClientStream,
                oneway: false,
                idempotent: false,
                finish: false,
                timeout: ::core::option::Option::None,
                retry: ::core::option::Option::None,
                fingerprint: 14401540352837218866u64,
                signature: "(name: string, chunks: stream bytes) -> u64",
                served: true,
            },
            ::rpc_runtime::MethodDescriptor {
                id: 4473862785668696u64,
                service: "acme.streams.v1.Market",
                name: "counter",
                wire_name: "counter",
                kind: ::rpc_runtime::MethodKind::Unary,
                oneway: false,
                idempotent: false,
                finish: false,
                timeout: ::core::option::Option::None,
                retry: ::core::option::Option::None,
                fingerprint: 8909499391108137987u64,
                signature: "(start: u64) -> handle<Counter>",
                served: true,
            },
            ::rpc_runtime::MethodDescriptor {
                id: 5330030167436115u64,
                service: "acme.streams.v1.Market",
                name: "trade",
                wire_name: "trade",
                kind: ::rpc_runtime::MethodKind::BidiStream,
                oneway: false,
                idempotent: false,
                finish: false,
                timeout: ::core::option::Option::None,
                retry: ::core::option::Option::None,
                fingerprint: 17831568358294206079u64,
                signature: "(limit: f64, orders: stream Tick) -> stream f64 throws Closed",
                served: true,
            },
            ::rpc_runtime::MethodDescriptor {
                id: 5571197814046446u64,
                service: "acme.streams.v1.Market",
                name: "count",
                wire_name: "count",
                kind: ::rpc_runtime::MethodKind::Unary,
                oneway: false,
                idempotent: false,
                finish: false,
                timeout: ::core::option::Option::None,
                retry: ::core::option::Option::None,
                fingerprint: 10911369769592063483u64,
                signature: "(counter: handle<Counter>, meter: handle<Meter>?) -> u64 throws Closed",
                served: true,
            },
            ::rpc_runtime::MethodDescriptor {
                id: 5846238981817405u64,
                service: "acme.streams.v1.Market",
                name: "check",
                wire_name: "check",
                kind: ::rpc_runtime::MethodKind::ClientStream,
                oneway: false,
                idempotent: false,
                finish: false,
                timeout: ::core::option::Option::None,
                retry: ::core::option::Option::None,
                fingerprint: 8132443590872035169u64,
                signature: "(ticks: stream Tick) -> bool throws Closed",
                served: true,
            },
            ::rpc_runtime::MethodDescriptor {
                id: 6251751749900316u64,
                service: "acme.streams.v1.Market",
                name: "watch",
                wire_name: "watch",
                kind: ::rpc_runtime::MethodKind::ServerStream,
                oneway: false,
                idempotent: false,
                finish: false,
                timeout: ::core::option::Option::None,
                retry: ::core::option::Option::None,
                fingerprint: 10040899026080857362u64,
                signature: "(filter: string?) -> stream Tick throws Closed",
                served: true,
            },
            ::rpc_runtime::MethodDescriptor {
                id: 8552913827416662u64,
                service: "acme.streams.v1.Market",
                name: "shout",
                wire_name: "shout",
                kind: ::rpc_runtime::MethodKind::BidiStream,
                oneway: false,
                idempotent: false,
                finish: false,
                timeout: ::core::option::Option::None,
                retry: ::core::option::Option::None,
                fingerprint: 480655048114108614u64,
                signature: "(lines: stream string) -> stream string",
                served: true,
            },
            ::rpc_runtime::MethodDescriptor {
                id: 8602767238459061u64,
                service: "acme.streams.v1.Market",
                name: "count_to",
                wire_name: "count_to",
                kind: ::rpc_runtime::MethodKind::ServerStream,
                oneway: false,
                idempotent: false,
                finish: false,
                timeout: ::core::option::Option::None,
                retry: ::core::option::Option::None,
                fingerprint: 3764278008184164466u64,
                signature: "(last: u32) -> stream u32",
                served: true,
            },
        ],
    };
    fn codec_0() -> ::rpc_runtime::__private::Codec<Tick> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<Tick>::new()).codec().of::<Tick>()
    }
    fn codec_1() -> ::rpc_runtime::__private::Codec<Closed> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<Closed>::new()).codec().of::<Closed>()
    }
    fn error_codec_2() -> ::rpc_runtime::__private::ErrorCodec<Closed> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaDeclared as _, ViaUndeclared as _};
        ::rpc_runtime::__private::ErrorCodec {
            codec: __RpcMarket::codec_1(),
            facts: (&::rpc_runtime::__private::Probe::<Closed>::new())
                .facts()
                .of::<Closed>(),
        }
    }
    fn codec_3() -> ::rpc_runtime::__private::Codec<u32> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<u32>::new()).codec().of::<u32>()
    }
    fn codec_4() -> ::rpc_runtime::__private::Codec<Vec<u8>> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<Vec<u8>>::new()).codec().of::<Vec<u8>>()
    }
    fn codec_5() -> ::rpc_runtime::__private::Codec<u64> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<u64>::new()).codec().of::<u64>()
    }
    fn codec_6() -> ::rpc_runtime::__private::Codec<bool> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<bool>::new()).codec().of::<bool>()
    }
    fn codec_7() -> ::rpc_runtime::__private::Codec<String> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<String>::new()).codec().of::<String>()
    }
    fn codec_8() -> ::rpc_runtime::__private::Codec<f64> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<f64>::new()).codec().of::<f64>()
    }
    fn codec_9() -> ::rpc_runtime::__private::Codec<u8> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<u8>::new()).codec().of::<u8>()
    }
    fn codec_10() -> ::rpc_runtime::__private::Codec<Handle<CounterClient>> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<Handle<CounterClient>>::new())
            .codec()
            .of::<Handle<CounterClient>>()
    }
    fn codec_11() -> ::rpc_runtime::__private::Codec<
        rpc_runtime::Handle<super::MeterClient>,
    > {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<
            rpc_runtime::Handle<super::MeterClient>,
        >::new())
            .codec()
            .of::<rpc_runtime::Handle<super::MeterClient>>()
    }
}
/// Serves an implementation of [`Market`] to remote callers.
pub struct MarketService<S>(::std::sync::Arc<S>);
impl<S> MarketService<S> {
    /// Serves `service`.
    pub fn new(service: S) -> Self {
        Self(::std::sync::Arc::new(service))
    }
    /// Serves a service that others hold too.
    pub fn from_arc(service: ::std::sync::Arc<S>) -> Self {
        Self(service)
    }
}
#[automatically_derived]
impl<S> ::core::clone::Clone for MarketService<S> {
    fn clone(&self) -> Self {
        Self(::std::sync::Arc::clone(&self.0))
    }
}
#[automatically_derived]
impl<S> ::core::fmt::Debug for MarketService<S> {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str(::core::stringify!(MarketService))
    }
}
#[automatically_derived]
impl<S: Market> ::rpc_runtime::__private::Skeleton for MarketService<S> {
    fn service(&self) -> &'static ::rpc_runtime::ServiceDescriptor {
        __RpcMarket::SERVICE
    }
    fn call(
        &self,
        __rpc_method: ::core::primitive::usize,
        __rpc_request: ::rpc_runtime::__private::Incoming,
    ) -> ::rpc_runtime::__private::Answer {
        match __rpc_method {
            0 => {
                let __rpc_service = ::std::sync::Arc::clone(&self.0);
                ::std::boxed::Box::pin(async move {
                    let __rpc_decoded = (|| {
                        let __rpc_args = __rpc_request.args(0)?;
                        __rpc_args.finish()?;
                        ::core::result::Result::Ok::<
                            _,
                            ::rpc_runtime::__private::DecodeError,
                        >(())
                    })();
                    let () = match __rpc_decoded {
                        ::core::result::Result::Ok(__rpc_decoded) => __rpc_decoded,
                        ::core::result::Result::Err(__rpc_error) => {
                            return __rpc_request.refuse(__rpc_error);
                        }
                    };
                    let __rpc_reply = <S as Market>::opened(&*__rpc_service).await;
                    let __rpc_outgoing = match __rpc_reply {
                        ::core::result::Result::Ok(__rpc_stream) => {
                            __rpc_request
                                .stream(__rpc_stream, __RpcMarket::codec_9())
                                .await
                        }
                        ::core::result::Result::Err(__rpc_error) => {
                            __rpc_request
                                .reply_error(&__rpc_error, __RpcMarket::error_codec_2())
                        }
                    };
                    __rpc_outgoing
                })
            }
            1 => {
                let __rpc_service = ::std::sync::Arc::clone(&self.0);
                ::std::boxed::Box::pin(async move {
                    let __rpc_decoded = (|| {
                        let mut __rpc_args = __rpc_request.args(1)?;
                        let __rpc_0 = __rpc_args
                            .borrowed::<&::core::primitive::str>("name")?;
                        __rpc_args.finish()?;
                        ::core::result::Result::Ok::<
                            _,
                            ::rpc_runtime::__private::DecodeError,
                        >((__rpc_0,))
                    })();
                    let (__rpc_0,) = match __rpc_decoded {
                        ::core::result::Result::Ok(__rpc_decoded) => __rpc_decoded,
                        ::core::result::Result::Err(__rpc_error) => {
                            return __rpc_request.refuse(__rpc_error);
                        }
                    };
                    let __rpc_reply = <S as Market>::upload(
                            &*__rpc_service,
                            __rpc_0,
                            __rpc_request.items(__RpcMarket::codec_4()),
                        )
                        .await;
                    __rpc_request.room().await;
                    __rpc_request.reply(&__rpc_reply, __RpcMarket::codec_5())
                })
            }
            2 => {
                let __rpc_service = ::std::sync::Arc::clone(&self.0);
                ::std::boxed::Box::pin(async move {
                    let __rpc_decoded = (|| {
                        let mut __rpc_args = __rpc_request.args(1)?;
                        let __rpc_0 = __rpc_args
                            .required("start", __RpcMarket::codec_5())?;
                        __rpc_args.finish()?;
                        ::core::result::Result::Ok::<
                            _,
                            ::rpc_runtime::__private::DecodeError,
                        >((__rpc_0,))
                    })();
                    let (__rpc_0,) = match __rpc_decoded {
                        ::core::result::Result::Ok(__rpc_decoded) => __rpc_decoded,
                        ::core::result::Result::Err(__rpc_error) => {
                            return __rpc_request.refuse(__rpc_error);
                        }
                    };
                    let __rpc_reply = <S as Market>::counter(&*__rpc_service, __rpc_0)
                        .await;
                    __rpc_request.room().await;
                    __rpc_request.reply(&__rpc_reply, __RpcMarket::codec_10())
                })
            }
            3 => {
                let __rpc_service = ::std::sync::Arc::clone(&self.0);
                ::std::boxed::Box::pin(async move {
                    let __rpc_decoded = (|| {
                        let mut __rpc_args = __rpc_request.args(1)?;
                        let __rpc_0 = __rpc_args
                            .required("limit", __RpcMarket::codec_8())?;
                        __rpc_args.finish()?;
                        ::core::result::Result::Ok::<
                            _,
                            ::rpc_runtime::__private::DecodeError,
                        >((__rpc_0,))
                    })();
                    let (__rpc_0,) = match __rpc_decoded {
                        ::core::result::Result::Ok(__rpc_decoded) => __rpc_decoded,
                        ::core::result::Result::Err(__rpc_error) => {
                            return __rpc_request.refuse(__rpc_error);
                        }
                    };
                    let __rpc_reply = <S as Market>::trade(
                            &*__rpc_service,
                            __rpc_0,
                            __rpc_request.items(__RpcMarket::codec_0()),
                        )
                        .await;
                    let __rpc_outgoing = __rpc_request
                        .stream_results(
                            __rpc_reply,
                            __RpcMarket::codec_8(),
                            __RpcMarket::error_codec_2(),
                        )
                        .await;
                    __rpc_outgoing
                })
            }
            4 => {
                let __rpc_service = ::std::sync::Arc::clone(&self.0);
                ::std::boxed::Box::pin(async move {
                    let __rpc_decoded = (|| {
                        let mut __rpc_args = __rpc_request.args(2)?;
                        let __rpc_0 = __rpc_args
                            .required("counter", __RpcMarket::codec_10())?;
                        let __rpc_1 = __rpc_args
                            .optional("meter", __RpcMarket::codec_11())?;
                        __rpc_args.finish()?;
                        ::core::result::Result::Ok::<
                            _,
                            ::rpc_runtime::__private::DecodeError,
                        >((__rpc_0, __rpc_1))
                    })();
                    let (__rpc_0, __rpc_1) = match __rpc_decoded {
                        ::core::result::Result::Ok(__rpc_decoded) => __rpc_decoded,
                        ::core::result::Result::Err(__rpc_error) => {
                            return __rpc_request.refuse(__rpc_error);
                        }
                    };
                    let __rpc_reply = <S as Market>::count(
                            &*__rpc_service,
                            &__rpc_0,
                            __rpc_1,
                        )
                        .await;
                    __rpc_request.room().await;
                    __rpc_request
                        .reply_result(
                            &__rpc_reply,
                            __RpcMarket::codec_5(),
                            __RpcMarket::error_codec_2(),
                        )
                })
            }
            5 => {
                let __rpc_service = ::std::sync::Arc::clone(&self.0);
                ::std::boxed::Box::pin(async move {
                    let __rpc_decoded = (|| {
                        let __rpc_args = __rpc_request.args(0)?;
                        __rpc_args.finish()?;
                        ::core::result::Result::Ok::<
                            _,
                            ::rpc_runtime::__private::DecodeError,
                        >(())
                    })();
                    let () = match __rpc_decoded {
                        ::core::result::Result::Ok(__rpc_decoded) => __rpc_decoded,
                        ::core::result::Result::Err(__rpc_error) => {
                            return __rpc_request.refuse(__rpc_error);
                        }
                    };
                    let __rpc_reply = <S as Market>::check(
                            &*__rpc_service,
                            __rpc_request.items(__RpcMarket::codec_0()).unbroken(),
                            __rpc_request.context(),
                        )
                        .await;
                    __rpc_request.room().await;
                    __rpc_request
                        .reply_result(
                            &__rpc_reply,
                            __RpcMarket::codec_6(),
                            __RpcMarket::error_codec_2(),
                        )
                })
            }
            6 => {
                let __rpc_service = ::std::sync::Arc::clone(&self.0);
                ::std::boxed::Box::pin(async move {
                    let __rpc_decoded = (|| {
                        let mut __rpc_args = __rpc_request.args(1)?;
                        let __rpc_0 = __rpc_args
                            .borrowed_optional::<&::core::primitive::str>("filter")?;
                        __rpc_args.finish()?;
                        ::core::result::Result::Ok::<
                            _,
                            ::rpc_runtime::__private::DecodeError,
                        >((__rpc_0,))
                    })();
                    let (__rpc_0,) = match __rpc_decoded {
                        ::core::result::Result::Ok(__rpc_decoded) => __rpc_decoded,
                        ::core::result::Result::Err(__rpc_error) => {
                            return __rpc_request.refuse(__rpc_error);
                        }
                    };
                    let __rpc_reply = <S as Market>::watch(&*__rpc_service, __rpc_0)
                        .await;
                    let __rpc_outgoing = match __rpc_reply {
                        ::core::result::Result::Ok(__rpc_stream) => {
                            __rpc_request
                                .stream_results(
                                    __rpc_stream,
                                    __RpcMarket::codec_0(),
                                    __RpcMarket::error_codec_2(),
                                )
                                .await
                        }
                        ::core::result::Result::Err(__rpc_error) => {
                            __rpc_request
                                .reply_error(&__rpc_error, __RpcMarket::error_codec_2())
                        }
                    };
                    __rpc_outgoing
                })
            }
            7 => {
                let __rpc_service = ::std::sync::Arc::clone(&self.0);
                ::std::boxed::Box::pin(async move {
                    let __rpc_decoded = (|| {
                        let __rpc_args = __rpc_request.args(0)?;
                        __rpc_args.finish()?;
                        ::core::result::Result::Ok::<
                            _,
                            ::rpc_runtime::__private::DecodeError,
                        >(())
                    })();
                    let () = match __rpc_decoded {
                        ::core::result::Result::Ok(__rpc_decoded) => __rpc_decoded,
                        ::core::result::Result::Err(__rpc_error) => {
                            return __rpc_request.refuse(__rpc_error);
                        }
                    };
                    let __rpc_reply = <S as Market>::shout(
                        &*__rpc_service,
                        __rpc_request.items(__RpcMarket::codec_7()),
                    );
                    let __rpc_outgoing = __rpc_request
                        .stream(__rpc_reply, __RpcMarket::codec_7())
                        .await;
                    __rpc_outgoing
                })
            }
            8 => {
                let __rpc_service = ::std::sync::Arc::clone(&self.0);
                ::std::boxed::Box::pin(async move {
                    let __rpc_decoded = (|| {
                        let mut __rpc_args = __rpc_request.args(1)?;
                        let __rpc_0 = __rpc_args
                            .required("last", __RpcMarket::codec_3())?;
                        __rpc_args.finish()?;
                        ::core::result::Result::Ok::<
                            _,
                            ::rpc_runtime::__private::DecodeError,
                        >((__rpc_0,))
                    })();
                    let (__rpc_0,) = match __rpc_decoded {
                        ::core::result::Result::Ok(__rpc_decoded) => __rpc_decoded,
                        ::core::result::Result::Err(__rpc_error) => {
                            return __rpc_request.refuse(__rpc_error);
                        }
                    };
                    let __rpc_reply = <S as Market>::count_to(&*__rpc_service, __rpc_0);
                    let __rpc_outgoing = __rpc_request
                        .stream(__rpc_reply, __RpcMarket::codec_3())
                        .await;
                    __rpc_outgoing
                })
            }
            _ => ::std::boxed::Box::pin(::core::future::ready(__rpc_request.unserved())),
        }
    }
}
#[automatically_derived]
impl<S: Market> ::rpc_runtime::__private::Serves<MarketClient> for MarketService<S> {}
/// Calls a remote [`Market`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct MarketClient {
    channel: ::rpc_runtime::Channel,
}
impl MarketClient {
    /// What is known of the service: its methods, their call IDs and fingerprints.
    pub const SERVICE: &'static ::rpc_runtime::ServiceDescriptor = __RpcMarket::SERVICE;
    /// Connects to the service at `address`, or to whichever of its instances a registry knows.
    ///
    /// # Errors
    ///
    /// Fails if the address makes no sense or nobody answers there.
    pub async fn connect(
        address: impl ::core::convert::AsRef<::core::primitive::str>,
    ) -> ::rpc_runtime::Result<Self> {
        let channel = ::rpc_runtime::Channel::connect_to(address.as_ref(), Self::SERVICE)
            .await?;
        ::core::result::Result::Ok(Self { channel })
    }
    /// Calls through a channel that is already there.
    #[must_use]
    pub fn new(channel: ::rpc_runtime::Channel) -> Self {
        Self { channel }
    }
    /// Where the calls go.
    #[must_use]
    pub fn channel(&self) -> &::rpc_runtime::Channel {
        &self.channel
    }
    /// Calls `opened`.
    #[inline]
    pub fn opened(&self) -> ::rpc_runtime::StreamCall<u8, Closed> {
        self.channel
            .stream(
                &__RpcMarket::SERVICE.methods[0],
                ::rpc_runtime::__private::Returns::result(
                    __RpcMarket::codec_9(),
                    __RpcMarket::error_codec_2(),
                ),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 0);
                },
            )
    }
    /// Calls `upload`.
    #[inline]
    pub fn upload(
        &self,
        name: &str,
        chunks: impl ::rpc_runtime::Stream<
            Item = Vec<u8>,
        > + ::core::marker::Send + 'static,
    ) -> ::rpc_runtime::Call<u64, ::core::convert::Infallible> {
        self.channel
            .upload(
                &__RpcMarket::SERVICE.methods[1],
                ::rpc_runtime::__private::Returns::plain(__RpcMarket::codec_5()),
                chunks,
                __RpcMarket::codec_4(),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    ::rpc_runtime::__private::Encode::encode(&name, __rpc_out);
                },
            )
    }
    /// Calls `counter`.
    #[inline]
    pub fn counter(
        &self,
        start: u64,
    ) -> ::rpc_runtime::Call<Handle<CounterClient>, ::core::convert::Infallible> {
        self.channel
            .call(
                &__RpcMarket::SERVICE.methods[2],
                ::rpc_runtime::__private::Returns::plain(__RpcMarket::codec_10()),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    (__RpcMarket::codec_5().encode)(&start, __rpc_out);
                },
            )
    }
    /// Calls `trade`.
    #[inline]
    pub fn trade(
        &self,
        limit: f64,
        orders: impl ::rpc_runtime::Stream<Item = Tick> + ::core::marker::Send + 'static,
    ) -> ::rpc_runtime::StreamCall<f64, Closed> {
        self.channel
            .exchange(
                &__RpcMarket::SERVICE.methods[3],
                ::rpc_runtime::__private::Returns::result(
                    __RpcMarket::codec_8(),
                    __RpcMarket::error_codec_2(),
                ),
                orders,
                __RpcMarket::codec_0(),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    (__RpcMarket::codec_8().encode)(&limit, __rpc_out);
                },
            )
    }
    /// Calls `count`.
    #[inline]
    pub fn count(
        &self,
        counter: &Handle<CounterClient>,
        meter: Option<rpc_runtime::Handle<super::MeterClient>>,
    ) -> ::rpc_runtime::Call<u64, Closed> {
        self.channel
            .call(
                &__RpcMarket::SERVICE.methods[4],
                ::rpc_runtime::__private::Returns::result(
                    __RpcMarket::codec_5(),
                    __RpcMarket::error_codec_2(),
                ),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 2);
                    (__RpcMarket::codec_10().encode)(counter, __rpc_out);
                    match &meter {
                        ::core::option::Option::Some(__rpc_value) => {
                            (__RpcMarket::codec_11().encode)(__rpc_value, __rpc_out)
                        }
                        ::core::option::Option::None => {
                            ::rpc_runtime::__private::write::nil(__rpc_out)
                        }
                    }
                },
            )
    }
    /// Calls `check`.
    #[inline]
    pub fn check(
        &self,
        ticks: impl ::rpc_runtime::Stream<Item = Tick> + ::core::marker::Send + 'static,
    ) -> ::rpc_runtime::Call<bool, Closed> {
        self.channel
            .upload(
                &__RpcMarket::SERVICE.methods[5],
                ::rpc_runtime::__private::Returns::result(
                    __RpcMarket::codec_6(),
                    __RpcMarket::error_codec_2(),
                ),
                ticks,
                __RpcMarket::codec_0(),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 0);
                },
            )
    }
    /// Prices as they change.
    #[inline]
    pub fn watch(
        &self,
        filter: Option<&str>,
    ) -> ::rpc_runtime::StreamCall<Tick, Closed> {
        self.channel
            .stream(
                &__RpcMarket::SERVICE.methods[6],
                ::rpc_runtime::__private::Returns::result(
                    __RpcMarket::codec_0(),
                    __RpcMarket::error_codec_2(),
                ),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    ::rpc_runtime::__private::Encode::encode(&filter, __rpc_out);
                },
            )
    }
    /// Calls `shout`.
    #[inline]
    pub fn shout(
        &self,
        lines: impl ::rpc_runtime::Stream<Item = String> + ::core::marker::Send + 'static,
    ) -> ::rpc_runtime::StreamCall<String, ::core::convert::Infallible> {
        self.channel
            .exchange(
                &__RpcMarket::SERVICE.methods[7],
                ::rpc_runtime::__private::Returns::plain(__RpcMarket::codec_7()),
                lines,
                __RpcMarket::codec_7(),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 0);
                },
            )
    }
    /// Calls `count_to`.
    #[inline]
    pub fn count_to(
        &self,
        last: u32,
    ) -> ::rpc_runtime::StreamCall<u32, ::core::convert::Infallible> {
        self.channel
            .stream(
                &__RpcMarket::SERVICE.methods[8],
                ::rpc_runtime::__private::Returns::plain(__RpcMarket::codec_3()),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    (__RpcMarket::codec_3().encode)(&last, __rpc_out);
                },
            )
    }
}
#[automatically_derived]
impl ::rpc_runtime::Client for MarketClient {
    const SERVICE: &'static ::rpc_runtime::ServiceDescriptor = __RpcMarket::SERVICE;
}
#[automatically_derived]
impl ::core::convert::From<::rpc_runtime::Channel> for MarketClient {
    fn from(channel: ::rpc_runtime::Channel) -> Self {
        Self { channel }
    }
}
#[automatically_derived]
impl ::core::convert::AsRef<::rpc_runtime::Channel> for MarketClient {
    fn as_ref(&self) -> &::rpc_runtime::Channel {
        &self.channel
    }
}
/// Calls, from threads that may wait, a remote [`Market`].
///
/// Not here, because they carry objects by reference, which only [`MarketClient`] can: `counter`, `count`.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct MarketBlockingClient {
    channel: ::rpc_runtime::BlockingChannel,
}
impl MarketBlockingClient {
    /// What is known of the service: its methods, their call IDs and fingerprints.
    pub const SERVICE: &'static ::rpc_runtime::ServiceDescriptor = __RpcMarket::SERVICE;
    /// Connects to the service at `address`, or to whichever of its instances a registry knows.
    ///
    /// # Errors
    ///
    /// Fails if the address makes no sense or nobody answers there.
    pub fn connect(
        address: impl ::core::convert::AsRef<::core::primitive::str>,
    ) -> ::rpc_runtime::Result<Self> {
        let channel = ::rpc_runtime::BlockingChannel::connect_to(
            address.as_ref(),
            Self::SERVICE,
        )?;
        ::core::result::Result::Ok(Self { channel })
    }
    /// Calls through a channel that is already there.
    #[must_use]
    pub fn new(channel: ::rpc_runtime::BlockingChannel) -> Self {
        Self { channel }
    }
    /// Where the calls go.
    #[must_use]
    pub fn channel(&self) -> &::rpc_runtime::BlockingChannel {
        &self.channel
    }
    /// A client whose calls have these options, such as a deadline.
    #[must_use]
    pub fn with_options(&self, options: ::rpc_runtime::CallOptions) -> Self {
        Self {
            channel: self.channel.with_options(options),
        }
    }
    /// Calls `opened`.
    #[inline]
    pub fn opened(
        &self,
    ) -> ::core::result::Result<
        ::rpc_runtime::BlockingItems<u8, Closed>,
        ::rpc_runtime::CallError<Closed>,
    > {
        self.channel
            .stream(
                &__RpcMarket::SERVICE.methods[0],
                ::rpc_runtime::__private::Returns::result(
                    __RpcMarket::codec_9(),
                    __RpcMarket::error_codec_2(),
                ),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 0);
                },
            )
    }
    /// Calls `upload`.
    #[inline]
    pub fn upload(
        &self,
        name: &str,
        chunks: impl ::core::iter::IntoIterator<Item = Vec<u8>>,
    ) -> ::core::result::Result<
        u64,
        ::rpc_runtime::CallError<::core::convert::Infallible>,
    > {
        self.channel
            .upload(
                &__RpcMarket::SERVICE.methods[1],
                ::rpc_runtime::__private::Returns::plain(__RpcMarket::codec_5()),
                chunks,
                __RpcMarket::codec_4(),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    ::rpc_runtime::__private::Encode::encode(&name, __rpc_out);
                },
            )
    }
    /// Calls `trade`.
    #[inline]
    pub fn trade(
        &self,
        limit: f64,
    ) -> ::core::result::Result<
        ::rpc_runtime::BlockingExchange<Tick, f64, Closed>,
        ::rpc_runtime::CallError<Closed>,
    > {
        self.channel
            .exchange(
                &__RpcMarket::SERVICE.methods[3],
                ::rpc_runtime::__private::Returns::result(
                    __RpcMarket::codec_8(),
                    __RpcMarket::error_codec_2(),
                ),
                __RpcMarket::codec_0(),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    (__RpcMarket::codec_8().encode)(&limit, __rpc_out);
                },
            )
    }
    /// Calls `check`.
    #[inline]
    pub fn check(
        &self,
        ticks: impl ::core::iter::IntoIterator<Item = Tick>,
    ) -> ::core::result::Result<bool, ::rpc_runtime::CallError<Closed>> {
        self.channel
            .upload(
                &__RpcMarket::SERVICE.methods[5],
                ::rpc_runtime::__private::Returns::result(
                    __RpcMarket::codec_6(),
                    __RpcMarket::error_codec_2(),
                ),
                ticks,
                __RpcMarket::codec_0(),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 0);
                },
            )
    }
    /// Prices as they change.
    #[inline]
    pub fn watch(
        &self,
        filter: Option<&str>,
    ) -> ::core::result::Result<
        ::rpc_runtime::BlockingItems<Tick, Closed>,
        ::rpc_runtime::CallError<Closed>,
    > {
        self.channel
            .stream(
                &__RpcMarket::SERVICE.methods[6],
                ::rpc_runtime::__private::Returns::result(
                    __RpcMarket::codec_0(),
                    __RpcMarket::error_codec_2(),
                ),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    ::rpc_runtime::__private::Encode::encode(&filter, __rpc_out);
                },
            )
    }
    /// Calls `shout`.
    #[inline]
    pub fn shout(
        &self,
    ) -> ::core::result::Result<
        ::rpc_runtime::BlockingExchange<String, String, ::core::convert::Infallible>,
        ::rpc_runtime::CallError<::core::convert::Infallible>,
    > {
        self.channel
            .exchange(
                &__RpcMarket::SERVICE.methods[7],
                ::rpc_runtime::__private::Returns::plain(__RpcMarket::codec_7()),
                __RpcMarket::codec_7(),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 0);
                },
            )
    }
    /// Calls `count_to`.
    #[inline]
    pub fn count_to(
        &self,
        last: u32,
    ) -> ::core::result::Result<
        ::rpc_runtime::BlockingItems<u32, ::core::convert::Infallible>,
        ::rpc_runtime::CallError<::core::convert::Infallible>,
    > {
        self.channel
            .stream(
                &__RpcMarket::SERVICE.methods[8],
                ::rpc_runtime::__private::Returns::plain(__RpcMarket::codec_3()),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    (__RpcMarket::codec_3().encode)(&last, __rpc_out);
                },
            )
    }
}
#[automatically_derived]
impl ::core::convert::From<::rpc_runtime::BlockingChannel> for MarketBlockingClient {
    fn from(channel: ::rpc_runtime::BlockingChannel) -> Self {
        Self { channel }
    }
}
#[automatically_derived]
impl ::core::convert::AsRef<::rpc_runtime::BlockingChannel> for MarketBlockingClient {
    fn as_ref(&self) -> &::rpc_runtime::BlockingChannel {
        &self.channel
    }
}
