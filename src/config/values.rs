//! Types of settings that only okuo.toml has.

use std::str::FromStr;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
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

/// How lines on stderr are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object of JSON each.
    Json,
}

impl FromStr for LogFormat {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(
                Error::request(format!("\"{text}\" is not a format of the log"))
                    .hint("write text for people, or json for a collector of logs"),
            ),
        }
    }
}

impl SettingValue for LogFormat {
    const KIND: ValueKind = ValueKind::Choice {
        words: &["text", "json"],
        check: |word| LogFormat::from_str(word).map(|_| ()),
    };

    fn check(&self, _: &Setting, _: &str) -> Result<()> {
        Ok(())
    }
}

/// How a run's figures about itself are told when it ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricsFormat {
    /// Not at all.
    #[default]
    None,
    /// As a line in the embedded metric format of CloudWatch.
    Emf,
}

impl FromStr for MetricsFormat {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            "emf" => Ok(Self::Emf),
            _ => Err(
                Error::request(format!("\"{text}\" is not a format of metrics"))
                    .hint("write emf for CloudWatch, or none"),
            ),
        }
    }
}

impl SettingValue for MetricsFormat {
    const KIND: ValueKind = ValueKind::Choice {
        words: &["none", "emf"],
        check: |word| MetricsFormat::from_str(word).map(|_| ()),
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
