//! Which clips are to be cut.

/// A clip to come. It may begin before the recording and end behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// The first frame, from the first frame that is read.
    pub first: i64,
    /// Frames.
    pub length: u64,
}

impl Span {
    /// The frame behind the last one.
    pub fn end(&self) -> i64 {
        self.first.saturating_add_unsigned(self.length)
    }
}

/// Clips in the order of their starts.
#[derive(Debug)]
pub(super) enum Plan {
    /// At even steps, without end.
    Steps { next: Span, hop: u64 },
    /// Windows from a table, the next one last.
    Windows(Vec<Span>),
}

impl Plan {
    /// Clips of `length` frames, `hop` frames apart.
    pub fn steps(length: u64, hop: u64) -> Self {
        Self::Steps { next: Span { first: 0, length }, hop }
    }

    /// These windows, whatever their order.
    pub fn windows(mut windows: Vec<Span>) -> Self {
        windows.sort_by_key(|span| std::cmp::Reverse((span.first, span.length)));
        Self::Windows(windows)
    }

    /// The next clip.
    pub fn next(&self) -> Option<Span> {
        match self {
            Self::Steps { next, .. } => Some(*next),
            Self::Windows(windows) => windows.last().copied(),
        }
    }

    /// Goes on to the one after it.
    pub fn advance(&mut self) {
        match self {
            Self::Steps { next, hop } => next.first = next.first.saturating_add_unsigned(*hop),
            Self::Windows(windows) => {
                windows.pop();
            }
        }
    }
}
