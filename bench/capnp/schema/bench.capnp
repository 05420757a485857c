# The work of the benchmarks.
@0xb3c1f0a2d4e59687;

struct Line {
  article @0 :Text;
  quantity @1 :UInt32;
  cents @2 :UInt64;
}

struct Order {
  id @0 :UInt64;
  customer @1 :UInt64;
  name @2 :Text;
  email @3 :Text;
  street @4 :Text;
  city @5 :Text;
  note @6 :Text;
  status @7 :UInt32;
  createdMs @8 :UInt64;
  changedMs @9 :UInt64;
  lines @10 :List(Line);
}

interface Bench {
  add @0 (a :UInt64, b :UInt64) -> (sum :UInt64);
  get @1 (id :UInt64) -> (order :Order);
  list @2 () -> (orders :List(Order));
  echo @3 (body :Data) -> (body :Data);
}
