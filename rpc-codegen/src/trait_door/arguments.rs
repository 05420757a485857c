//! Reads the arguments of `#[rpc_service(…)]` and `#[rpc(…)]`.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use rpc_idl::model::{Retry, STATUSES};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, Meta, Path, Token, token};

use crate::refusals::Refusals;

/// Arguments of `#[rpc_service(…)]`.
#[derive(Default)]
pub(super) struct ServiceArguments {
    /// `package = "acme.user.v1"`
    pub(super) package: Option<String>,
    /// `name = "Greeter"`: the name on the wire.
    pub(super) name: Option<String>,
    /// `version = "1.2"`
    pub(super) version: Option<String>,
    /// `crate = path`: where the runtime is found.
    pub(super) runtime: Option<Path>,
}

/// Arguments of `#[rpc(…)]` on a method.
#[derive(Default)]
pub(super) struct MethodArguments {
    /// `name = "…"`: the name on the wire, with the place of the attribute.
    pub(super) name: Option<String>,
    /// `id = n`
    pub(super) id: Option<u64>,
    /// `oneway`
    pub(super) oneway: bool,
    /// `idempotent`
    pub(super) idempotent: bool,
    /// `timeout = "2s"`, in nanoseconds.
    pub(super) timeout: Option<u64>,
    /// `retry = 5, retry_on = [unavailable], retry_backoff = "10ms"`
    pub(super) retry: Option<Retry>,
    /// `on_cancel = "finish"`
    pub(super) finish: bool,
}

impl ServiceArguments {
    pub(super) fn read(tokens: TokenStream, refusals: &mut Refusals) -> Self {
        let mut found = Self::default();
        let names = ["package", "name", "version", "crate"];
        for argument in parse_list(tokens, &names, refusals) {
            let outcome = match argument.name().as_str() {
                "package" => argument.package().map(|text| found.package = Some(text)),
                "name" => argument.wire_name().map(|text| found.name = Some(text)),
                "version" => argument.version().map(|text| found.version = Some(text)),
                _ => argument.path().map(|path| found.runtime = Some(path)),
            };
            note(outcome, refusals);
        }
        found
    }
}

impl MethodArguments {
    pub(super) fn read(attributes: &[Attribute], refusals: &mut Refusals) -> Self {
        let mut found = Self::default();
        let names = [
            "name",
            "id",
            "oneway",
            "idempotent",
            "timeout",
            "retry",
            "retry_on",
            "retry_backoff",
            "on_cancel",
        ];
        let (mut max, mut on, mut backoff) = (None, None, None);
        for argument in parse_attributes(attributes, &names, refusals) {
            let outcome = match argument.name().as_str() {
                "name" => argument.wire_name().map(|text| found.name = Some(text)),
                "id" => argument.call_id().map(|id| found.id = Some(id)),
                "oneway" => argument.flag().map(|()| found.oneway = true),
                "idempotent" => argument.flag().map(|()| found.idempotent = true),
                "timeout" => argument.duration().map(|nanos| found.timeout = Some(nanos)),
                "retry" => argument.attempts().map(|count| max = Some(count)),
                "retry_on" => argument
                    .statuses()
                    .map(|statuses| on = Some((statuses, argument.name.span()))),
                "retry_backoff" => argument
                    .duration()
                    .map(|nanos| backoff = Some((nanos, argument.name.span()))),
                _ => argument.finish().map(|()| found.finish = true),
            };
            note(outcome, refusals);
        }
        let place = on.as_ref().map(|(_, place)| *place);
        match (max, place.or(backoff.map(|(_, place)| place))) {
            (Some(max), _) => {
                found.retry = Some(Retry {
                    max,
                    on: on.map(|(statuses, _)| statuses).unwrap_or_default(),
                    backoff: backoff.map(|(nanos, _)| nanos),
                });
            }
            (None, Some(place)) => refusals.at_span(
                place,
                "this belongs to `retry`, the number of attempts: add it, as in `retry = 3`",
            ),
            (None, None) => {}
        }
        found
    }
}

/// Whether a parameter carries `#[rpc(ctx)]`.
pub(super) fn is_marked_context(attributes: &[Attribute], refusals: &mut Refusals) -> bool {
    let mut marked = false;
    for argument in parse_attributes(attributes, &["ctx"], refusals) {
        note(argument.flag().map(|()| marked = true), refusals);
    }
    marked
}

