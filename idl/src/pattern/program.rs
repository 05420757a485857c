//! Runs a pattern over a text, as the runtime does: all states side by side, without backtracking.

use std::iter::Peekable;
use std::str::Chars;

/// A pattern with its repetitions written out.
#[derive(Debug)]
pub(super) struct Program {
    steps: Vec<Step>,
    visits: usize,
}

#[derive(Debug)]
enum Step {
    /// Takes one character and goes on with the next step.
    One(Class),
    Start,
    End,
    Split(usize, usize),
    Jump(usize),
    Match,
}

#[derive(Clone, Debug)]
enum Node {
    One(Class),
    Start,
    End,
    All(Vec<Node>),
    Any(Vec<Node>),
    Repeat(Box<Node>, usize, Option<usize>),
}

/// One character of several, or any but those.
#[derive(Clone, Debug, Default)]
struct Class {
    parts: Vec<Part>,
    negated: bool,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Range(char, char),
    /// `d`, `w`, `s`, or the same in capitals.
    Kind(char),
}

impl Program {
    /// Writes out a pattern that [`check`](super::check) can read; nothing if that gets too long.
    pub(super) fn of(pattern: &str) -> Option<Self> {
        let mut rest = pattern.chars().peekable();
        let node = choice(&mut rest);
        let mut program = Self {
            steps: Vec::new(),
            visits: 0,
        };
        program.add(&node)?;
        program.push(Step::Match)?;
        Some(program)
    }

    /// Number of steps.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether the whole text matches.
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut now = States::new(self.steps.len());
        let mut next = States::new(self.steps.len());
        self.enter(0, &mut now, true, text.is_empty());
        let mut rest = text.chars();
        while let Some(letter) = rest.next() {
            let at_end = rest.as_str().is_empty();
            for state in std::mem::take(&mut now.active) {
                if matches!(&self.steps[state], Step::One(class) if class.contains(letter)) {
                    self.enter(state + 1, &mut next, false, at_end);
                }
            }
            now.seen.fill(false);
            std::mem::swap(&mut now, &mut next);
        }
        let mut ends = now.active.iter();
        ends.any(|state| matches!(self.steps[*state], Step::Match))
    }

    /// Adds the states that are reached from `start` without a character.
    fn enter(&self, start: usize, states: &mut States, at_start: bool, at_end: bool) {
        let mut pending = vec![start];
        while let Some(state) = pending.pop() {
            if std::mem::replace(&mut states.seen[state], true) {
                continue;
            }
            match self.steps[state] {
                Step::One(_) | Step::Match => states.active.push(state),
                Step::Jump(to) => pending.push(to),
                Step::Split(one, other) => pending.extend([one, other]),
                Step::Start if at_start => pending.push(state + 1),
                Step::End if at_end => pending.push(state + 1),
                Step::Start | Step::End => {}
            }
        }
    }

    fn add(&mut self, node: &Node) -> Option<()> {
        self.visits += 1;
        if self.visits > 4 * MAX_STEPS {
            return None;
        }
        match node {
            Node::One(class) => self.push(Step::One(class.clone())).map(drop),
            Node::Start => self.push(Step::Start).map(drop),
            Node::End => self.push(Step::End).map(drop),
            Node::All(pieces) => pieces.iter().try_for_each(|piece| self.add(piece)),
            Node::Any(choices) => self.add_choices(choices),
            Node::Repeat(piece, min, max) => {
                (0..*min).try_for_each(|_| self.add(piece))?;
                match max {
                    Some(max) => (*min..*max).try_for_each(|_| self.add_optional(piece, false)),
                    None => self.add_optional(piece, true),
                }
            }
        }
    }

    fn add_choices(&mut self, choices: &[Node]) -> Option<()> {
        let (last, others) = choices.split_last()?;
        let mut ends = Vec::new();
        for choice in others {
            let split = self.push(Step::Match)?;
            self.add(choice)?;
            ends.push(self.push(Step::Match)?);
            self.steps[split] = Step::Split(split + 1, self.steps.len());
        }
        self.add(last)?;
        for end in ends {
            self.steps[end] = Step::Jump(self.steps.len());
        }
        Some(())
    }

    fn add_optional(&mut self, piece: &Node, is_loop: bool) -> Option<()> {
        let split = self.push(Step::Match)?;
        self.add(piece)?;
        if is_loop {
            self.push(Step::Jump(split))?;
        }
        self.steps[split] = Step::Split(split + 1, self.steps.len());
        Some(())
    }

    fn push(&mut self, step: Step) -> Option<usize> {
        if self.steps.len() == MAX_STEPS {
            return None;
        }
        self.steps.push(step);
        Some(self.steps.len() - 1)
    }
}

