// A greeting.
namespace rs hello

service Greeter {
    string hello(1: string name),
}
