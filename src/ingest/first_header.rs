//! The header of the first object that has one: it holds for objects that have none, as `split` and
//! Hadoop leave them.

use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;

use super::InputOptions;
use super::formats::Formats;
use super::source::Source;
use crate::store::InputObject;

/// In how many objects a header is looked for.
const OBJECTS: usize = 16;

/// The names of an object's columns, and the byte between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeaderNames {
    pub(super) names: Vec<String>,
    pub(super) separator: u8,
}

/// The header of the first object that has one, looked for when it is first asked for. Which one it
/// is depends on the objects and their order only.
#[derive(Debug)]
pub(super) struct FirstHeader {
    options: InputOptions,
    /// The first objects in a store, with their formats, and where their bytes are fetched.
    stored: Option<(Vec<InputObject>, Formats, Handle)>,
    found: OnceLock<Option<HeaderNames>>,
}

impl FirstHeader {
    /// For objects in memory, one after the other: see [`FirstHeader::look_into`].
    pub(super) fn of_memory(options: &InputOptions) -> Self {
        Self {
            options: options.clone(),
            stored: None,
            found: OnceLock::new(),
        }
    }

    /// For stored objects, in their order. Must be called where tasks can be started.
    pub(super) fn of_stored(
        options: &InputOptions,
        objects: &[InputObject],
        formats: Formats,
    ) -> Self {
        let first = objects.iter().take(OBJECTS).cloned().collect();
        Self {
            stored: Some((first, formats, Handle::current())),
            ..Self::of_memory(options)
        }
    }

    /// Takes the header of an object in memory, unless one before it has one.
    pub(super) fn look_into(&self, source: &Arc<Source>) {
        if self.found.get().is_none()
            && let Some(header) = source.header(&self.options)
        {
            _ = self.found.set(Some(header));
        }
    }

    /// The header, if there is one. Waits for the store.
    pub(super) fn get(&self) -> Option<HeaderNames> {
        match &self.stored {
            Some((objects, formats, runtime)) => {
                let find = || {
                    objects.iter().find_map(|object| {
                        let source = runtime
                            .block_on(Source::fetch(object.clone(), formats))
                            .ok()?;
                        Arc::new(source).header(&self.options)
                    })
                };
                self.found.get_or_init(find).clone()
            }
            None => self.found.get().cloned().flatten(),
        }
    }
}
