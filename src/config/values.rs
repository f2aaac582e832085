//! Types of settings that only okuo.toml has.

use std::str::FromStr;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::ingest::Quotes;
use crate::publish::promotion::PromotionPolicy;
use crate::settings::{Setting, SettingValue, ValueKind};

/// A size of memory, as it was written: `4 GB`, or a number of bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemorySize(String);

impl MemorySize {
    /// How many bytes that is; `None` if it is no size.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.0.parse().ok().map(|size: ByteSize| size.as_u64())
    }
}

impl<'de> Deserialize<'de> for MemorySize {
    fn deserialize<D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a size should be text, as \"4 GB\", or a number of bytes"
        )]
        enum BytesOrText {
            Bytes(u64),
            Text(String),
        }
        Ok(match BytesOrText::deserialize(deserializer)? {
            BytesOrText::Bytes(bytes) => Self(bytes.to_string()),
            BytesOrText::Text(text) => Self(text),
        })
    }
}

impl SettingValue for MemorySize {
    const KIND: ValueKind = ValueKind::Size;

    fn check(&self, setting: &Setting, place: &str) -> Result<()> {
        let shown = format!("\"{}\"", self.0);
        match self.bytes() {
            Some(bytes) => setting.check_number(place, bytes as f64, &shown),
            None => Err(setting.refusal(place, &format!("a size, but is {shown}"))),
        }
    }
}

impl SettingValue for PromotionPolicy {
    const KIND: ValueKind = ValueKind::Choice {
        words: &["if-better", "always", "never"],
        check: |word| PromotionPolicy::from_str(word).map(|_| ()),
    };

    fn check(&self, _: &Setting, _: &str) -> Result<()> {
        Ok(())
    }
}

impl SettingValue for Quotes {
    const KIND: ValueKind = ValueKind::Choice {
        words: &["auto", "none"],
        check: |word| Quotes::from_str(word).map(|_| ()),
    };

    fn check(&self, _: &Setting, _: &str) -> Result<()> {
        Ok(())
    }
}
