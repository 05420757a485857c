//! Sets default bodies aside while a trait is parsed: what is in them is the compiler's to judge, not ours.
//!
//! So a body that is half typed, or newer than our parser, does not take the whole trait away from an editor.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::{Block, Expr, ItemTrait, Stmt, TraitItem};

/// A trait's tokens with empty bodies, and the bodies in order.
pub(super) fn set_aside(item: TokenStream) -> (TokenStream, Vec<TokenStream>) {
    let mut bodies = Vec::new();
    let mut trees: Vec<TokenTree> = item.into_iter().collect();
    // The last group in braces is the trait's own; nothing follows it.
    if let Some(TokenTree::Group(group)) = trees.last_mut()
        && group.delimiter() == Delimiter::Brace
    {
        *group = with_stream(group, empty_bodies(group.stream(), &mut bodies));
    }
    (trees.into_iter().collect(), bodies)
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
}
