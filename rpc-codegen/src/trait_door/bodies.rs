//! Makes a trait's tokens readable for our parser: sets default bodies aside, and what has no place in a trait.
//!
//! What is in a body is the compiler's to judge, not ours. So a body that is half typed, or newer than our parser, does not take the whole trait away from an editor.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::{Block, Expr, ItemTrait, Stmt, TraitItem};

/// A trait's tokens with empty bodies, and the bodies in order.
pub(super) fn set_aside(item: TokenStream) -> (TokenStream, Vec<TokenStream>) {
    let mut bodies = Vec::new();
    let item = with_content(item, |content| empty_bodies(content, &mut bodies));
    (item, bodies)
}

/// A trait's tokens without the `pub`s that people put before its methods, and the places of those.
pub(super) fn without_visibilities(item: TokenStream) -> (TokenStream, Vec<Span>) {
    let mut places = Vec::new();
    let item = with_content(item, |content| {
        let mut content = content.into_iter().peekable();
        let mut kept = TokenStream::new();
        while let Some(tree) = content.next() {
            match &tree {
                TokenTree::Ident(word) if word == "pub" => {
                    places.push(word.span());
                    content.next_if(|next| is_group(next, Delimiter::Parenthesis));
                }
                _ => kept.extend([tree]),
            }
        }
        kept
    });
    (item, places)
}

/// A trait's tokens with nothing in it.
pub(super) fn shell(item: TokenStream) -> TokenStream {
    with_content(item, |_| TokenStream::new())
}

/// Tokens without our own attribute, which nobody would know once ours is gone from above the trait.
///
/// What has none in it stays the very tokens it was: rustc then sees its own complaint twice, and tells it once.
pub(super) fn without_rpc(item: TokenStream) -> TokenStream {
    stripped(item.clone()).unwrap_or(item)
}

fn stripped(item: TokenStream) -> Option<TokenStream> {
    let (mut kept, mut changed) = (TokenStream::new(), false);
    let mut trees = item.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let is_hash = matches!(&tree, TokenTree::Punct(punct) if punct.as_char() == '#');
        if is_hash && trees.next_if(is_rpc).is_some() {
            changed = true;
            continue;
        }
        let inner = match &tree {
            TokenTree::Group(group) => {
                stripped(group.stream()).map(|stream| with_stream(group, stream))
            }
            _ => None,
        };
        changed |= inner.is_some();
        kept.extend([inner.map_or(tree, TokenTree::Group)]);
    }
    changed.then_some(kept)
}

/// Puts the bodies back, unread.
pub(super) fn put_back(item: &mut ItemTrait, bodies: Vec<TokenStream>) {
    let mut bodies = bodies.into_iter();
    for entry in &mut item.items {
        let TraitItem::Fn(function) = entry else {
            continue;
        };
        if let Some(block) = &mut function.default {
            *block = unread(block, bodies.next().unwrap_or_default());
        }
    }
}

/// A block of tokens that nobody has looked at.
pub(super) fn unread(block: &Block, tokens: TokenStream) -> Block {
    let stmts = if tokens.is_empty() {
        Vec::new()
    } else {
        vec![Stmt::Expr(Expr::Verbatim(tokens), None)]
    };
    Block {
        brace_token: block.brace_token,
        stmts,
    }
}

/// Changes what is between a trait's braces: the last group, as nothing follows it.
fn with_content(item: TokenStream, change: impl FnOnce(TokenStream) -> TokenStream) -> TokenStream {
    let mut trees: Vec<TokenTree> = item.into_iter().collect();
    if let Some(TokenTree::Group(group)) = trees.last_mut()
        && group.delimiter() == Delimiter::Brace
    {
        *group = with_stream(group, change(group.stream()));
    }
    trees.into_iter().collect()
}

fn is_group(tree: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(tree, TokenTree::Group(group) if group.delimiter() == delimiter)
}

/// `[rpc]`, `[rpc(…)]`
fn is_rpc(tree: &TokenTree) -> bool {
    let TokenTree::Group(group) = tree else {
        return false;
    };
    group.delimiter() == Delimiter::Bracket
        && matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(word)) if word == "rpc")
}

fn empty_bodies(content: TokenStream, bodies: &mut Vec<TokenStream>) -> TokenStream {
    let mut in_signature = false;
    let mut after_angle = false;
    let empty = |tree| {
        let is_angle =
            matches!(&tree, TokenTree::Punct(punct) if matches!(punct.as_char(), '<' | ','));
        let tree = match tree {
            TokenTree::Ident(word) => {
                in_signature |= word == "fn";
                TokenTree::Ident(word)
            }
            TokenTree::Punct(punct) => {
                in_signature &= punct.as_char() != ';';
                TokenTree::Punct(punct)
            }
            // After an angle it is the argument of a type, as in `-> Page<{ SIZE }>`.
            TokenTree::Group(group)
                if in_signature && !after_angle && group.delimiter() == Delimiter::Brace =>
            {
                in_signature = false;
                bodies.push(group.stream());
                TokenTree::Group(with_stream(&group, TokenStream::new()))
            }
            other => other,
        };
        after_angle = is_angle;
        tree
    };
    content.into_iter().map(empty).collect()
}

fn with_stream(group: &Group, stream: TokenStream) -> Group {
    let mut changed = Group::new(group.delimiter(), stream);
    changed.set_span(group.span());
    changed
}

#[cfg(test)]
mod tests {
    use quote::{ToTokens, quote};

    use super::*;

    #[test]
    fn bodies_come_back_unread() {
        let broken = quote! {
            trait A {
                fn a(&self) -> Page<{ 1 + 1 }> { let x = ; half }
                fn b(&self);
            }
        };
        let (item, bodies) = set_aside(broken.clone());
        let mut item: ItemTrait = syn::parse2(item).unwrap();
        put_back(&mut item, bodies);
        assert_eq!(item.to_token_stream().to_string(), broken.to_string());
    }

    #[test]
    fn what_has_no_place_is_taken_out() {
        let (item, places) = without_visibilities(quote! {
            pub trait A { pub fn a(&self); pub(crate) async fn b(&self) { pub_in_here() } }
        });
        assert_eq!(places.len(), 2);
        let expected = quote!(
            pub trait A {
                fn a(&self);
                async fn b(&self) {
                    pub_in_here()
                }
            }
        );
        assert_eq!(item.to_string(), expected.to_string());

        let item = without_rpc(quote! {
            trait A { #[rpc(oneway)] fn a(#[rpc(ctx)] b: u8, #[rpcx] c: u8); }
        });
        let expected = quote!(
            trait A {
                fn a(b: u8, #[rpcx] c: u8);
            }
        );
        assert_eq!(item.to_string(), expected.to_string());
    }
}
