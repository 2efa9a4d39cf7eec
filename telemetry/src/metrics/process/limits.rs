//! How much CPU and memory the process can have: the tightest bound of its control group and
//! those around it, or else what the machine has.
//!
//! [Version 2](https://docs.kernel.org/admin-guide/cgroup-v2.html) has one tree,
//! [version 1](https://docs.kernel.org/admin-guide/cgroup-v1/) one for each controller. A
//! container sees its own group as the root of the mount.

use std::fs;
use std::path::{Path, PathBuf};

use super::proc;

/// Where control groups are mounted, by convention of systemd and of all container runtimes.
const MOUNT: &str = "/sys/fs/cgroup";

/// CPUs, or parts of them.
pub(super) fn cpu(allowed: Option<u32>) -> Option<f64> {
    let groups = Groups::of_this_process();
    let allowed = allowed.map(f64::from);
    let share = groups.tightest(cpu_v2, "cpu", cpu_v1);
    match (share, allowed) {
        (Some(share), Some(allowed)) => Some(share.min(allowed)),
        (share, allowed) => share.or(allowed),
    }
}

/// Bytes.
pub(super) fn memory() -> Option<f64> {
    let groups = Groups::of_this_process();
    let total = proc::total_memory().map(|bytes| bytes as f64);
    let group = groups.tightest(memory_v2, "memory", memory_v1);
    match (group, total) {
        // Version 1 says "no limit" by a number that no machine reaches.
        (Some(group), Some(total)) => Some(group.min(total)),
        (group, total) => group.or(total),
    }
}

/// Which groups the process is in: the lines of `/proc/self/cgroup`.
#[derive(Debug)]
struct Groups {
    mount: PathBuf,
    lines: String,
}

/// Reads the limit of one group's directory, if it has one.
type Read = fn(&Path) -> Option<f64>;

impl Groups {
    fn of_this_process() -> Groups {
        Groups {
            mount: MOUNT.into(),
            lines: fs::read_to_string("/proc/self/cgroup").unwrap_or_default(),
        }
    }

    fn tightest(&self, v2: Read, controller: &str, v1: Read) -> Option<f64> {
        let unified = self.path_of(str::is_empty);
        let own = self.path_of(|controllers| controllers.split(',').any(|one| one == controller));
        // Both versions mounted side by side have the new one below `unified`.
        let limits = [
            along(&self.mount, unified, v2),
            along(&self.mount.join("unified"), unified, v2),
            along(&self.mount.join(controller), own, v1),
        ];
        limits.into_iter().flatten().reduce(f64::min)
    }

    fn path_of(&self, is: impl Fn(&str) -> bool) -> Option<&str> {
        self.lines.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            is(controllers).then_some(path)
        })
    }
}

/// The lowest limit from a group up to the root of the mount.
fn along(mount: &Path, group: Option<&str>, read: Read) -> Option<f64> {
    let group = mount.join(group?.trim_start_matches('/'));
    let within = group.ancestors().take_while(|at| at.starts_with(mount));
    within.filter_map(read).reduce(f64::min)
}

fn cpu_v2(group: &Path) -> Option<f64> {
    let limit = fs::read_to_string(group.join("cpu.max")).ok()?;
    let (quota, period) = limit.trim().split_once(' ')?;
    // `max` is not a number.
    share(quota.parse().ok()?, period.parse().ok()?)
}

fn cpu_v1(group: &Path) -> Option<f64> {
    let number = |file| -> Option<f64> {
        let text = fs::read_to_string(group.join(file)).ok()?;
        text.trim().parse().ok()
    };
    share(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)
}

/// A quota of -1 is none.
fn share(quota: f64, period: f64) -> Option<f64> {
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

fn memory_v2(group: &Path) -> Option<f64> {
    bytes(&group.join("memory.max"))
}

fn memory_v1(group: &Path) -> Option<f64> {
    bytes(&group.join("memory.limit_in_bytes"))
}

fn bytes(file: &Path) -> Option<f64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(name: &str, lines: &str, files: &[(&str, &str)]) -> Groups {
        let mount = std::env::temp_dir().join(format!("cgroup-{name}-{}", std::process::id()));
        for (file, content) in files {
            let file = mount.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        Groups {
            mount,
            lines: lines.to_owned(),
        }
    }

    #[test]
    fn the_tightest_group_around_decides() {
        let groups = groups(
            "v2",
            "0::/city/orders\n",
            &[
                ("city/orders/cpu.max", "max 100000\n"),
                ("city/cpu.max", "150000 100000\n"),
                ("city/orders/memory.max", "1073741824\n"),
                ("city/memory.max", "536870912\n"),
            ],
        );
        assert_eq!(groups.tightest(cpu_v2, "cpu", cpu_v1), Some(1.5));
        assert_eq!(
            groups.tightest(memory_v2, "memory", memory_v1),
            Some(536_870_912.0)
        );
        fs::remove_dir_all(&groups.mount).unwrap();
    }

    #[test]
    fn the_old_controllers_have_trees_of_their_own() {
        let groups = groups(
            "v1",
            "4:memory:/one\n2:cpu,cpuacct:/other\n0::/\n",
            &[
                ("memory/one/memory.limit_in_bytes", "9223372036854771712\n"),
                ("memory/memory.limit_in_bytes", "4096\n"),
                ("cpu/other/cpu.cfs_quota_us", "-1\n"),
                ("cpu/other/cpu.cfs_period_us", "100000\n"),
            ],
        );
        assert_eq!(groups.tightest(cpu_v2, "cpu", cpu_v1), None);
        let memory = groups.tightest(memory_v2, "memory", memory_v1);
        assert_eq!(memory, Some(4096.0));
        fs::remove_dir_all(&groups.mount).unwrap();
    }
}
