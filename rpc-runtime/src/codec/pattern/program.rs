//! Runs a pattern as a set of states that go over the text side by side.

use super::parse::{Class, Node};

/// A pattern as instructions.
#[derive(Clone, Debug)]
pub(super) struct Program {
    steps: Vec<Step>,
    /// How many pieces have been written out, those that leave no step behind too.
    visits: usize,
}

#[derive(Clone, Debug)]
enum Step {
    /// Takes one character and goes on with the next step.
    One(Class),
    /// Goes on if this is the start of the text.
    Start,
    /// Goes on if this is the end of the text.
    End,
    /// Goes on in two places.
    Split(usize, usize),
    /// Goes on somewhere else.
    Jump(usize),
    /// The text matches, if it is at its end.
    Match,
}

impl Program {
    /// Writes out a tree; `None` if that gets too long.
    pub(super) fn compile(node: &Node) -> Option<Self> {
        let mut program = Self {
            steps: Vec::new(),
            visits: 0,
        };
        program.add(node)?;
        program.push(Step::Match)?;
        Some(program)
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let mut now = States::new(self.steps.len());
        let mut next = States::new(self.steps.len());
        self.enter(0, &mut now, true, text.is_empty());
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if now.active.is_empty() {
                return false;
            }
            let at_end = rest.as_str().is_empty();
            for state in now.active.drain(..) {
                if matches!(&self.steps[state], Step::One(class) if class.contains(c)) {
                    self.enter(state + 1, &mut next, false, at_end);
                }
            }
            now.clear();
            std::mem::swap(&mut now, &mut next);
        }
        now.active
            .iter()
            .any(|state| matches!(self.steps[*state], Step::Match))
    }

    /// Adds the states that are reached from `start` without taking a character.
    fn enter(&self, start: usize, states: &mut States, at_start: bool, at_end: bool) {
        states.pending.push(start);
        while let Some(state) = states.pending.pop() {
            if std::mem::replace(&mut states.seen[state], true) {
                continue;
            }
            match self.steps[state] {
                Step::One(_) | Step::Match => states.active.push(state),
                Step::Jump(to) => states.pending.push(to),
                Step::Split(one, other) => states.pending.extend([one, other]),
                Step::Start if at_start => states.pending.push(state + 1),
                Step::End if at_end => states.pending.push(state + 1),
                Step::Start | Step::End => {}
            }
        }
    }

    fn add(&mut self, node: &Node) -> Option<()> {
        self.visits += 1;
        if self.visits > 4 * STEPS {
            return None;
        }
        match node {
            Node::One(class) => self.push(Step::One(class.clone())).map(drop),
            Node::Start => self.push(Step::Start).map(drop),
            Node::End => self.push(Step::End).map(drop),
            Node::All(pieces) => pieces.iter().try_for_each(|piece| self.add(piece)),
            Node::Any(choices) => self.add_choices(choices),
            Node::Repeat { piece, min, max } => {
                (0..*min).try_for_each(|_| self.add(piece))?;
                match max {
                    Some(max) => (*min..*max).try_for_each(|_| self.add_optional(piece, false)),
                    None => self.add_optional(piece, true),
                }
            }
        }
    }

    fn add_choices(&mut self, choices: &[Node]) -> Option<()> {
        let Some((last, others)) = choices.split_last() else {
            return Some(());
        };
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

    /// Adds a piece that may be passed by, and come again if it is `looped`.
    fn add_optional(&mut self, piece: &Node, looped: bool) -> Option<()> {
        let split = self.push(Step::Match)?;
        self.add(piece)?;
        if looped {
            self.push(Step::Jump(split))?;
        }
        self.steps[split] = Step::Split(split + 1, self.steps.len());
        Some(())
    }

    fn push(&mut self, step: Step) -> Option<usize> {
        if self.steps.len() == STEPS {
            return None;
        }
        self.steps.push(step);
        Some(self.steps.len() - 1)
    }
}

/// A set of states; each is entered once per character, which keeps the time linear.
struct States {
    active: Vec<usize>,
    pending: Vec<usize>,
    seen: Vec<bool>,
}

impl States {
    fn new(len: usize) -> Self {
        Self {
            active: Vec::new(),
            pending: Vec::new(),
            seen: vec![false; len],
        }
    }

    fn clear(&mut self) {
        self.active.clear();
        self.seen.fill(false);
    }
}

/// The longest program: repetitions in repetitions multiply.
const STEPS: usize = 10_000;
