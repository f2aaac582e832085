//! Ids that a setting names, and which of them lines have.

/// Ids as they are written in a setting.
#[derive(Debug, Clone)]
pub(super) struct NamedIds {
    ids: Vec<String>,
    /// Whether a line has the id.
    met: Vec<bool>,
}

impl NamedIds {
    pub(super) fn new(ids: &[String]) -> Self {
        Self {
            ids: ids.to_vec(),
            met: vec![false; ids.len()],
        }
    }

    /// Whether no id is named.
    #[inline]
    pub(super) fn are_none(&self) -> bool {
        self.ids.is_empty()
    }

    /// A line has the id at this position.
    pub(super) fn mark(&mut self, at: usize) {
        if let Some(met) = self.met.get_mut(at) {
            *met = true;
        }
    }

    /// Which of the ids were met, in their order.
    pub(super) fn met(&self) -> &[bool] {
        &self.met
    }

    /// Adds the ids that were met elsewhere.
    pub(super) fn merge(&mut self, met: &[bool]) {
        let both = self.met.iter_mut().zip(met);
        both.for_each(|(met, theirs)| *met |= theirs);
    }

    /// The ids that no line has, which are most likely slips.
    pub(super) fn unmet(&self) -> impl Iterator<Item = &str> {
        let ids = self.ids.iter().zip(&self.met);
        ids.filter(|(_, met)| !**met).map(|(id, _)| id.as_str())
    }
}
