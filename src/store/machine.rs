//! What the group of processes in which okuo runs may take: a container's limit on memory.

use std::path::{Component, Path, PathBuf};

/// A limit on memory, and the file that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupLimit {
    /// The limit in bytes.
    pub bytes: u64,
    /// The file.
    pub file: String,
}

/// The lowest limit of the process's control groups, of version 2 or 1 (cgroups(7)); `None` if none
/// is lower than the machine's memory.
#[must_use]
pub fn memory_limit() -> Option<GroupLimit> {
    memory_limit_at(Path::new("/"))
}

/// As [`memory_limit`]. `root` is the file system's.
fn memory_limit_at(root: &Path) -> Option<GroupLimit> {
    let groups = read(&root.join("proc/self/cgroup"))?;
    let limits = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let is_of_memory = controllers.split(',').any(|name| name == "memory");
        let places: &[(&str, &str)] = match controllers {
            "" => &[
                ("sys/fs/cgroup", "memory.max"),
                ("sys/fs/cgroup/unified", "memory.max"),
            ],
            _ if is_of_memory => &[("sys/fs/cgroup/memory", "memory.limit_in_bytes")],
            _ => &[],
        };
        places
            .iter()
            .flat_map(|(base, file)| limits_up_from(root, base, path, file))
    });
    let lowest = limits.min_by_key(|limit| limit.bytes)?;
    machine_memory(root)
        .is_none_or(|memory| lowest.bytes < memory)
        .then_some(lowest)
}

/// The limits of a group and of those above it: each holds for all below. In a container the path may
/// be that of the host, of which only the upper end is seen.
fn limits_up_from(root: &Path, base: &str, path: &str, file: &str) -> Vec<GroupLimit> {
    let names = Path::new(path).components();
    let names = names.filter(|name| matches!(name, Component::Normal(_)));
    let group: PathBuf = names.collect();
    let groups = group.ancestors();
    let limit_of = |group: &Path| {
        let place = Path::new(base).join(group).join(file);
        // Without a limit it says `max`, or in version 1 a number that no machine has.
        let bytes = read(&root.join(&place))?.trim().parse().ok()?;
        let file = Path::new("/").join(place).to_string_lossy().into_owned();
        (bytes < 1 << 62).then_some(GroupLimit { bytes, file })
    };
    groups.filter_map(limit_of).collect()
}

/// The machine's memory in bytes.
fn machine_memory(root: &Path) -> Option<u64> {
    let facts = read(&root.join("proc/meminfo"))?;
    let total = facts
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = total.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// A small file of the kernel; `None` if it cannot be read.
fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::io::Write::write_all(
                &mut std::fs::OpenOptions::new()
                    .create(true)
                    .write(true)
                    .truncate(true)
                    .open(path)
                    .unwrap(),
                text.as_bytes(),
            )
            .unwrap();
        }
        root
    }

    fn limit(files: &[(&str, &str)]) -> Option<(u64, String)> {
        let machine = [(
            "proc/meminfo",
            "MemTotal:       24684092 kB\nMemFree: 1 kB\n",
        )];
        let root = root(&[&machine, files].concat());
        memory_limit_at(root.path()).map(|limit| (limit.bytes, limit.file))
    }

    #[test]
    fn a_lower_limit_of_version_2_is_found_where_it_is_nested() {
        let group = ("proc/self/cgroup", "0::/kubepods/pod1/c1\n");
        let files = [
            group,
            ("sys/fs/cgroup/kubepods/pod1/c1/memory.max", "max\n"),
            ("sys/fs/cgroup/kubepods/pod1/memory.max", "2147483648\n"),
            ("sys/fs/cgroup/kubepods/memory.max", "8147483648\n"),
        ];
        let place = "/sys/fs/cgroup/kubepods/pod1/memory.max".to_owned();
        assert_eq!(limit(&files), Some((2_147_483_648, place)));
        // In the container only its own group is seen, at the top.
        let inside = [group, ("sys/fs/cgroup/memory.max", "1000000000\n")];
        let place = "/sys/fs/cgroup/memory.max".to_owned();
        assert_eq!(limit(&inside), Some((1_000_000_000, place)));
        let namespace = [("proc/self/cgroup", "0::/../../c1\n"), inside[1]];
        assert_eq!(limit(&namespace).unwrap().0, 1_000_000_000);
    }

    #[test]
    fn a_lower_limit_of_version_1_is_found_and_no_limit_is_none() {
        let group = (
            "proc/self/cgroup",
            "9:name=systemd:/\n4:cpu,memory:/a/b\n0::/\n",
        );
        let file = "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes";
        let unlimited = "9223372036854771712\n";
        assert_eq!(
            limit(&[group, (file, "536870912\n")]),
            Some((536_870_912, format!("/{file}")))
        );
        assert_eq!(limit(&[group, (file, unlimited)]), None);
        assert_eq!(limit(&[group]), None);
        assert_eq!(limit(&[]), None, "no control groups");
        let all = "99000000000\n";
        assert_eq!(limit(&[group, (file, all)]), None, "more than there is");
    }
}
