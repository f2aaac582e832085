//! What the system says of this process.

/// The most memory that the process has taken so far, in bytes; `None` where the system does not
/// tell.
#[must_use]
pub fn peak_memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    peak_of(&status)
}

/// The peak in a text such as `VmHWM:  6420 kB`.
fn peak_of(status: &str) -> Option<u64> {
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_where_the_system_tells_it() {
        assert_eq!(
            peak_of("Name:\tokuo\nVmHWM:\t    6420 kB\nVmRSS:\t  1 kB\n"),
            Some(6420 * 1024)
        );
        assert_eq!(peak_of("Name:\tokuo\n"), None);
        assert_eq!(peak_of("VmHWM:\tmany\n"), None);
        if cfg!(target_os = "linux") {
            assert!(peak_memory_bytes() > Some(1 << 20));
        }
    }
}
