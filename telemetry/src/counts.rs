//! What became of every span.

use std::fmt;
use std::time::Duration;

/// Why a span was not delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// The queue had reached its bound: the collector is away or too slow.
    QueueFull,
    /// The collector refused it and said not to try again.
    Rejected,
    /// The collector did not take it in any of the attempts.
    RetriesExhausted,
    /// The span was larger than 2 MiB.
    TooLarge,
    /// It was still here when the deadline of the shutdown passed, or came after it.
    Shutdown,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [DropReason; 5] = [
        DropReason::QueueFull,
        DropReason::Rejected,
        DropReason::RetriesExhausted,
        DropReason::TooLarge,
        DropReason::Shutdown,
    ];

    /// The reason as a metric's label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DropReason::QueueFull => "queue_full",
            DropReason::Rejected => "rejected",
            DropReason::RetriesExhausted => "retries_exhausted",
            DropReason::TooLarge => "too_large",
            DropReason::Shutdown => "shutdown",
        }
    }
}

/// Spans by what became of them: `produced == exported + dropped() + queued`, in every snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanCounts {
    /// Ended and sampled.
    pub produced: u64,
    /// Taken by the collector.
    pub exported: u64,
    /// Waiting in a thread's buffer, in the queue or in a request under way.
    pub queued: u64,
    /// Bytes in the queue and in the request under way; what threads still hold is not in it.
    pub queued_bytes: u64,
    pub(crate) dropped: [u64; DropReason::ALL.len()],
}

impl SpanCounts {
    /// Lost, for whatever reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Lost for one reason.
    #[must_use]
    pub fn dropped_for(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize]
    }

    fn write_reasons(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for reason in DropReason::ALL {
            let lost = self.dropped_for(reason);
            if lost > 0 {
                write!(f, ", {} {lost}", reason.as_str())?;
            }
        }
        Ok(())
    }
}

/// What a shutdown achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownReport {
    /// The final counts; nothing is queued any more.
    pub spans: SpanCounts,
    /// Spans delivered during the shutdown itself.
    pub flushed: u64,
    /// The final counts of log records, if they leave by OTLP.
    pub logs: SpanCounts,
    /// How long it took.
    pub elapsed: Duration,
}

impl ShutdownReport {
    /// No span and no log record was lost, now or before.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.spans.dropped() == 0 && self.logs.dropped() == 0
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SpanCounts {
            produced, exported, ..
        } = self.spans;
        write!(
            f,
            "{exported} of {produced} spans exported, {} of them during shutdown ({} ms); {} lost",
            self.flushed,
            self.elapsed.as_millis(),
            self.spans.dropped()
        )?;
        self.spans.write_reasons(f)?;
        let SpanCounts {
            produced, exported, ..
        } = self.logs;
        if produced > 0 {
            let lost = self.logs.dropped();
            write!(
                f,
                "; {exported} of {produced} log records exported; {lost} lost"
            )?;
            self.logs.write_reasons(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_what_was_lost_and_why() {
        let mut spans = SpanCounts {
            produced: 10,
            exported: 7,
            ..SpanCounts::default()
        };
        spans.dropped[DropReason::QueueFull as usize] = 2;
        spans.dropped[DropReason::Shutdown as usize] = 1;
        let mut logs = SpanCounts::default();
        let mut report = ShutdownReport {
            spans,
            flushed: 3,
            logs,
            elapsed: Duration::from_millis(12),
        };
        assert!(!report.is_complete());
        assert_eq!(
            report.to_string(),
            "7 of 10 spans exported, 3 of them during shutdown (12 ms); 3 lost, queue_full 2, \
             shutdown 1"
        );
        logs.produced = 5;
        logs.exported = 4;
        logs.dropped[DropReason::Rejected as usize] = 1;
        report.logs = logs;
        let text = report.to_string();
        let ends = "; 4 of 5 log records exported; 1 lost, rejected 1";
        assert!(text.ends_with(ends), "{text}");
    }
}