/// Whether this is the helper attribute `#[rpc(…)]`.
pub(super) fn is_rpc(attribute: &Attribute) -> bool {
    attribute.path().is_ident("rpc")
}

/// One argument: a word, or a word and a value.
struct Argument {
    name: Ident,
    value: Option<Expr>,
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error("expected the name of an argument, as in `name = \"…\"`"));
        }
        let name = input.call(Ident::parse_any)?;
        let equals: Option<Token![=]> = input.parse()?;
        let value = equals.map(|_| input.parse()).transpose()?;
        if value.is_none() && input.peek(token::Paren) {
            return Err(input.error(format!("a value follows `=`, as in `{name} = …`")));
        }
        if value.is_none() && !input.is_empty() && !input.peek(Token![,]) {
            return Err(input.error(format!("expected `,` or `=` after `{name}`")));
        }
        Ok(Self { name, value })
    }
}

impl Argument {
    fn name(&self) -> String {
        self.name.to_string()
    }

    /// The text of a string that `read` makes something of.
    fn string<T>(
        &self,
        what: &str,
        example: &str,
        read: impl FnOnce(String) -> Option<T>,
    ) -> syn::Result<T> {
        let text = match &self.value {
            Some(Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            })) => Some(text.value()),
            _ => None,
        };
        text.and_then(read).ok_or_else(|| self.wrong(what, example))
    }

    fn version(&self) -> syn::Result<String> {
        self.string("a string", "\"1.2\"", Some)
    }

    fn wire_name(&self) -> syn::Result<String> {
        self.string("a name", "\"letters_and_digits\"", |text| {
            is_word(&text).then_some(text)
        })
    }

    fn package(&self) -> syn::Result<String> {
        self.string("a dotted name", "\"acme.user.v1\"", |text| {
            text.split('.').all(is_word).then_some(text)
        })
    }

    fn call_id(&self) -> syn::Result<u64> {
        let Some(Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        })) = &self.value
        else {
            return Err(self.wrong("a number", "4711"));
        };
        let id: u64 = number.base10_parse()?;
        if id < rpc_idl::ids::FRAMEWORK_IDS {
            return Err(syn::Error::new_spanned(
                number,
                format!(
                    "call IDs below {} belong to the framework's own services",
                    rpc_idl::ids::FRAMEWORK_IDS
                ),
            ));
        }
        if id >> rpc_idl::ids::CALL_ID_BITS != 0 {
            return Err(syn::Error::new_spanned(
                number,
                format!(
                    "call IDs have {} bits, so that a double holds each of them",
                    rpc_idl::ids::CALL_ID_BITS
                ),
            ));
        }
        Ok(id)
    }

    fn duration(&self) -> syn::Result<u64> {
        self.string("a duration", "\"500ms\"", |text| parse_duration(&text))
    }

    fn attempts(&self) -> syn::Result<u32> {
        let wrong = || self.wrong("the number of attempts, from 1 to 100", "3");
        let Some(Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        })) = &self.value
        else {
            return Err(wrong());
        };
        let max: Option<u32> = number.base10_parse().ok();
        max.filter(|max| (1..=100).contains(max)).ok_or_else(wrong)
    }

    fn statuses(&self) -> syn::Result<Vec<String>> {
        let Some(Expr::Array(array)) = &self.value else {
            return Err(self.wrong("a list of statuses", "[unavailable, aborted]"));
        };
        let status = |word: &Expr| match word {
            Expr::Path(path) => path
                .path
                .get_ident()
                .map(ToString::to_string)
                .filter(|name| STATUSES.contains(&name.as_str())),
            _ => None,
        };
        let read = |word| {
            status(word).ok_or_else(|| {
                let message = format!("this is no status; there are {}", quoted(STATUSES));
                syn::Error::new_spanned(word, message)
            })
        };
        array.elems.iter().map(read).collect()
    }

    fn finish(&self) -> syn::Result<()> {
        self.string("`\"finish\"`", "\"finish\"", |text| {
            (text == "finish").then_some(())
        })
    }

    fn flag(&self) -> syn::Result<()> {
        match &self.value {
            None => Ok(()),
            Some(value) => Err(syn::Error::new_spanned(
                value,
                format!("`{}` takes no value", self.name),
            )),
        }
    }

    fn path(&self) -> syn::Result<Path> {
        match &self.value {
            Some(Expr::Path(path)) if path.qself.is_none() => Ok(path.path.clone()),
            _ => Err(self.wrong("a path", "::rpc_runtime")),
        }
    }

    fn wrong(&self, what: &str, example: &str) -> syn::Error {
        let message = format!("`{0}` takes {what}, as in `{0} = {example}`", self.name);
        match &self.value {
            Some(value) => syn::Error::new_spanned(value, message),
            None => syn::Error::new(self.name.span(), message),
        }
    }
}

