//! Keys that only later objects have.

use super::record::{JsonColumns, keys_of};
use super::split::{JsonLayout, JsonRecord};
use super::{MAX_KEYS, MAX_RECORD};
use crate::ingest::stream::ByteStream;

/// A look through an object for keys. What is damaged is told when it is read.
pub(super) struct LateKeys<'a> {
    /// The object from its first byte on.
    pub(super) stream: ByteStream,
    /// The keys that are known.
    pub(super) columns: &'a mut JsonColumns,
}

impl LateKeys<'_> {
    /// Adds the keys of one object after the other, until they are enough.
    pub(super) fn look_until(mut self, are_enough: impl Fn(&JsonColumns) -> bool) {
        let mut layout = None;
        while self.stream.fill(0).is_ok() {
            let layout = *layout.get_or_insert_with(|| {
                if self.stream.data().starts_with(b"\xef\xbb\xbf") {
                    self.stream.consume(3);
                }
                JsonLayout::of(self.stream.data())
            });
            let Some(read) = self.add_buffered(layout, &are_enough) else {
                return;
            };
            let rest = self.stream.data().len() - read;
            if self.stream.has_ended() || rest >= MAX_RECORD {
                return;
            }
            self.stream.consume(read);
        }
    }

    /// Adds the keys of the objects in the buffer, and says how many bytes they are. Nothing, if there
    /// is no need to look further.
    fn add_buffered(
        &mut self,
        layout: JsonLayout,
        are_enough: impl Fn(&JsonColumns) -> bool,
    ) -> Option<usize> {
        let data = self.stream.data();
        let mut at = 0;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            match layout.next(rest, self.stream.has_ended()) {
                JsonRecord::Object { start, len, end } => {
                    let object = rest.get(start..start + len).unwrap_or_default();
                    let known = self.columns.names().len();
                    if let Ok(keys) = keys_of(object) {
                        self.columns.add(keys.names);
                    }
                    let now = self.columns.names().len();
                    if now > MAX_KEYS || (now > known && are_enough(self.columns)) {
                        return None;
                    }
                    at += end;
                }
                JsonRecord::Incomplete { skipped } => return Some(at + skipped),
                JsonRecord::Other => return None,
            }
        }
    }
}
