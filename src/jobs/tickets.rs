//! Tickets that have been read, and their summary for a night.

use std::sync::Arc;

use bytes::Bytes;

use super::{Progress, StoredModel, compute};
use crate::calendar::{AsOf, RECENT_DAYS};
use crate::config::Config;
use crate::domain::words::in_shell;
use crate::domain::{Details, Id, Ids, OwnedId};
use crate::error::{Error, Result};
use crate::ingest::report::Report;
use crate::ingest::{self, FeedDays, MailingTable, MergedCards, NeededDays, ProductTable, Reader};
use crate::models::{self, NightSummary};
use crate::publish::manifest::ManifestInput;
use crate::purchases::{Facts, History, Partitions};
use crate::recurrence::{PopulationSummary, RecentPurchases};
use crate::store::{InputObject, sha256_hex};

/// What tickets are read for. It decides how many days of history are needed at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To train a model.
    Training,
    /// To use a model that exists.
    Scoring,
}

/// At most so many products that stand in nearly all purchases are named.
const FREQUENT_PRODUCTS: usize = 5;

/// Tickets that have been read.
pub struct Tickets {
    /// The purchases, in one or more partitions of the customers.
    pub partitions: Box<dyn Partitions + Send>,
    /// What became of each line.
    pub lines: Report,
    /// What was read of each day.
    pub feed: FeedDays,
    /// The objects that were read.
    pub objects: Vec<ManifestInput>,
    /// What lines tell beside purchases, where it is mapped.
    pub facts: Facts,
    /// What products are called, if there is a table of it.
    pub products: Option<ProductTable>,
    /// Who may be mailed, if there is a table of it.
    pub mailing: Option<MailingTable>,
    /// Which customers go on in the place of others, if there is a table of it.
    pub merged: Option<Arc<MergedCards>>,
}

impl Tickets {
    /// Reads the given days of the configured inputs.
    ///
    /// # Errors
    /// If no input is configured, `history_days` is shorter than the purpose needs, or as
    /// [`ingest::read`].
    pub async fn read(
        config: &Config,
        days: NeededDays,
        purpose: Purpose,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let uris = config.required_inputs()?;
        check_history_days(config, purpose)?;
        let each = |count: usize, object: &InputObject| progress.object(object, count);
        let (ingested, mut found) =
            ingest::read(uris, &config.input, days, config.memory_limit, &each).await?;
        for warning in &ingested.warnings {
            progress.warning(warning);
        }
        let partitions = compute(|| ingested.purchases.partitions())?;
        let products = match purpose {
            // A model knows products by their ids.
            Purpose::Training => None,
            Purpose::Scoring => ingest::read_products(&config.input, &each).await?,
        };
        let products = products.map(|(products, objects)| {
            found.extend(objects);
            for warning in products.warnings(partitions.products()) {
                progress.warning(&warning);
            }
            products
        });
        let mailing = match purpose {
            Purpose::Training => None,
            Purpose::Scoring => ingest::read_mailing(&config.input, &each).await?,
        };
        let mailing = mailing.map(|(mailing, objects)| {
            if ingested.merged.is_none() {
                // Else they were read before.
                found.extend(objects);
            }
            for warning in &mailing.warnings {
                progress.warning(warning);
            }
            if let Some(warning) = mailing.warning_of_unknown(partitions.customers()) {
                progress.warning(&warning);
            }
            mailing
        });
        Ok(Self {
            mailing,
            merged: ingested.merged,
            partitions,
            lines: ingested.report,
            feed: ingested.feed,
            objects: found.into_iter().map(manifest_input).collect(),
            facts: ingested.facts,
            products,
        })
    }

