// The work of the benchmarks.
namespace rs bench

struct Line {
    1: required string article,
    2: required i32 quantity,
    3: required i64 cents,
}

struct Order {
    1: required i64 id,
    2: required i64 customer,
    3: required string name,
    4: required string email,
    5: required string street,
    6: required string city,
    7: required string note,
    8: required i32 status,
    9: required i64 created_ms,
    10: required i64 changed_ms,
    11: required list<Line> lines,
}

service Bench {
    i64 add(1: i64 a, 2: i64 b),
    Order get(1: i64 id),
    list<Order> listed(),
    binary echo(1: binary body),
}
