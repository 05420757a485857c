//! The catalogue of diagnostic codes, with the page that explains each.

use crate::diagnostic::Severity;

/// One code: its short title, and what `rpc explain` prints.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Such as `E0105`; `W` for warnings.
    pub id: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// A few words.
    pub title: &'static str,
    /// What it means, why it is refused, and the way out.
    pub explanation: &'static str,
}

/// The entry of a code, if there is one.
///
/// ```
/// assert_eq!(rpc_idl::codes::find("E0105").unwrap().title, "unknown type");
/// ```
pub fn find(id: &str) -> Option<&'static Code> {
    CATALOGUE.iter().copied().find(|code| code.id == id)
}

macro_rules! codes {
    ($($name:ident $id:literal $severity:ident $title:literal $explanation:literal)*) => {
        $(pub(crate) const $name: &Code = &Code {
            id: $id,
            severity: Severity::$severity,
            title: $title,
            explanation: $explanation,
        };)*

        /// Every code, sorted.
        pub const CATALOGUE: &[&Code] = &[$($name),*];
    };
}

codes! {
// ---- text ----
SYNTAX "E0001" Error "syntax error"
"The text does not follow the grammar. The message says what may stand at this place. After a syntax error reading
goes on with the next member or definition, so that one run shows several."
TOO_DEEP "E0002" Error "brackets nest too deeply"
"Brackets of any kind may nest 64 deep. Nothing that a person writes comes near; the limit keeps a hostile file from
exhausting the stack."
OPEN_COMMENT "E0003" Error "a comment is not closed"
"A comment that starts with `/*` ends with the next `*/`; comments do not nest."
STRAY_DOC "E0004" Error "a doc comment describes nothing"
"A comment with three slashes documents what follows it: a definition, a member, a parameter or the package line.
Here nothing follows that could carry documentation. Write `//` for a plain comment."
PROTOBUF "E0005" Error "this is protobuf"
"The text is shaped like protobuf. Here the number comes first and the type after the name: `1: name: string,`
instead of `string name = 1;`; and a method is `fn get(id: u64) -> User;`."
THRIFT "E0006" Error "this is Thrift"
"The text is shaped like Thrift. Here the type comes after the name: `1: name: string,` instead of
`1: required string name`; a field is required unless its type ends in `?` or it has a default."
TOO_BIG "E0007" Error "the file is too big"
"A file may have 16 MiB. Split the package: it may be spread over any number of files."
NOT_UTF8 "E0008" Error "the file is not UTF-8"
"Source files are UTF-8. The message gives the offset of the first byte that is not."
NUL_BYTE "E0009" Error "the file contains a NUL byte"
"A NUL byte never stands in a text file; the file is probably binary, or UTF-16."
UNREADABLE "E0010" Error "the path cannot be read"
"The path does not exist or the system refuses to read it. The message carries the system's own words."
BAD_LITERAL "E0011" Error "malformed literal"
"A number is too large for every type there is, an escape in a string is unknown, or a unit does not fit.
Escapes are `\\n \\r \\t \\0 \\\\ \\\" \\u{…}`; a backslash in a pattern is written twice."
NO_PACKAGE "E0012" Error "the package line is missing"
"Each file says which package it belongs to: `package acme.user.v1;`. The package is part of every call ID."
MISPLACED "E0013" Error "a line stands in the wrong place"
"A file has one `package` line at its top, then the imports, then the definitions."
NO_FILES "E0014" Error "a directory has no .idl files"
"The directory was searched with all below it and holds no file whose name ends in `.idl`."

// ---- names ----
DUPLICATE_NAME "E0101" Error "a name is defined twice"
"Types, services, constants and annotations of a package share one space of names, over all files of the package."
DUPLICATE_MEMBER "E0102" Error "a member is defined twice"
"Fields of a struct, values of an enum, variants, methods and parameters have names of their own."
CASE_COLLISION "E0103" Error "two names become one"
"Generated code follows the habits of each language: `get_user` is `getUser` in TypeScript and `GetUser` in Go.
Two names that differ only in case or underscores would be the same there."
BUILTIN_NAME "E0104" Error "the name of a built-in type"
"Built-in types cannot be redefined. Keywords are no problem: a type may be called `stream` or `error`."
UNKNOWN_TYPE "E0105" Error "unknown type"
"A type is a built-in one, one of the same package, `alias.Name` of an imported package, or a full dotted name."
UNKNOWN_PACKAGE "E0106" Error "unknown package"
"No file that was read belongs to the imported package. Imports name packages, never files; give the directory that
holds the package to the compiler too."
NOT_IMPORTED "E0107" Error "a package is used but not imported"
"The package exists, and this file does not import it. Imports hold for one file only."
IMPORT_CYCLE "E0108" Error "packages import each other in a circle"
"Languages such as Go cannot express packages that need each other. Move what both need into a third package."
DUPLICATE_IMPORT "E0109" Error "two imports share a name"
"Within a file each import has a name of its own. Without `as` it is the last part of the package that is not a
version: `acme.common.v1` is used as `common`."
NOT_A_TYPE "E0110" Error "not a type"
"The name belongs to a service, a constant or an annotation, and a type is needed here."
UNKNOWN_SERVICE "E0111" Error "unknown service"
"`extends` and `handle<…>` name services: of the same package, `alias.Name` of an imported one, or a full dotted name."
UNUSED_IMPORT "W0001" Warning "unused import"
"Nothing in the file uses the imported package."

// ---- numbers ----
ORDINAL_RANGE "E0201" Error "an ordinal is out of range"
"Ordinals of fields and variants go from 1 to 4096: field n is element n - 1 of an array on the wire."
DUPLICATE_ORDINAL "E0202" Error "a number is used twice"
"The number is what is on the wire, so that it can mean one thing only."
RESERVED_NUMBER "E0203" Error "a reserved number is used"
"The number belonged to a member that was removed. Old programs still give it the old meaning; take a new number."
RESERVED_NAME "E0204" Error "a reserved name is used"
"The name belonged to a member that was removed, and JSON or logs may still use it in the old sense."
ENUM_REPR "E0205" Error "an enum needs an integer type"
"After the colon stands `i8`, `i16`, `i32`, `i64`, `u8`, `u16`, `u32` or `u64`; without it `i32` is meant."
ENUM_RANGE "E0206" Error "a number does not fit the enum"
"The number of each value must fit the enum's integer type, `i32` when none is written."
BAD_RESERVED "E0207" Error "an empty range"
"A reserved range goes from the smaller number to the larger; `20..max` reserves all from 20 on."
NO_MEMBERS "E0208" Error "nothing to choose from"
"An enum, union or error without members could have no value."

// ---- types ----
TYPE_ARGUMENTS "E0301" Error "wrong type arguments"
"`list<T>` and `set<T>` take one type, `map<K, V>` two, `array<T, N>` a type and a length, `handle<Service>` a service;
other types take none."
NESTED_OPTIONAL "E0302" Error "an optional of an optional"
"There is one way to be absent on the wire, so `T??` could not be told from `T?`. This holds through aliases."
MAP_KEY "E0303" Error "not a map key"
"Keys of a map are `string`, an integer of at most 64 bits, `bool`, `uuid` or an enum: every language can hash and
order them, and JSON can write them."
SET_ELEMENT "E0304" Error "not a set element"
"Elements of a set are compared. Floats (NaN differs from itself), `any` and maps cannot be, nor can a type that
holds one of them."
ARRAY_LENGTH "E0305" Error "a bad array length"
"The length of an `array<T, N>` is a number from 1 to 65536."
ALIAS_CYCLE "E0306" Error "an alias that means itself"
"Followed through, the alias never ends at a type."
TOO_LONG "E0307" Error "a chain is too long"
"Aliases, constants and `extends` may refer to each other over at most 64 steps, and types nest 64 deep on the wire."
INFINITE "E0308" Error "a value of this type could never end"
"Each value needs another one of the same type inside, without end. Make a step of the circle optional (`T?`), a list,
a map, or a union that has a variant without it."

// ---- values ----
VALUE_TYPE "E0401" Error "a value of the wrong type"
"Defaults, constants and arguments are checked against their type when they are compiled."
VALUE_RANGE "E0402" Error "a value is out of range"
"The value has the right kind and does not fit: an integer too large, an array literal with too few elements, a
duration below zero, a default that breaks the rule beside it."
UNKNOWN_VALUE "E0403" Error "unknown constant or enum value"
"A name in a value is a constant (`MAX`, `common.MAX`) or a value of an enum (`Status.Active`)."
CONST_CYCLE "E0404" Error "a constant that needs itself"
"Followed through, the constant never ends at a value."
NO_LITERAL "E0405" Error "no value can be written for the type"
"Structs, unions, errors and `any` have no literals. Make the field optional to let it be absent."
DUPLICATE_ELEMENT "E0406" Error "an element stands twice"
"Elements of a set and keys of a map are different from each other."

// ---- services ----
STREAM "E0501" Error "a stream in the wrong place"
"A method has at most one `stream` parameter, the last one, without a default and not optional."
ONEWAY "E0502" Error "a oneway method cannot answer"
"Nothing comes back from a `oneway` method: no result, no error, no stream."
THROWS "E0503" Error "not an error type"
"`throws` names a type that was declared with `error`."
EXTENDS_CYCLE "E0504" Error "services extend each other in a circle"
"Followed through, `extends` comes back to the service it started from."
METHOD_CLASH "E0505" Error "a method is inherited and defined again"
"A service answers its own methods and those of the services it extends; two of one name could not be told apart."
CALL_ID_CLASH "E0506" Error "two methods have one call ID"
"The call ID names a method on the wire. It is a hash of the service and method, and two hashes met, or `@id` gave one
number twice. Give one of the two methods another number with `@id(n)`."
FRAMEWORK_ID "E0507" Error "a call ID that cannot be given"
"Call IDs 0 to 1023 belong to the framework's own services, and no call ID has more than 53 bits."
HANDLE "E0508" Error "a handle in the wrong place"
"`handle<Service>` is an object that stays where it is, for as long as the other side holds it. It is a whole parameter
or a whole result, perhaps optional; it cannot be stored in a value, sent in a stream, or have a default."

// ---- annotations ----
UNKNOWN_ANNOTATION "E0601" Error "unknown annotation"
"Annotations are a closed list, so that a slip of the pen is found. Others are declared:
`annotation team(name: string) on service, method;`."
ANNOTATION_TARGET "E0602" Error "an annotation in the wrong place"
"Each annotation says what it may stand on."
ANNOTATION_ARGUMENT "E0603" Error "a wrong argument of an annotation"
"Arguments are typed: the annotation has no such argument, one is missing, or it is of the wrong kind."
DUPLICATE_ANNOTATION "E0604" Error "an annotation stands twice"
"Each annotation is written once; only `@allow` may be repeated."
UNKNOWN_WORD "E0605" Error "unknown word"
"The argument is one of a fixed list of words, such as the status codes."
UNKNOWN_REFERENCE "E0606" Error "an annotation names something that is not there"
"`@retryable(after = f)` names a `duration` field of its variant, `@lb(key = p)` a parameter of its method."
PATTERN "E0607" Error "a pattern cannot be read"
"Patterns have literals, `.`, classes such as `[a-z0-9_]` and `[^,]`, groups, `|`, the repetitions `* + ? {m,n}`,
`^` and `$`, and the escapes `\\d \\w \\s` and of any punctuation. There are no back references and no look-around."
CONSTRAINT_TYPE "E0608" Error "a rule does not suit the type"
"`@len` is for `string` and `bytes`, `@pattern` for `string`, `@range` for integers, floats, durations and timestamps,
`@items` for lists, sets, arrays and maps."
ANNOTATION_DECLARATION "E0609" Error "an annotation cannot be declared so"
"A declared annotation needs a name that is not built in, parameters of simple types, and targets out of `package`,
`struct`, `enum`, `union`, `error`, `service`, `method`, `field`, `value`, `variant`, `param`, `const`, `type`."
EMPTY_LIMITS "E0610" Error "no value could pass"
"The lower bound is above the upper one, or a bound is missing."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_explained() {
        for (index, code) in CATALOGUE.iter().enumerate() {
            let first = CATALOGUE.iter().position(|other| other.id == code.id);
            assert_eq!(first, Some(index), "{} stands twice", code.id);
            assert!(code.explanation.len() > 40, "{} is not explained", code.id);
            assert_eq!(code.id.starts_with('W'), code.severity == Severity::Warning);
        }
    }
}
