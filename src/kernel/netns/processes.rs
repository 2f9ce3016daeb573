//! Which processes are in a namespace, and the units that they belong to.
//!
//! `/proc/PID/ns/net` is that of the process's first thread (`namespaces(7)`); `/proc/PID/cgroup` names the unit, as
//! systemd gives each a control group of the same name (`cgroups(7)`, `systemd.unit(5)`). Processes come and go while
//! this looks, so one that cannot be read is left out.

use super::super::error::Error;
use super::{Identity, Namespace};
use std::fs;

/// A process in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// The unit whose control group it is in, if any.
    pub unit: Option<String>,
}

/// The processes whose namespace it is, by number.
pub fn pids(namespace: &Namespace) -> Result<Vec<Process>, Error> {
    let unit = |pid: u32| unit_of(&fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default());
    let mut found: Vec<Process> =
        inhabitants(namespace.identity())?.map(|pid| Process { pid, unit: unit(pid) }).collect();
    found.sort();
    Ok(found)
}

/// Whether a process is in a namespace, whose name may be gone.
pub fn is_inhabited(namespace: Identity) -> Result<bool, Error> {
    Ok(inhabitants(namespace)?.next().is_some())
}

fn inhabitants(namespace: Identity) -> Result<impl Iterator<Item = u32>, Error> {
    let entries = fs::read_dir("/proc").map_err(|e| Error::io("read /proc", &e))?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    Ok(numbers.filter(move |pid| of_process(*pid) == Some(namespace)))
}

/// The network namespace of a process; none when it has ended.
pub fn of_process(pid: u32) -> Option<Identity> {
    fs::metadata(format!("/proc/{pid}/ns/net")).ok().map(|m| Identity::from(&m))
}

/// The unit in the lines of a `cgroup` file: of the unified hierarchy, or of systemd's own on older set-ups.
fn unit_of(lines: &str) -> Option<String> {
    let group = |prefix: &str| lines.lines().find_map(|line| line.split_once(prefix).map(|(_, path)| path));
    let path = group("0::").filter(|path| *path != "/").or_else(|| group(":name=systemd:"))?;
    let suffixes = [".service", ".scope", ".socket", ".mount", ".swap"];
    let is_unit = |part: &&str| suffixes.iter().any(|suffix| part.ends_with(suffix));
    path.rsplit('/').find(is_unit).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_the_innermost_control_group_that_is_one() {
        assert_eq!(unit_of("0::/system.slice/nginx.service\n").as_deref(), Some("nginx.service"));
        assert_eq!(unit_of("0::/system.slice/a.service/payload\n").as_deref(), Some("a.service"));
        assert_eq!(unit_of("1:name=systemd:/user.slice/session-1.scope\n0::/\n").as_deref(), Some("session-1.scope"));
        assert_eq!(unit_of("0::/\n"), None);
        assert_eq!(unit_of(""), None);
    }
}
