/// Says hello.
pub trait Greeter: ::core::marker::Send + ::core::marker::Sync + 'static {
    /// Greets by name.
    fn hello(
        &self,
        name: &str,
    ) -> impl ::core::future::Future<Output = String> + ::core::marker::Send;
    fn count(&self, words: Vec<String>, limit: Option<u32>) -> Result<u64, CountError>;
    fn touch(
        &self,
        context: &Context,
        items: &[Item],
    ) -> impl ::core::future::Future<Output = ()> + ::core::marker::Send;
}
#[doc(hidden)]
#[derive(::core::fmt::Debug)]
pub struct __RpcGreeter;
impl __RpcGreeter {
    const SERVICE: &'static ::rpc_runtime::ServiceDescriptor = &::rpc_runtime::ServiceDescriptor {
        name: "acme.v1.Greeter",
        fingerprint: 13826370117511732511u64,
        version: ::core::option::Option::None,
        docs: "Says hello.",
        methods: &[
            ::rpc_runtime::MethodDescriptor {
                id: 1040056816172970u64,
                service: "acme.v1.Greeter",
                name: "count",
                wire_name: "count",
                kind: ::rpc_runtime::MethodKind::Unary,
                oneway: false,
                idempotent: true,
                finish: false,
                timeout: ::core::option::Option::Some(
                    ::core::time::Duration::from_nanos(2000000000u64),
                ),
                retry: ::core::option::Option::Some(::rpc_runtime::MethodRetry {
                    max_attempts: 4u32,
                    on: &[],
                    first_pause: ::core::option::Option::None,
                }),
                fingerprint: 17428567658918934889u64,
                signature: "(words: list<string>, limit: u32?) -> u64 throws CountError",
                served: true,
            },
            ::rpc_runtime::MethodDescriptor {
                id: 1392331273001971u64,
                service: "acme.v1.Greeter",
                name: "touch",
                wire_name: "touch",
                kind: ::rpc_runtime::MethodKind::Unary,
                oneway: true,
                idempotent: false,
                finish: false,
                timeout: ::core::option::Option::None,
                retry: ::core::option::Option::None,
                fingerprint: 17042380176033877528u64,
                signature: "(items: list<Item>)",
                served: true,
            },
            ::rpc_runtime::MethodDescriptor {
                id: 1702096545503447u64,
                service: "acme.v1.Greeter",
                name: "hello",
                wire_name: "hello",
                kind: ::rpc_runtime::MethodKind::Unary,
                oneway: false,
                idempotent: false,
                finish: false,
                timeout: ::core::option::Option::None,
                retry: ::core::option::Option::None,
                fingerprint: 7108795108077113112u64,
                signature: "(name: string) -> string",
                served: true,
            },
        ],
    };
    fn codec_0() -> ::rpc_runtime::__private::Codec<String> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<String>::new()).codec().of::<String>()
    }
    fn codec_1() -> ::rpc_runtime::__private::Codec<Vec<String>> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<Vec<String>>::new())
            .codec()
            .of::<Vec<String>>()
    }
    fn codec_2() -> ::rpc_runtime::__private::Codec<u32> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<u32>::new()).codec().of::<u32>()
    }
    fn codec_3() -> ::rpc_runtime::__private::Codec<u64> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<u64>::new()).codec().of::<u64>()
    }
    fn codec_4() -> ::rpc_runtime::__private::Codec<CountError> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<CountError>::new())
            .codec()
            .of::<CountError>()
    }
    fn error_codec_5() -> ::rpc_runtime::__private::ErrorCodec<CountError> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaDeclared as _, ViaUndeclared as _};
        ::rpc_runtime::__private::ErrorCodec {
            codec: __RpcGreeter::codec_4(),
            facts: (&::rpc_runtime::__private::Probe::<CountError>::new())
                .facts()
                .of::<CountError>(),
        }
    }
    fn codec_6() -> ::rpc_runtime::__private::Codec<Item> {
        #[allow(unused_imports, reason = "which of the two is used depends on the type")]
        use ::rpc_runtime::__private::{ViaSerde as _, ViaWire as _};
        (&::rpc_runtime::__private::Probe::<Item>::new()).codec().of::<Item>()
    }
}
/// Serves an implementation of [`Greeter`] to remote callers.
pub struct GreeterService<S>(::std::sync::Arc<S>);
impl<S> GreeterService<S> {
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
impl<S> ::core::clone::Clone for GreeterService<S> {
    fn clone(&self) -> Self {
        Self(::std::sync::Arc::clone(&self.0))
    }
}
#[automatically_derived]
impl<S> ::core::fmt::Debug for GreeterService<S> {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str(::core::stringify!(GreeterService))
    }
}
#[automatically_derived]
impl<S: Greeter> ::rpc_runtime::__private::Skeleton for GreeterService<S> {
    fn service(&self) -> &'static ::rpc_runtime::ServiceDescriptor {
        __RpcGreeter::SERVICE
    }
    fn call(
        &self,
        __rpc_method: ::core::primitive::usize,
        __rpc_request: ::rpc_runtime::__private::Incoming,
    ) -> ::rpc_runtime::__private::Answer {
        match __rpc_method {
            0 => {
                let __rpc_service = ::std::sync::Arc::clone(&self.0);
                __rpc_request
                    .blocking(move |__rpc_request| {
                        let __rpc_decoded = (|| {
                            let mut __rpc_args = __rpc_request.args(2)?;
                            let __rpc_0 = __rpc_args
                                .required("words", __RpcGreeter::codec_1())?;
                            let __rpc_1 = __rpc_args
                                .optional("limit", __RpcGreeter::codec_2())?;
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
                        let __rpc_reply = <S as Greeter>::count(
                            &*__rpc_service,
                            __rpc_0,
                            __rpc_1,
                        );
                        __rpc_request
                            .reply_result(
                                &__rpc_reply,
                                __RpcGreeter::codec_3(),
                                __RpcGreeter::error_codec_5(),
                            )
                    })
            }
            1 => {
                let __rpc_service = ::std::sync::Arc::clone(&self.0);
                ::std::boxed::Box::pin(async move {
                    let __rpc_decoded = (|| {
                        let mut __rpc_args = __rpc_request.args(1)?;
                        let __rpc_0 = __rpc_args.list("items", __RpcGreeter::codec_6())?;
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
                    let __rpc_reply = <S as Greeter>::touch(
                            &*__rpc_service,
                            __rpc_request.context(),
                            &__rpc_0,
                        )
                        .await;
                    let () = __rpc_reply;
                    __rpc_request.done()
                })
            }
            2 => {
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
                    let __rpc_reply = <S as Greeter>::hello(&*__rpc_service, __rpc_0)
                        .await;
                    __rpc_request.room().await;
                    __rpc_request.reply(&__rpc_reply, __RpcGreeter::codec_0())
                })
            }
            _ => ::std::boxed::Box::pin(::core::future::ready(__rpc_request.unserved())),
        }
    }
}
#[automatically_derived]
impl<S: Greeter> ::rpc_runtime::__private::Serves<GreeterClient> for GreeterService<S> {}
/// Calls a remote [`Greeter`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct GreeterClient {
    channel: ::rpc_runtime::Channel,
}
impl GreeterClient {
    /// What is known of the service: its methods, their call IDs and fingerprints.
    pub const SERVICE: &'static ::rpc_runtime::ServiceDescriptor = __RpcGreeter::SERVICE;
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
    /// Calls `count`.
    #[inline]
    pub fn count(
        &self,
        words: Vec<String>,
        limit: Option<u32>,
    ) -> ::rpc_runtime::Call<u64, CountError> {
        self.channel
            .call(
                &__RpcGreeter::SERVICE.methods[0],
                ::rpc_runtime::__private::Returns::result(
                    __RpcGreeter::codec_3(),
                    __RpcGreeter::error_codec_5(),
                ),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 2);
                    (__RpcGreeter::codec_1().encode)(&words, __rpc_out);
                    match &limit {
                        ::core::option::Option::Some(__rpc_value) => {
                            (__RpcGreeter::codec_2().encode)(__rpc_value, __rpc_out)
                        }
                        ::core::option::Option::None => {
                            ::rpc_runtime::__private::write::nil(__rpc_out)
                        }
                    }
                },
            )
    }
    /// Calls `touch`.
    #[inline]
    pub fn touch(&self, items: &[Item]) -> ::rpc_runtime::OneWay {
        self.channel
            .one_way(
                &__RpcGreeter::SERVICE.methods[1],
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    (__RpcGreeter::codec_6().encode_list)(items, __rpc_out);
                },
            )
    }
    /// Greets by name.
    #[inline]
    pub fn hello(
        &self,
        name: &str,
    ) -> ::rpc_runtime::Call<String, ::core::convert::Infallible> {
        self.channel
            .call(
                &__RpcGreeter::SERVICE.methods[2],
                ::rpc_runtime::__private::Returns::plain(__RpcGreeter::codec_0()),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    ::rpc_runtime::__private::Encode::encode(&name, __rpc_out);
                },
            )
    }
}
#[automatically_derived]
impl ::rpc_runtime::Client for GreeterClient {
    const SERVICE: &'static ::rpc_runtime::ServiceDescriptor = __RpcGreeter::SERVICE;
}
#[automatically_derived]
impl ::core::convert::From<::rpc_runtime::Channel> for GreeterClient {
    fn from(channel: ::rpc_runtime::Channel) -> Self {
        Self { channel }
    }
}
#[automatically_derived]
impl ::core::convert::AsRef<::rpc_runtime::Channel> for GreeterClient {
    fn as_ref(&self) -> &::rpc_runtime::Channel {
        &self.channel
    }
}
/// Calls, from threads that may wait, a remote [`Greeter`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
pub struct GreeterBlockingClient {
    channel: ::rpc_runtime::BlockingChannel,
}
impl GreeterBlockingClient {
    /// What is known of the service: its methods, their call IDs and fingerprints.
    pub const SERVICE: &'static ::rpc_runtime::ServiceDescriptor = __RpcGreeter::SERVICE;
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
    /// Calls `count`.
    #[inline]
    pub fn count(
        &self,
        words: Vec<String>,
        limit: Option<u32>,
    ) -> ::core::result::Result<u64, ::rpc_runtime::CallError<CountError>> {
        self.channel
            .call(
                &__RpcGreeter::SERVICE.methods[0],
                ::rpc_runtime::__private::Returns::result(
                    __RpcGreeter::codec_3(),
                    __RpcGreeter::error_codec_5(),
                ),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 2);
                    (__RpcGreeter::codec_1().encode)(&words, __rpc_out);
                    match &limit {
                        ::core::option::Option::Some(__rpc_value) => {
                            (__RpcGreeter::codec_2().encode)(__rpc_value, __rpc_out)
                        }
                        ::core::option::Option::None => {
                            ::rpc_runtime::__private::write::nil(__rpc_out)
                        }
                    }
                },
            )
    }
    /// Calls `touch`.
    #[inline]
    pub fn touch(&self, items: &[Item]) -> ::rpc_runtime::Result<()> {
        self.channel
            .one_way(
                &__RpcGreeter::SERVICE.methods[1],
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    (__RpcGreeter::codec_6().encode_list)(items, __rpc_out);
                },
            )
    }
    /// Greets by name.
    #[inline]
    pub fn hello(
        &self,
        name: &str,
    ) -> ::core::result::Result<
        String,
        ::rpc_runtime::CallError<::core::convert::Infallible>,
    > {
        self.channel
            .call(
                &__RpcGreeter::SERVICE.methods[2],
                ::rpc_runtime::__private::Returns::plain(__RpcGreeter::codec_0()),
                |__rpc_out| {
                    ::rpc_runtime::__private::write::array(__rpc_out, 1);
                    ::rpc_runtime::__private::Encode::encode(&name, __rpc_out);
                },
            )
    }
}
#[automatically_derived]
impl ::core::convert::From<::rpc_runtime::BlockingChannel> for GreeterBlockingClient {
    fn from(channel: ::rpc_runtime::BlockingChannel) -> Self {
        Self { channel }
    }
}
#[automatically_derived]
impl ::core::convert::AsRef<::rpc_runtime::BlockingChannel> for GreeterBlockingClient {
    fn as_ref(&self) -> &::rpc_runtime::BlockingChannel {
        &self.channel
    }
}
