//! Reads a pattern into a tree.

use std::iter::Peekable;
use std::str::Chars;

/// A piece of a pattern.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// One character of a class.
    One(Class),
    /// The start of the text.
    Start,
    /// The end of the text.
    End,
    /// All pieces, one after the other.
    All(Vec<Node>),
    /// One of several pieces.
    Any(Vec<Node>),
    /// A piece at least `min` times, and at most `max` times if that is limited.
    Repeat {
        piece: Box<Node>,
        min: usize,
        max: Option<usize>,
    },
}

/// A set of characters.
#[derive(Clone, Debug)]
pub(super) struct Class {
    ranges: Vec<(char, char)>,
    negated: bool,
}

impl Class {
    pub(super) fn contains(&self, c: char) -> bool {
        self.ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&c))
            != self.negated
    }

    fn of(ranges: &[(char, char)]) -> Self {
        Self {
            ranges: ranges.to_vec(),
            negated: false,
        }
    }

    fn not(ranges: &[(char, char)]) -> Self {
        Self {
            ranges: ranges.to_vec(),
            negated: true,
        }
    }

    /// The characters as ranges, which a negated class inside of another one needs.
    fn into_ranges(mut self) -> Vec<(char, char)> {
        if !self.negated {
            return self.ranges;
        }
        self.ranges.sort_unstable();
        let mut complement = Vec::new();
        let mut next = Some('\0');
        for (first, last) in self.ranges {
            if let Some(start) = next.filter(|start| *start < first) {
                complement.extend(before(first).map(|end| (start, end)));
            }
            next = next.max(after(last));
        }
        complement.extend(next.map(|start| (start, char::MAX)));
        complement
    }
}

fn before(c: char) -> Option<char> {
    ('\0'..c).next_back()
}

fn after(c: char) -> Option<char> {
    (c..=char::MAX).nth(1)
}

/// The tree of a pattern, or `None` if it is faulty.
pub(super) fn parse(source: &str) -> Option<Node> {
    let mut parser = Parser {
        rest: source.chars().peekable(),
    };
    let node = parser.choice(0)?;
    // What is left is a parenthesis that nothing has opened.
    parser.rest.next().is_none().then_some(node)
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Parser<'_> {
    fn choice(&mut self, depth: usize) -> Option<Node> {
        let mut choices = vec![self.sequence(depth)?];
        while self.take('|') {
            choices.push(self.sequence(depth)?);
        }
        Some(if choices.len() == 1 {
            choices.remove(0)
        } else {
            Node::Any(choices)
        })
    }

    fn sequence(&mut self, depth: usize) -> Option<Node> {
        let mut pieces = Vec::new();
        while let Some(&c) = self.rest.peek() {
            if matches!(c, '|' | ')') {
                break;
            }
            let piece = self.piece(depth)?;
            pieces.push(self.repeated(piece)?);
        }
        Some(Node::All(pieces))
    }

    fn piece(&mut self, depth: usize) -> Option<Node> {
        Some(match self.rest.next()? {
            '(' => self.group(depth)?,
            '[' => Node::One(self.class()?),
            '.' => Node::One(Class::not(&[('\n', '\n')])),
            '^' => Node::Start,
            '$' => Node::End,
            '\\' => Node::One(self.escape()?),
            '*' | '+' | '?' | '{' => return None,
            c => Node::One(Class::of(&[(c, c)])),
        })
    }

    fn group(&mut self, depth: usize) -> Option<Node> {
        if depth == DEPTH || (self.take('?') && !self.take(':')) {
            return None;
        }
        let inner = self.choice(depth + 1)?;
        self.take(')').then_some(inner)
    }

    fn repeated(&mut self, piece: Node) -> Option<Node> {
        let (min, max) = match self.rest.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.rest.next();
                self.counts()?
            }
            _ => return Some(piece),
        };
        if matches!(piece, Node::Start | Node::End) {
            return None;
        }
        // Of `{m,n}`, this is the closing brace.
        self.rest.next();
        // Lazy and possessive forms, and repetitions of repetitions, are not of the dialect.
        match self.rest.peek() {
            Some('*' | '+' | '?' | '{') => None,
            _ => Some(Node::Repeat {
                piece: Box::new(piece),
                min,
                max,
            }),
        }
    }

    /// Reads `m`, `m,` or `m,n` up to the closing brace.
    fn counts(&mut self) -> Option<(usize, Option<usize>)> {
        let min = self.number()?;
        let max = match self.take(',') {
            false => Some(min),
            true if self.rest.peek() == Some(&'}') => None,
            true => Some(self.number()?),
        };
        let right = max.is_none_or(|max| min <= max) && self.rest.peek() == Some(&'}');
        right.then_some((min, max))
    }

    fn number(&mut self) -> Option<usize> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        digits.parse().ok().filter(|number| *number <= REPETITIONS)
    }

    /// Reads a class behind its opening bracket.
    fn class(&mut self) -> Option<Class> {
        let negated = self.take('^');
        let mut ranges = Vec::new();
        loop {
            let first = match self.rest.next()? {
                // In the first place, the bracket stands for itself.
                ']' if !ranges.is_empty() => return Some(Class { ranges, negated }),
                '\\' => self.escape()?,
                c => Class::of(&[(c, c)]),
            };
            match self.range_end(&first)? {
                Some(range) => ranges.push(range),
                None => ranges.extend(first.into_ranges()),
            }
        }
    }

    /// Reads `-z` of a range, if one begins with `first`.
    fn range_end(&mut self, first: &Class) -> Option<Option<(char, char)>> {
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('-') || ahead.peek() == Some(&']') {
            return Some(None);
        }
        self.rest = ahead;
        let last = match self.rest.next()? {
            '\\' => self.escape()?,
            c => Class::of(&[(c, c)]),
        };
        let (first, last) = (first.single()?, last.single()?);
        (first <= last).then_some(Some((first, last)))
    }

    /// Reads what stands behind a backslash.
    fn escape(&mut self) -> Option<Class> {
        Some(match self.rest.next()? {
            'd' => Class::of(DIGITS),
            'D' => Class::not(DIGITS),
            'w' => Class::of(WORD),
            'W' => Class::not(WORD),
            's' => Class::of(SPACE),
            'S' => Class::not(SPACE),
            'n' => Class::of(&[('\n', '\n')]),
            't' => Class::of(&[('\t', '\t')]),
            c if c.is_ascii_punctuation() => Class::of(&[(c, c)]),
            _ => return None,
        })
    }

    fn take(&mut self, c: char) -> bool {
        self.rest.next_if_eq(&c).is_some()
    }
}

impl Class {
    fn single(&self) -> Option<char> {
        match self.ranges[..] {
            [(first, last)] if first == last && !self.negated => Some(first),
            _ => None,
        }
    }
}

const DIGITS: &[(char, char)] = &[('0', '9')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
const SPACE: &[(char, char)] = &[('\t', '\r'), (' ', ' ')];
/// The highest count that may be written in braces.
const REPETITIONS: usize = 255;
/// How deep groups may be nested.
const DEPTH: usize = 64;
