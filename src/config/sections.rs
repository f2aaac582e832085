//! The tables of okuo.toml: those that are read here, and where the others are declared.
//!
//! `[rule]`, `[offers]` and `[training]` are declared by the rooms whose parameters they are.

use std::str::FromStr;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use super::HISTORY_DAYS;
use crate::error::Result;
use crate::ingest::ColumnNames;
use crate::models::Parameters;
use crate::offers::OfferParameters;
use crate::publish::promotion::PromotionPolicy;
use crate::recurrence::Rule;
use crate::settings::{Allowed, Scope, Setting, SettingValue, ValueKind, section};

section! {
    /// Everything that okuo.toml may say.
    pub struct AllSettings {
        /// What the columns of the tickets are called
        #[setting(
            default = ColumnSettings::default(),
            flag(Scope::Tickets),
            heading("Input")
        )]
        pub columns: ColumnSettings,
        /// Where the tickets are, and how they are read
        #[setting(default = InputSettings::default(), flag(Scope::Tickets), heading("Input"))]
        pub input: InputSettings,
        /// Which customers are recurrent
        #[setting(default = Rule::default(), flag(Scope::Tickets), heading("Recurrence rule"))]
        pub rule: Rule,
        /// Which likely products are offered, to whom and when
        #[setting(default = OfferParameters::default())]
        pub offers: OfferParameters,
        /// How models are fitted
        #[setting(default = Parameters::default())]
        pub training: Parameters,
        /// Registry of models: a folder or prefix, local or s3://
        #[setting(default = "models".into(), flag(Scope::Registry), value("URI"))]
        pub registry: String,
        /// Where the night's tables are published: a folder or prefix, local or s3://
        #[setting(default = None, flag(Scope::Publishing), short('o'), value("URI"))]
        pub output: Option<String>,
        /// When a new model replaces the promoted one: if-better, always or never
        #[setting(
            default = PromotionPolicy::default(),
            flag(Scope::Training),
            value("WHEN")
        )]
        pub promote: PromotionPolicy,
        /// Number of threads; results do not depend on it
        #[setting(
            default = None,
            default_note("one a core"),
            allowed(Allowed::Between(1.0, 1_024.0)),
            flag(Scope::Computing),
            value("N"),
            hint("leave it out for one a core; results do not depend on it")
        )]
        pub threads: Option<usize>,
        /// Memory that the history may take, such as 4GB, at least 100MB. A larger history is set
        /// aside in TMPDIR and read part by part
        #[setting(
            default = None,
            default_note("as much as it needs"),
            allowed(Allowed::AtLeast(1e8)),
            flag(Scope::Tickets),
            value("SIZE"),
            hint("write a number and a unit, such as 4GB or 512MiB; without it, a history takes as much memory as it needs")
        )]
        pub memory_limit: Option<MemorySize>,
    }
}

section! {
    /// `[columns]`.
    pub struct ColumnSettings {
        /// Column of the customer's id
        #[setting(default = ColumnNames::default().customer, value("COLUMN"))]
        pub customer: String,
        /// Column of the product's id
        #[setting(default = ColumnNames::default().product, value("COLUMN"))]
        pub product: String,
        /// Column of the time
        #[setting(default = ColumnNames::default().time, value("COLUMN"))]
        pub time: String,
        /// Column of the quantity; lines of 0 or less are returns
        #[setting(default = None, default_note("quantity, if it exists"), value("COLUMN"))]
        pub quantity: Option<String>,
    }
}

section! {
    /// `[input]`.
    pub struct InputSettings {
        /// Tickets: a file, a folder, a prefix (all .csv, .csv.gz, .csv.zst and .parquet below it) or a
        /// glob; local or s3://
        #[setting(default = vec![], long("input"), short('i'), value("URI"), spaces(), first())]
        pub paths: Vec<String>,
        /// Time zone of the store, such as America/New_York: it decides on which day a sale falls
        #[setting(default = "UTC".into(), value("ZONE"))]
        pub time_zone: String,
        /// Times without a zone are UTC, not store-local
        #[setting(default = false, value("BOOL"))]
        pub utc: bool,
        /// Hour at which the store's day begins: earlier sales belong to the day before
        #[setting(
            default = 0,
            allowed(Allowed::Between(0.0, 23.0)),
            value("HOUR"),
            hint("sales before this hour belong to the day before: 4 where the till closes after midnight, else 0")
        )]
        pub day_start: u8,
        /// Largest share of bad lines that is accepted
        #[setting(
            default = 0.001,
            allowed(Allowed::SHARE),
            value("SHARE"),
            hint("it is a share: 0.001 allows one bad line in a thousand")
        )]
        pub max_bad_share: f64,
        /// Days of history to use, at least 90: older lines are counted and left out
        #[setting(
            default = HISTORY_DAYS,
            // Tables have counts of 90 days.
            allowed(Allowed::Between(90.0, 36_500.0)),
            value("DAYS"),
            hint("it says how long ago a purchase may be to count; leave it out for two years")
        )]
        pub history_days: u32,
        /// Id of a product that does not count as a purchase, such as fuel or bags; may be given several
        /// times
        #[setting(default = vec![], long("exclude-product"), value("ID"))]
        pub exclude_products: Vec<String>,
    }
}

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
        enum Written {
            Bytes(u64),
            Text(String),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Bytes(bytes) => Self(bytes.to_string()),
            Written::Text(text) => Self(text),
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