    /// Reads what products are called for a training. Its model knows products by their ids: without
    /// the table only names are missing in what is said of it, so a table that cannot be read is a
    /// warning.
    pub(super) async fn read_names(&mut self, config: &Config, progress: &dyn Progress) {
        let each = |count: usize, object: &InputObject| progress.object(object, count);
        match ingest::read_products(&config.input, &each).await {
            Ok(products) => self.products = products.map(|(products, _)| products),
            Err(error) => progress.warning(&format!("products are not named: {error}")),
        }
    }

    /// Reads all days of one object that is already in memory. `name` names it in messages and in a
    /// manifest.
    ///
    /// # Errors
    /// As [`Reader::object`] and [`Reader::finish`].
    pub fn from_object(config: &Config, name: &str, content: Bytes) -> Result<Self> {
        let object = ManifestInput {
            object: name.to_owned(),
            size: content.len() as u64,
            etag: sha256_hex(&content),
        };
        let ingested = compute(|| {
            let mut reader = Reader::new(&config.input, None);
            reader.object(name, content)?;
            reader.finish()
        })?;
        Ok(Self {
            partitions: Box::new(ingested.purchases),
            lines: ingested.report,
            feed: ingested.feed,
            objects: vec![object],
            facts: ingested.facts,
            products: None,
            mailing: None,
            merged: ingested.merged,
        })
    }

    /// The code of a customer, or of the one that goes on in its place.
    pub(super) fn code_of_customer(&self, id: Id<'_>) -> Option<u32> {
        let customers = self.partitions.customers();
        let merged = self.merged.as_ref();
        match merged.and_then(|merged| merged.survivor_of(id)) {
            Some(survivor) => customers.code_of(survivor.as_id()),
            None => customers.code_of(id),
        }
    }

    /// What is known beside the purchases on a night: of all products, and of these customers, whose
    /// codes are ascending. What the tables of products and customers say goes before what lines say.
    #[must_use]
    pub fn details(&self, as_of: AsOf, customers: &[u32]) -> Details {
        let (facts, products) = (&self.facts, self.partitions.products());
        let codes = 0..u32::try_from(products.len()).unwrap_or(u32::MAX);
        let table = self.products.as_ref();
        let categories = table.and_then(|table| table.categories_of(products));
        let prices = table.and_then(|table| table.prices_of(products));
        let mailing = self.mailing.as_ref();
        let ids = customers.iter();
        let mut ids = ids.filter_map(|customer| self.partitions.customers().get(*customer));
        let segments = mailing.and_then(|table| table.segments(&mut ids.clone()));
        let stores = mailing.and_then(|table| table.stores(&mut ids.clone()));
        Details {
            segments,
            brands: table.and_then(|table| table.brands_of(products)),
            margins: table.and_then(|table| table.margins_of(products)),
            discounts: table.and_then(|table| table.discounts_of(products)),
            offerable: table.and_then(|table| table.offerable(products)),
            may_mail: mailing.and_then(|table| table.may_mail(&mut ids)),
            product_names: table.map(|table| table.names_of(products)),
            categories: categories.or_else(|| {
                facts.have_categories().then(|| {
                    let categories = codes.clone().map(|code| facts.category(code, as_of));
                    categories
                        .map(|category| Some(category?.to_string().into()))
                        .collect()
                })
            }),
            last_prices: prices.or_else(|| {
                facts
                    .have_prices()
                    .then(|| codes.map(|code| facts.last_price(code, as_of)).collect())
            }),
            stores: stores.or_else(|| {
                facts
                    .have_stores()
                    .then(|| self.stores_of(as_of, customers))
            }),
        }
    }

    fn stores_of(&self, as_of: AsOf, customers: &[u32]) -> Vec<(OwnedId, Arc<str>)> {
        let stores = customers.iter().filter_map(|customer| {
            let store = self.facts.usual_store(*customer, as_of)?;
            let customer = self.partitions.customers().get(*customer)?;
            Some((customer.owned(), store.to_string().into()))
        });
        stores.collect()
    }

