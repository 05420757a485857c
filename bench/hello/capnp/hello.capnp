# A greeting.
@0xc3a1b2d4e5f60718;

interface Greeter {
  hello @0 (name :Text) -> (text :Text);
}
