//! Memory of this process, as Linux counts it; elsewhere unknown.

use serde::Serialize;

/// Resident memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// At its peak since the last [`Memory::restart_peak`].
    pub peak: u64,
    /// Now.
    pub resident: u64,
}

impl Memory {
    /// What the process holds; `None` where the system does not say.
    pub fn now() -> Option<Self> {
        Self::read(&std::fs::read_to_string("/proc/self/status").ok()?)
    }

    /// Lets the peak begin anew at what is held now, where the system can.
    pub fn restart_peak() {
        // Without it the peak is that of the whole process, which is still true.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }

    fn read(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
        };
        Some(Self { peak: field("VmHWM")?, resident: field("VmRSS")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_understood() {
        let status = "Name:\tguesswork\nVmHWM:\t    5120 kB\nVmRSS:\t    4096 kB\n";
        assert_eq!(Memory::read(status), Some(Memory { peak: 5 << 20, resident: 4 << 20 }));
        assert_eq!(Memory::read("Name:\tguesswork\n"), None);
    }
}