    /// Summarizes the tickets on a night for a model. Warns of stale data, and if the tickets do
    /// not seem to come from the store that the model was trained on. `look` is shown each partition
    /// of the history in the same pass.
    ///
    /// # Errors
    /// If no purchase is known on the night.
    pub(super) fn summarize_night(
        &mut self,
        config: &Config,
        model: &StoredModel,
        as_of: AsOf,
        progress: &dyn Progress,
        look: &mut dyn FnMut(&History<'_>),
    ) -> Result<NightSummary> {
        let (model_of_night, rule) = (&model.model, &config.rule);
        let night = compute(|| {
            NightSummary::with_each(model_of_night, &*self.partitions, as_of, rule, look)
        })?;
        self.count_repeated(&night.population);
        self.warn_if_stale(&night.population, progress)?;
        if let Some(origin) = &model.header.description.origin {
            let doubts = origin.doubts(
                self.partitions.products(),
                &night.population.lately.bought(),
                as_of,
                &config.input.clock,
                config.history_days,
            );
            for doubt in &doubts {
                progress.warning(doubt);
            }
        }
        Ok(night)
    }

    /// Counts the lines that repeat another, now that the distinct ones are known.
    pub(super) fn count_repeated(&mut self, population: &PopulationSummary) {
        self.lines.count_repeated(population.distinct_lines as u64);
    }

    /// Warns of products that stand in nearly all purchases.
    pub(super) fn warn_of_frequent_products(
        &self,
        population: &PopulationSummary,
        progress: &dyn Progress,
    ) {
        for warning in frequent_products(self.partitions.products(), &population.lately) {
            progress.warning(&warning);
        }
    }

    /// Warns if the data end some days before the night.
    ///
    /// # Errors
    /// If no purchase is known on the night.
    pub(super) fn warn_if_stale(
        &self,
        population: &PopulationSummary,
        progress: &dyn Progress,
    ) -> Result<()> {
        let stale = ingest::staleness(population.span, &self.lines, population.as_of)?;
        if let Some(stale) = stale {
            progress.warning(&stale);
        }
        Ok(())
    }
}

/// What to say of products that stand in nearly all purchases.
pub(super) fn frequent_products(products: &Ids, lately: &RecentPurchases) -> Vec<String> {
    let frequent = lately.in_nearly_all().into_iter();
    let frequent = frequent.take(FREQUENT_PRODUCTS).map(|(code, share)| {
        let product = products.text(code);
        let leave_out = match product.contains(',') || product.starts_with('-') {
            true => format!("exclude_products = [{product:?}] under [input] in okuo.toml"),
            false => format!("--exclude-product {}", in_shell(&product)),
        };
        format!(
            "the product \"{product}\" stands in {:.0} % of the {} purchases of the last {RECENT_DAYS} days, as a ticket's total, a bag or a \
             deposit does, and hardly any product: if it is none, leave it out with {leave_out}",
            100.0 * share,
            lately.count
        )
    });
    frequent.collect()
}

/// The days up to a night that are configured to be looked at.
pub(super) fn days_up_to(night: AsOf, config: &Config) -> NeededDays {
    NeededDays::up_to(night, config.history_days)
}

pub(super) fn check_history_days(config: &Config, purpose: Purpose) -> Result<()> {
    let (least, what) = match purpose {
        Purpose::Scoring => (config.rule.window_days(), "the rule looks back"),
        Purpose::Training => (
            models::needed_days(&config.rule),
            "training needs the rule's window, or 56 days if it is shorter, and 56 days more:",
        ),
    };
    if i64::from(config.history_days) >= i64::from(least) {
        return Ok(());
    }
    Err(Error::request(format!(
        "{what} {least} days, and history_days is {}",
        config.history_days
    ))
    .hint("raise --history-days, or lower --periods or --period-days"))
}

pub(super) fn manifest_input(object: InputObject) -> ManifestInput {
    ManifestInput {
        object: object.uri,
        size: object.size,
        etag: object.etag,
    }
}
