//! Checks of the readers of `/proc`: a program's name is chosen by whoever starts it.

use super::proc::{Stat, Status, open_files};

/// Numbers are sound, and a program's name moves no field.
pub(crate) fn proc(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let sound = |number: f64| assert!(number >= 0.0, "{number}");
    if let Some(stat) = Stat::parse(&text) {
        sound(stat.user_seconds);
        sound(stat.system_seconds);
        sound(stat.started_after_boot);
        assert_eq!(Stat::parse(&format!("1 (a) R) {text}")), Some(stat));
    }
    let fields = "S 1 7 7 0 -1 4194304 6 0 3 0 150 50 0 0 20 0 9 0 1000 0 0";
    let named = Stat::parse(&format!("7 ({text}) {fields}"));
    assert_eq!(named, Stat::parse(&format!("7 (name) {fields}")));
    let status = Status::parse(&text);
    assert!(status.allowed_cpus.is_none_or(|cpus| cpus > 0));
    if let Some(files) = open_files(&text) {
        sound(files);
    }
}
