//! The best hits after a place.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader};

/// Where a hit stands: better hits first, and of equal ones the newer product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place(pub u32, pub u64);

/// Collects the `limit` best hits that stand after `after`.
pub(super) struct Best {
    pub(super) limit: usize,
    pub(super) after: Option<Place>,
    pub(super) scored: bool,
    pub(super) position: &'static str,
}

type Hits = Vec<(Place, DocAddress)>;

pub(super) struct InSegment {
    segment: SegmentOrdinal,
    positions: Column<u64>,
    limit: usize,
    after: Option<Place>,
    best: BinaryHeap<Reverse<(Place, DocAddress)>>,
}

impl Collector for Best {
    type Fruit = Hits;
    type Child = InSegment;

    fn for_segment(
        &self,
        segment: SegmentOrdinal,
        reader: &SegmentReader,
    ) -> tantivy::Result<InSegment> {
        Ok(InSegment {
            segment,
            positions: reader.fast_fields().u64(self.position)?,
            limit: self.limit,
            after: self.after,
            best: BinaryHeap::new(),
        })
    }

    fn requires_scoring(&self) -> bool {
        self.scored
    }

    fn merge_fruits(&self, segments: Vec<Hits>) -> tantivy::Result<Hits> {
        let mut hits: Hits = segments.into_iter().flatten().collect();
        hits.sort_unstable_by(|a, b| b.cmp(a));
        hits.truncate(self.limit);
        Ok(hits)
    }
}

impl SegmentCollector for InSegment {
    type Fruit = Hits;

    fn collect(&mut self, doc: DocId, score: Score) {
        let Some(position) = self.positions.first(doc) else {
            return;
        };
        // Scores are sums of small whole numbers, which a float holds exactly.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let place = Place(score as u32, position);
        if self.after.is_some_and(|after| place >= after) {
            return;
        }
        self.best
            .push(Reverse((place, DocAddress::new(self.segment, doc))));
        if self.best.len() > self.limit {
            self.best.pop();
        }
    }

    fn harvest(self) -> Hits {
        self.best.into_iter().map(|Reverse(hit)| hit).collect()
    }
}
