//! What a run leaves on record beside its results: which okuo it was, how long each stage took, how
//! much was read, and how much memory it took.
//!
//! None of it decides anything, and nothing is compared by it: two runs of the same night are the
//! same run, however long each took.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// What stands for a commit that is not known.
pub const UNKNOWN: &str = "unknown";

/// The commit of the program that this library is built into. It is told by the program, so that a
/// new commit alone does not build the library anew.
static COMMIT: OnceLock<&'static str> = OnceLock::new();

/// Says from which commit the program was built. The first to say so is heard.
pub fn set_commit(commit: &'static str) {
    // A second program in the same process is built from the same commit.
    _ = COMMIT.set(commit);
}

/// The version with the commit: `0.1.0 (24b6d0b7d123)`.
#[must_use]
pub fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let Build {
            version, commit, ..
        } = Build::current();
        format!("{version} ({commit})")
    })
}

/// Which okuo it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Build {
    /// Its version.
    pub version: String,
    /// The first digits of the commit from which it was built, with `-dirty` if the sources had been
    /// changed since; `unknown` if nobody said so.
    pub commit: String,
    /// The optional parts that it was built with.
    pub features: Vec<String>,
    /// The machine that it was built for, such as `x86_64-unknown-linux-gnu`.
    pub target: String,
    /// The compiler.
    pub rustc: String,
}

impl Build {
    /// This okuo.
    #[must_use]
    pub fn current() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: COMMIT.get().copied().unwrap_or(UNKNOWN).to_owned(),
            features: env!("BUILD_FEATURES")
                .split_terminator(',')
                .map(str::to_owned)
                .collect(),
            target: env!("BUILD_TARGET").to_owned(),
            rustc: env!("BUILD_RUSTC").to_owned(),
        }
    }

    /// Whether it is certain that another okuo made something than the one that makes it now.
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        let is_known = |build: &Self| !matches!(build.commit.as_str(), "" | UNKNOWN);
        self.version != other.version
            || (is_known(self) && is_known(other) && self.commit != other.commit)
    }
}

/// A part of a run whose time is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The registry, the model and the output are looked at.
    Prepare,
    /// The objects of the input are found.
    List,
    /// They are fetched and read.
    Read,
    /// The history is summarized, and the guards judge the feed.
    Summarize,
    /// Models are fitted.
    Train,
    /// The model is measured on the last days.
    Measure,
    /// Features are computed, and the model predicts.
    Predict,
    /// Offers are made, and the tables are written in memory.
    Tables,
    /// Held-out months are evaluated.
    Evaluate,
    /// What was made is stored and made visible.
    Publish,
}

impl Stage {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::List => "list",
            Self::Read => "read",
            Self::Summarize => "summarize",
            Self::Train => "train",
            Self::Measure => "measure",
            Self::Predict => "predict",
            Self::Tables => "tables",
            Self::Evaluate => "evaluate",
            Self::Publish => "publish",
        }
    }
}

/// What was measured of a run, up to the moment when it was written down.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// Which okuo it was.
    pub build: Build,
    /// The stage in which it was written down: where a run failed.
    pub stage: Option<String>,
    /// Seconds from the beginning on.
    pub total_seconds: Option<f64>,
    /// Seconds by stage.
    pub seconds: BTreeMap<String, f64>,
    /// Objects of the input whose reading has begun.
    pub objects_read: u64,
    /// Their size in the store, in bytes. An object that is read twice counts twice.
    pub bytes_read: u64,
    /// The most memory that the process has taken so far, in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
}

impl Measured {
    /// Where nothing is known but which okuo it was.
    #[must_use]
    pub fn of_build() -> Self {
        Self {
            build: Build::current(),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(version: &str, commit: &str) -> Build {
        Build {
            version: version.to_owned(),
            commit: commit.to_owned(),
            ..Build::default()
        }
    }

    #[test]
    fn another_okuo_is_told_by_version_and_by_a_known_commit() {
        let this = build("0.1.0", "24b6d0b7d123");
        assert!(!this.differs(&this));
        assert!(!this.differs(&build("0.1.0", UNKNOWN)) && !this.differs(&build("0.1.0", "")));
        assert!(this.differs(&build("0.1.0", "24b6d0b7d123-dirty")));
        assert!(this.differs(&build("0.0.9", UNKNOWN)));
    }

    #[test]
    fn a_record_of_another_okuo_is_read_as_far_as_it_goes() {
        let read: Measured = serde_json::from_str("{\"bytes_read\": 3, \"later\": []}").unwrap();
        assert_eq!((read.bytes_read, read.build), (3, Build::default()));
    }

    #[test]
    fn stages_have_the_names_that_they_are_written_with() {
        for stage in [Stage::Prepare, Stage::Summarize, Stage::Publish] {
            assert_eq!(serde_json::to_value(stage).unwrap(), stage.name());
        }
    }
}
