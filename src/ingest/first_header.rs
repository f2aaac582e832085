//! The header of the first object that has one: it holds for objects that have none, as `split` and
//! Hadoop leave them.

use std::sync::OnceLock;

use tokio::runtime::Handle;

use super::InputOptions;
use super::formats::Formats;
use super::source::{self, Source};
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
    formats: Formats,
    /// The first objects in a store, and where their bytes are fetched.
    stored: Option<(Vec<InputObject>, Handle)>,
    found: OnceLock<Option<HeaderNames>>,
}

impl FirstHeader {
    /// For objects in memory, one after the other: see [`FirstHeader::look_into`].
    pub(super) fn of_memory(options: &InputOptions, formats: Formats) -> Self {
        Self {
            options: options.clone(),
            formats,
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
            stored: Some((first, Handle::current())),
            ..Self::of_memory(options, formats)
        }
    }

    /// Takes the header of an object in memory, or of the first member of an archive that has one,
    /// unless an object before it has one, or objects are stored.
    pub(super) fn look_into(&self, source: &Source) {
        if self.stored.is_none()
            && self.found.get().is_none()
            && let Some(header) = self.header_in(source)
        {
            _ = self.found.set(Some(header));
        }
    }

    /// The header of an object, or of the first member of an archive that has one.
    fn header_in(&self, source: &Source) -> Option<HeaderNames> {
        if !source.is_archive() {
            return source.header(&self.options);
        }
        let members = source::members_of(source).ok()?;
        members.into_iter().take(OBJECTS).find_map(|member| {
            let member = source.member(member, self.formats).ok()?;
            member.header(&self.options)
        })
    }

    /// The header, if there is one. Waits for the store.
    pub(super) fn get(&self) -> Option<HeaderNames> {
        match &self.stored {
            Some((objects, runtime)) => {
                let find = || {
                    objects.iter().find_map(|object| {
                        let source = runtime
                            .block_on(Source::fetch(object.clone(), self.formats))
                            .ok()?;
                        self.header_in(&source)
                    })
                };
                self.found.get_or_init(find).clone()
            }
            None => self.found.get().cloned().flatten(),
        }
    }
}