/// A set of states; each is entered once per character.
struct States {
    active: Vec<usize>,
    seen: Vec<bool>,
}

impl States {
    fn new(length: usize) -> Self {
        Self {
            active: Vec::new(),
            seen: vec![false; length],
        }
    }
}

impl Class {
    fn of(part: Part) -> Self {
        Self {
            parts: vec![part],
            negated: false,
        }
    }

    fn contains(&self, letter: char) -> bool {
        self.parts.iter().any(|part| part.contains(letter)) != self.negated
    }
}

impl Part {
    fn contains(self, letter: char) -> bool {
        match self {
            Self::Range(low, high) => (low..=high).contains(&letter),
            Self::Kind('d') => letter.is_ascii_digit(),
            Self::Kind('w') => letter.is_ascii_alphanumeric() || letter == '_',
            Self::Kind('s') => matches!(letter, '\t'..='\r' | ' '),
            Self::Kind(other) => !Self::Kind(other.to_ascii_lowercase()).contains(letter),
        }
    }
}

type Letters<'p> = Peekable<Chars<'p>>;

fn choice(rest: &mut Letters<'_>) -> Node {
    let mut choices = vec![sequence(rest)];
    while rest.next_if_eq(&'|').is_some() {
        choices.push(sequence(rest));
    }
    Node::Any(choices)
}

fn sequence(rest: &mut Letters<'_>) -> Node {
    let mut pieces = Vec::new();
    while let Some(letter) = rest.next_if(|letter| !matches!(letter, '|' | ')')) {
        let piece = match letter {
            '(' => {
                let inner = choice(rest);
                rest.next();
                inner
            }
            '[' => Node::One(class(rest)),
            '.' => Node::One(Class {
                parts: vec![Part::Range('\n', '\n')],
                negated: true,
            }),
            '^' => Node::Start,
            '$' => Node::End,
            '\\' => Node::One(Class::of(escape(rest))),
            letter => Node::One(Class::of(Part::Range(letter, letter))),
        };
        pieces.push(repeated(piece, rest));
    }
    Node::All(pieces)
}

fn repeated(piece: Node, rest: &mut Letters<'_>) -> Node {
    let found = rest.next_if(|letter| matches!(letter, '*' | '+' | '?' | '{'));
    let (min, max) = match found {
        None => return piece,
        Some('*') => (0, None),
        Some('+') => (1, None),
        Some('?') => (0, Some(1)),
        Some(_) => {
            let min = number(rest);
            let max = match rest.next_if_eq(&',') {
                None => Some(min),
                Some(_) if rest.peek() == Some(&'}') => None,
                Some(_) => Some(number(rest)),
            };
            rest.next();
            (min, max)
        }
    };
    Node::Repeat(Box::new(piece), min, max)
}

fn number(rest: &mut Letters<'_>) -> usize {
    let mut value = 0_usize;
    while let Some(digit) = rest.next_if(char::is_ascii_digit) {
        value = value
            .saturating_mul(10)
            .saturating_add(digit as usize - '0' as usize);
    }
    value
}

fn class(rest: &mut Letters<'_>) -> Class {
    let mut class = Class {
        negated: rest.next_if_eq(&'^').is_some(),
        ..Class::default()
    };
    while let Some(letter) = rest.next() {
        let mut part = match letter {
            ']' => return class,
            '\\' => escape(rest),
            letter => Part::Range(letter, letter),
        };
        let mut ahead = rest.clone();
        let is_range = ahead.next() == Some('-') && !matches!(ahead.next(), None | Some(']'));
        if let (true, Part::Range(low, _)) = (is_range, part) {
            rest.next();
            let high = match rest.next() {
                Some('\\') => escape(rest),
                other => Part::Range(low, other.unwrap_or(low)),
            };
            if let Part::Range(_, high) = high {
                part = Part::Range(low, high);
            }
        }
        class.parts.push(part);
    }
    class
}

/// What stands behind a backslash.
fn escape(rest: &mut Letters<'_>) -> Part {
    match rest.next() {
        Some(kind @ ('d' | 'w' | 's' | 'D' | 'W' | 'S')) => Part::Kind(kind),
        Some('n') => Part::Range('\n', '\n'),
        Some('t') => Part::Range('\t', '\t'),
        other => {
            let letter = other.unwrap_or('\\');
            Part::Range(letter, letter)
        }
    }
}

/// The longest program: repetitions in repetitions multiply. The runtime has the same limit.
const MAX_STEPS: usize = 10_000;