fn parse_attributes(
    attributes: &[Attribute],
    names: &[&str],
    refusals: &mut Refusals,
) -> Vec<Argument> {
    let mut found = Vec::new();
    for attribute in attributes.iter().filter(|attribute| is_rpc(attribute)) {
        match &attribute.meta {
            Meta::List(list) => found.extend(parse_list(list.tokens.clone(), names, refusals)),
            other => refusals.at(
                other,
                format!("expected arguments in parentheses: {}", quoted(names)),
            ),
        }
    }
    found
}

/// The known arguments among `tokens`, each once; everything else is refused.
fn parse_list(tokens: TokenStream, names: &[&str], refusals: &mut Refusals) -> Vec<Argument> {
    let parser = Punctuated::<Argument, Token![,]>::parse_terminated;
    let arguments = match parser.parse2(tokens) {
        Ok(arguments) => arguments,
        Err(error) => {
            refusals.push(error);
            return Vec::new();
        }
    };
    let mut known: Vec<Argument> = Vec::new();
    for argument in arguments {
        let name = argument.name();
        if !names.contains(&name.as_str()) {
            let message = match nearest(&name, names) {
                Some(near) => format!("unknown argument `{name}`, did you mean `{near}`?"),
                None => format!(
                    "unknown argument `{name}`, expected one of: {}",
                    quoted(names)
                ),
            };
            refusals.at_span(argument.name.span(), message);
        } else if known.iter().any(|earlier| earlier.name == argument.name) {
            refusals.at_span(
                argument.name.span(),
                format!("argument `{name}` is given twice"),
            );
        } else {
            known.push(argument);
        }
    }
    known
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// The name that was probably meant: the first with at most a third of its letters wrong, missing, or too many.
fn nearest<'n>(written: &str, names: &[&'n str]) -> Option<&'n str> {
    let names = names.iter().copied();
    names
        .map(|name| (distance(written, name), name))
        .filter(|(distance, name)| distance * 3 <= name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out or changed to make one word of the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let changed = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

/// Nanoseconds of `2s`, `500ms`, `1m30s`.
fn parse_duration(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let unit: u64 = match &rest[..letters] {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" | "min" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        rest = &rest[letters..];
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    (total > 0).then_some(total)
}

fn is_word(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn note(outcome: syn::Result<()>, refusals: &mut Refusals) {
    if let Err(error) = outcome {
        refusals.push(error);
    }
}

/// The place of a token, for messages about something that was not written.
pub(super) fn span_of(tokens: impl ToTokens) -> Span {
    tokens
        .into_token_stream()
        .into_iter()
        .next()
        .map_or_else(Span::call_site, |token| token.span())
}

#[cfg(test)]
mod tests {
    use super::{nearest, parse_duration};

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let names = ["name", "id", "oneway", "idempotent", "timeout"];
        for (written, meant) in [
            ("idempotnt", Some("idempotent")),
            ("one_way", Some("oneway")),
            ("timeuot", Some("timeout")),
            ("retries", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, &names), meant, "{written}");
        }
    }

    #[test]
    fn durations_are_numbers_with_units() {
        assert_eq!(parse_duration("2s"), Some(2_000_000_000));
        assert_eq!(parse_duration("1m30s"), Some(90_000_000_000));
        assert_eq!(parse_duration("500ms"), Some(500_000_000));
        for wrong in ["", "2", "s", "2 s", "2x", "0s", "99999999999999h"] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }
}
