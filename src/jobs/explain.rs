//! Explain one customer on one night.

use std::borrow::Cow;

use super::registry::load_for_night;
use super::tickets::days_up_to;
use super::{Progress, Purpose, Tickets, compute};
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::Result;
use crate::lift::LearnedMix;
use crate::models::explain::{self, Explanation};
use crate::purchases::{Partitions, Purchases};

/// What is asked of [`explain()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainRequest {
    /// The customer's id, as it stands in the tickets.
    pub customer: String,
    /// The night to speak from.
    pub as_of: AsOf,
    /// A model of the registry by its id, or a model file; if `None`, the promoted model for the
    /// night ([`AS_OF_MODEL`](super::AS_OF_MODEL)).
    pub model: Option<String>,
    /// How many of the likeliest products are explained, at most [`crate::domain::MAX_RANK`].
    pub products: usize,
}

/// Explains what okuo knows and predicts of one customer, recurrent or not.
///
/// # Errors
/// If the model cannot be used on the night, the tickets cannot be read, or the customer is not in
/// them.
pub async fn explain(
    config: &Config,
    request: &ExplainRequest,
    progress: &dyn Progress,
) -> Result<Explanation> {
    config.required_inputs()?;
    let named = request.model.as_deref();
    let (model, config) = load_for_night(config, named, request.as_of, progress).await?;
    let days = days_up_to(request.as_of, &config);
    let mut tickets = Tickets::read(&config, days, Purpose::Scoring, progress).await?;
    progress.stage("looking at the store");
    let night = tickets.summarize_night(&config, &model, request.as_of, progress, &mut |_| {})?;
    progress.stage("looking at the store and the customer");
    compute(|| {
        let purchases = partition_of(&*tickets.partitions, &request.customer)?;
        let mut explanation = explain::explain(
            &model.model,
            &model.id(),
            &purchases,
            night,
            &request.customer,
            request.products,
        )?;
        let customer = tickets.partitions.customers().code(&request.customer);
        let details = tickets.details(request.as_of, customer.as_slice());
        explanation.add_details(&details, tickets.partitions.products());
        let learned = model.header.description.learned_mix.as_ref();
        explanation.offer_mix = learned.map(LearnedMix::in_words);
        Ok(explanation)
    })
}

/// The partition that has the customer; if none has, any.
fn partition_of<'a>(partitions: &'a dyn Partitions, customer: &str) -> Result<Cow<'a, Purchases>> {
    if let Some(code) = partitions.customers().code(customer) {
        for at in 1..partitions.count() {
            let partition = partitions.partition(at)?;
            if partition.has(code) {
                return Ok(partition);
            }
        }
    }
    partitions.partition(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::examples::{NIGHT, read, store};
    use crate::purchases::tests::limited;

    #[test]
    fn every_customer_is_found_in_one_of_many_partitions() {
        let whole = read(store(80, 250, 1));
        let partitions = limited(&whole, 1_000).partitions().unwrap();
        assert!(partitions.count() > 10, "{}", partitions.count());
        for code in 0..whole.customers().len() as u32 {
            let id = whole.customers().get(code).unwrap().to_string();
            let partition = partition_of(&*partitions, &id).unwrap();
            assert!(
                partition
                    .until(NIGHT)
                    .purchases_of(code)
                    .iter()
                    .eq(whole.until(NIGHT).purchases_of(code).iter()),
                "{id}"
            );
        }
        assert!(partition_of(&*partitions, "nobody").is_ok());
    }
}
