//! The first rows of an object, as a person would see them in a viewer: what `okuo init` looks at.

/// The first rows of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableSample {
    /// The columns' names, in their order; `#1`, `#2`, … where there is no header.
    pub columns: Vec<String>,
    /// For each column, whether its type is that of an instant, a date and so on, in words; empty
    /// where the format has no types.
    pub types: Vec<String>,
    /// The rows, each with as many cells as there are columns; `None` is a null.
    pub rows: Vec<Vec<Option<String>>>,
    /// What was noticed, in words for a person: the format, the encoding, the separator.
    pub notes: Vec<String>,
}
