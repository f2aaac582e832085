//! Settings that come from the machine, below all that someone gave.

use super::declared::declared;
use super::layer::{Layer, SettingSource};
use crate::store::{self, GroupLimit};

/// A smaller limit than the setting allows is as the least one.
const LEAST: u64 = 100_000_000;

/// What the history may take of the memory that a process may: half of it, since the history is not
/// all that needs memory.
#[must_use]
pub(crate) fn half_of_memory(bytes: u64) -> u64 {
    (bytes / 2).max(LEAST)
}

impl Layer {
    /// `memory_limit` as half of what the process's control group may take, if that is lower than the
    /// machine's memory.
    #[must_use]
    pub fn of_machine() -> Self {
        Self::within(store::memory_limit())
    }

    /// As [`Layer::of_machine`], where a control group limits its memory to this.
    #[cfg(test)]
    pub(crate) fn within_bytes(bytes: u64) -> Self {
        let file = "/sys/fs/cgroup/memory.max".to_owned();
        Self::within(Some(GroupLimit { bytes, file }))
    }

    fn within(limit: Option<GroupLimit>) -> Self {
        let mut layer = Self::default();
        let setting = declared()
            .iter()
            .find(|declared| declared.path == "memory_limit");
        if let Some((setting, limit)) = setting.zip(limit) {
            let bytes = half_of_memory(limit.bytes).to_string();
            let source = SettingSource::ControlGroup(limit.file);
            layer.set(setting, toml::Value::String(bytes), source);
        }
        layer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_a_setting_below_all_others_with_its_origin() {
        let in_force = |bytes: u64, above: Layer| {
            let file = "/sys/fs/cgroup/memory.max".to_owned();
            let layer = above.over(Layer::within(Some(GroupLimit { bytes, file })));
            let config = layer.check().unwrap();
            let settings = config.given.in_force().unwrap().into_iter();
            let mut named = settings.filter(|it| it.declared.path == "memory_limit");
            let source = named.next().unwrap().source;
            (config.memory_limit, source.is_given(), source.to_string())
        };
        let origin = "control group (/sys/fs/cgroup/memory.max)".to_owned();
        assert_eq!(
            in_force(2_000_000_000, Layer::default()),
            (Some(1_000_000_000), false, origin.clone())
        );
        assert_eq!(
            in_force(150_000_000, Layer::default()),
            (Some(LEAST), false, origin),
            "no less than the setting allows"
        );
        let own = Layer::parse("okuo.toml", "memory_limit = \"4 GB\"").unwrap();
        assert_eq!(
            in_force(2_000_000_000, own),
            (Some(4_000_000_000), true, "okuo.toml".to_owned())
        );
    }
}
