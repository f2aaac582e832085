//! The candidates of a customer on past nights, as they were then.

use super::snapshots::Snapshot;
use crate::features::basket::{BasketScratch, CustomerBaskets};
use crate::features::store_snapshot::StoreSnapshot;
use crate::features::timing::TimingFeatures;
use crate::models::timing::TimingModel;
use crate::purchases::{CustomerPurchases, History};

impl Snapshot {
    /// The basket that followed, its products ascending.
    pub(super) fn basket<'h>(&self, history: &History<'h>) -> &'h [u32] {
        history
            .following(self.customer, self.night)
            .map_or(&[][..], |(_, basket)| basket)
    }
}

/// Looks at the snapshots of one customer, whose nights ascend.
pub(super) struct SnapshotLooker<'a> {
    timing: &'a TimingModel,
    purchases: CustomerPurchases<'a>,
    timing_features: TimingFeatures,
    baskets: CustomerBaskets<'a>,
}

impl<'a> SnapshotLooker<'a> {
    pub(super) fn new(
        history: &History<'a>,
        timing: &'a TimingModel,
        customer: u32,
        scratch: &'a mut BasketScratch,
    ) -> Self {
        let purchases = history.purchases_of(customer);
        let baskets = CustomerBaskets::new(history.customers().key(customer), purchases, scratch);
        Self {
            timing,
            purchases,
            timing_features: TimingFeatures::default(),
            baskets,
        }
    }

    /// The candidates on a night and their features.
    pub(super) fn look(&mut self, store: &StoreSnapshot) -> &BasketScratch {
        let expected =
            self.timing
                .expected_days(&mut self.timing_features, &self.purchases, store.night());
        self.baskets.on(store, expected)
    }
}
