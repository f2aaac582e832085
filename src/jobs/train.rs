//! Train a model, measure it, decide whether it is promoted, store it, and move the pointer.

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use super::guards::WarningLog;
use super::lift::{outcomes_of, read_campaign};
use super::score::required_output;
use super::tickets::days_up_to;
use super::{Progress, Purpose, Tickets, compute, registry};
use crate::artifact::{self, Description, ModelHeader, Origin, SigningKey};
use crate::calendar::AsOf;
use crate::config::Config;
use crate::domain::Funnel;
use crate::error::{Error, Kind, Result};
use crate::eval::{self, Difference, HoldoutReport};
use crate::guards::{self, FeedCounts, GuardFinding, TrainingFeatures, TrainingFeed, Warning};
use crate::ingest::report::Report;
use crate::lift::LearnedMix;
use crate::models::basket::{CorrectionInWords, CorrectionReport};
use crate::models::{
    self, BudgetChoice, CustomerSample, HELD_OUT_DAYS, Model, NightSummary, Parameters, Trained,
};
use crate::publish::promotion::{Decision, PromotionPolicy, StandingModel, decide, last_days};
use crate::publish::registry::Registry;
use crate::publish::runs::published_nights;
use crate::purchases::History;
use crate::record::{Measured, Stage};
use crate::recurrence::{ClosedDays, PopulationSummary, Provenance, SalesByDay};
use crate::store;

/// What a training came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainSummary {
    /// The new model's id in the registry.
    pub model_id: String,
    /// The registry, as it was configured.
    pub registry: String,
    /// Whether the new model was promoted.
    pub promoted: bool,
    /// Why it was promoted, or why not: one sentence.
    pub reason: String,
    /// The differences by which it was decided: to the replaced model, where it could be compared,
    /// then to the best baseline by each figure.
    pub compared: Vec<Difference>,
    /// The gaps of the last days, for which the model was not promoted, or in spite of which it was.
    pub gaps: Vec<Warning>,
    /// How the training does on the last 28 days; `None` if it could not be measured.
    pub held_out: Option<HoldoutReport>,
    /// How many products have a tree of their own.
    pub products_with_a_tree: usize,
    /// What was chosen for a budget of time, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetChoice>,
    /// What became of each line of the input.
    pub lines: Report,
    /// How many customers pass each part of the rule.
    pub funnel: Funnel,
    /// Which okuo it was, and what it took.
    pub measured: Measured,
    /// The registry, as messages name it.
    #[serde(skip)]
    pub registry_name: String,
    /// Whether this very model was the promoted one before: then it stays so, even if
    /// [`TrainSummary::promoted`] is false.
    #[serde(skip)]
    pub was_promoted: bool,
    /// How strongly the products' own trees correct.
    pub trees: CorrectionReport,
    /// The largest of their corrections, in words.
    pub corrections: Vec<CorrectionInWords>,
    /// The shares of the offers that were learned from campaigns, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learned_mix: Option<LearnedMix>,
}

/// How many corrections are said in words.
const CORRECTIONS_SAID: usize = 5;

/// Offers of so many days are learned from: half a year, since what pays changes.
const LEARNED_DAYS: i32 = 182;

/// Trains on the configured tickets up to and including `as_of`, and stores the model in the
/// configured registry. The new model is promoted as `config.promote` says.
///
/// # Errors
/// If the registry or the tickets cannot be read, the data are too few, or they end more than 28
/// days before `as_of`. Nothing is stored then. If others keep moving the pointer, the model is stored
/// and not promoted.
pub async fn train(config: &Config, as_of: AsOf, progress: &dyn Progress) -> Result<TrainSummary> {
    config.required_inputs()?;
    if config.lift {
        // The offers are published there; that they are not is told before anything is read.
        required_output(config)?;
    }
    let log = WarningLog::new(progress);
    log.end(read_and_train(config, as_of, &log).await)
}

async fn read_and_train(
    config: &Config,
    as_of: AsOf,
    progress: &WarningLog<'_>,
) -> Result<TrainSummary> {
    let registry = registry::open_configured(config).await?;
    // A registry that cannot be read or written is told now, not after the training.
    registry.promoted().await?;
    registry.prove_writable().await?;
    let key = signing_key(config).await?;
    check_key_pair(config, key.as_ref())?;
    progress.enter(Stage::List);
    let days = days_up_to(as_of, config);
    let mut tickets = Tickets::read(config, days, Purpose::Training, progress).await?;
    tickets.read_names(config, progress).await;
    progress.enter(Stage::Summarize);
    let summary = summarize(config, &tickets, as_of)?;
    let population = &summary.population;
    tickets.count_repeated(population);
    tickets.warn_if_stale(population, progress)?;
    tickets.warn_of_frequent_products(population, progress);
    refuse_late_night(population)?;
    progress.tickets(&tickets.lines, population)?;
    let training = Training {
        config,
        tickets: &tickets,
        summary,
        registry,
        key,
        progress,
    };
    training.run().await
}

/// Trains on tickets that have been read, as [`train`] does: days after `as_of` are not learned
/// from. All days before are, whatever `history_days` says, and `progress` is not told of the
/// tickets, since the caller has them.
///
/// # Errors
/// If the data are too few or end more than 28 days before `as_of`, or the registry cannot be read
/// or written.
pub async fn train_on(
    config: &Config,
    tickets: &Tickets,
    as_of: AsOf,
    progress: &dyn Progress,
) -> Result<TrainSummary> {
    let registry = registry::open_configured(config).await?;
    train_into(config, tickets, as_of, registry, progress).await
}

pub(super) async fn train_into(
    config: &Config,
    tickets: &Tickets,
    as_of: AsOf,
    registry: Registry,
    progress: &dyn Progress,
) -> Result<TrainSummary> {
    let log = WarningLog::new(progress);
    log.end(train_with(config, tickets, as_of, registry, &log).await)
}

async fn train_with(
    config: &Config,
    tickets: &Tickets,
    as_of: AsOf,
    registry: Registry,
    progress: &WarningLog<'_>,
) -> Result<TrainSummary> {
    let key = signing_key(config).await?;
    progress.enter(Stage::Summarize);
    let summary = summarize(config, tickets, as_of)?;
    refuse_late_night(&summary.population)?;
    let training = Training {
        config,
        tickets,
        summary,
        registry,
        key,
        progress,
    };
    training.run().await
}

/// Refuses to promote models that no night would use.
fn check_key_pair(config: &Config, key: Option<&SigningKey>) -> Result<()> {
    let Some(verify_key) = &config.verify_key else {
        return Ok(());
    };
    let Some(key) = key else {
        return match config.promote {
            PromotionPolicy::Never => Ok(()),
            _ => Err(Error::request(
                "nights use only signed models (verify_key), and there is no key to sign the new one",
            )
            .hint("name the secret key with --sign-key; or train with --promote never, and sign and promote by hand")),
        };
    };
    const PROOF: &[u8] = b"okuo";
    let signature = key.sign(PROOF, "proof of a pair of keys")?;
    verify_key
        .check("proof", PROOF, Some(signature.as_bytes()))
        .map_err(|_| {
            Error::request("sign_key and verify_key are not of one pair of keys")
                .hint("no night would use the new model: give the two keys that `minisign -G` has made together")
        })
}

/// The key that signs the new model, if one is configured.
async fn signing_key(config: &Config) -> Result<Option<SigningKey>> {
    let Some(file) = &config.sign_key else {
        return Ok(None);
    };
    let (content, _) =
        store::open(file)
            .await?
            .get("")
            .await
            .map_err(|error| match error.kind() {
                Kind::NotFound => error.hint("check --sign-key"),
                _ => error,
            })?;
    SigningKey::parse(file, &String::from_utf8_lossy(&content)).map(Some)
}

/// What one look at all tickets tells before a training.
struct TicketSummary {
    population: PopulationSummary,
    provenance: Provenance,
    last_days: LastDays,
    /// When the store was closed.
    closed: ClosedDays,
}

/// What the last days of a training's tickets are like.
struct LastDays {
    feed: TrainingFeed,
    /// Breaches of the guards on days.
    gaps: Vec<GuardFinding>,
}

fn summarize(config: &Config, tickets: &Tickets, as_of: AsOf) -> Result<TicketSummary> {
    let partitions = &*tickets.partitions;
    let mut counts = FeedCounts::new(as_of, partitions.products().len());
    let mut sales = SalesByDay::default();
    let look = |history: &History<'_>| {
        counts.add(history);
        sales.add(history);
    };
    let (population, provenance) =
        compute(|| PopulationSummary::with_provenance(partitions, as_of, &config.rule, look))?;
    let profile = counts.finish(&tickets.feed);
    Ok(TicketSummary {
        population,
        provenance,
        last_days: LastDays {
            feed: TrainingFeed::new(&profile),
            gaps: guards::training_gaps(&profile, &config.guards)?,
        },
        closed: sales.closed_days(),
    })
}

/// Refuses a night long after the data: the date is a slip, or the export has failed, and the model
/// would be promoted and refuse every night before it.
fn refuse_late_night(population: &PopulationSummary) -> Result<()> {
    let as_of = population.as_of;
    match population.span.map(|span| span.last) {
        Some(last) if as_of.day() - last > HELD_OUT_DAYS => Err(Error::request(format!(
            "the data end on {last}, {} days before the as-of date {as_of}",
            as_of.day() - last
        ))
        .hint(format!(
            "train with --as-of {last}, or give the objects of later days with --input too"
        ))),
        _ => Ok(()),
    }
}

/// One training, from the tickets to the pointer.
struct Training<'a> {
    config: &'a Config,
    tickets: &'a Tickets,
    summary: TicketSummary,
    registry: Registry,
    key: Option<SigningKey>,
    progress: &'a WarningLog<'a>,
}

impl Training<'_> {
    async fn run(self) -> Result<TrainSummary> {
        let learned_mix = self.learned_mix().await?;
        if self.config.promote != PromotionPolicy::IfBetter {
            // Otherwise they are the reason why it is not promoted.
            for gap in &self.summary.last_days.gaps {
                self.progress.warning(&gap.warning.text);
            }
        }
        self.progress.enter(Stage::Train);
        let trained = compute(|| self.fit())?;
        self.progress.stage("measuring on the last 28 days");
        self.progress.enter(Stage::Measure);
        let (standing, replaced) = self.standing().await?;
        let held_out = compute(|| self.measure(&trained, replaced.as_ref()));
        self.progress.enter(Stage::Publish);
        let file = compute(|| self.encode(&trained.model, held_out.as_ref(), learned_mix.clone()))?;
        let measured = self.progress.measured();
        let file = Bytes::from(file);
        let saved = self.registry.save(file.clone(), Some(measured)).await?;
        if let Some(key) = &self.key {
            self.registry.sign(&saved.model_id, &file, key).await?;
        }
        if let Some(warning) = &saved.warning {
            self.progress.warning(warning);
        }
        let model_id = saved.model_id;
        let decision = self
            .promote(&model_id, held_out.as_ref(), &standing)
            .await?;
        let basket = &trained.model.basket;
        let gaps = self.summary.last_days.gaps.iter();
        Ok(TrainSummary {
            gaps: gaps.map(|gap| gap.warning.clone()).collect(),
            was_promoted: standing.model_id() == Some(model_id.as_str()),
            model_id,
            registry: self.config.registry.clone(),
            promoted: decision.promote,
            reason: decision.reason,
            compared: decision.compared,
            held_out,
            products_with_a_tree: basket.products().len(),
            budget: self.config.budget,
            lines: self.tickets.lines.clone(),
            funnel: self.summary.population.funnel.clone(),
            registry_name: self.registry.name(),
            measured: self.progress.measured(),
            trees: basket.corrections.clone(),
            corrections: self.named(basket.largest_corrections(CORRECTIONS_SAID)),
            learned_mix,
        })
    }

    /// What finished campaigns say of the mix of offers, if that was asked for. Only nights and tickets
    /// up to the night of the training count.
    async fn learned_mix(&self) -> Result<Option<LearnedMix>> {
        if !self.config.lift {
            return Ok(None);
        }
        self.progress.stage("learning from offers");
        let output = store::open(required_output(self.config)?).await?;
        let as_of = self.summary.population.as_of;
        let mut nights = published_nights(&output).await?;
        nights.retain(|night| *night < as_of && as_of.day() - night.day() <= LEARNED_DAYS);
        let campaign = read_campaign(&output, &nights, self.tickets, self.progress).await?;
        let outcomes = compute(|| outcomes_of(campaign, self.tickets, as_of, &self.config.offers))?;
        let offers = &self.config.offers;
        let learned = LearnedMix::new(&outcomes, &offers.mix, self.config.parameters.seed);
        if learned.is_none() {
            self.progress.warning(&format!(
                "nothing was learned from offers: none of the last {LEARNED_DAYS} days below {} is over",
                output.name()
            ));
        }
        Ok(learned)
    }

    /// Corrections with what their products are called, where a table says it.
    fn named(&self, corrections: Vec<CorrectionInWords>) -> Vec<CorrectionInWords> {
        let products = self.tickets.partitions.products();
        let table = self.tickets.products.as_ref();
        let named = corrections.into_iter().map(|correction| {
            let code = products.code(&correction.product_id);
            let id = code.and_then(|code| products.get(code));
            match table.zip(id).and_then(|(table, id)| table.name_of(id)) {
                Some(name) => correction.named(name),
                None => correction,
            }
        });
        named.collect()
    }

    fn fit(&self) -> Result<Trained> {
        if let Some(budget) = self.config.budget.filter(BudgetChoice::is_exceeded) {
            self.progress.warning(&format!(
                "a budget of {:.0} s is too small: the smallest training takes about {:.1} s on 2 threads",
                budget.seconds, budget.expected_seconds
            ));
        }
        let trained = models::train_with_backtest(
            &*self.tickets.partitions,
            &self.summary.population,
            &self.summary.closed,
            &self.config.parameters,
            &|stage| self.progress.stage(&format!("training: {stage}")),
        )?;
        for warning in &trained.warnings {
            self.progress.warning(warning);
        }
        Ok(trained)
    }

    /// What is known of the promoted model, and its file if it can be read.
    async fn standing(&self) -> Result<(StandingModel, Option<ReplacedModel>)> {
        let Some(promoted) = self.registry.promoted().await? else {
            return Ok((StandingModel::Absent, None));
        };
        let model_id = promoted.pointer.model_id;
        match self.registry.load(&model_id).await {
            Ok(read) => {
                let theirs = &read.0.description.data_fingerprint;
                let has_same_data = *theirs == self.summary.provenance.fingerprint.hex();
                let standing = StandingModel::Readable {
                    model_id,
                    has_same_data,
                };
                Ok((standing, Some(read)))
            }
            Err(error) if matches!(error.kind(), Kind::Input | Kind::NotFound) => {
                self.progress.warning(&format!(
                    "the promoted model {model_id} cannot be compared: {error}"
                ));
                let is_newer = self.registry.is_of_newer_okuo(&model_id).await?;
                Ok((StandingModel::Unreadable { model_id, is_newer }, None))
            }
            Err(error) => Err(error),
        }
    }

    fn measure(
        &self,
        trained: &Trained,
        replaced: Option<&ReplacedModel>,
    ) -> Option<HoldoutReport> {
        let Some(backtest_model) = &trained.backtest_model else {
            self.not_measured(&"the history is too short to train without them");
            return None;
        };
        let stand_in = replaced.and_then(|replaced| self.stand_in(replaced, backtest_model));
        let compared = match &stand_in {
            Some(StandIn::TrainedAgain(again)) => Some(&**again),
            Some(StandIn::SameSettings(_)) => None,
            None => replaced.map(|(_, model)| model),
        };
        let report = eval::held_out(
            backtest_model,
            Some(&trained.model),
            compared,
            &*self.tickets.partitions,
            &self.summary.population,
            self.config.history_days,
            eval::HELD_OUT_CUSTOMERS,
        );
        let mut report = report.map_err(|error| self.not_measured(&error)).ok()?;
        match stand_in {
            Some(StandIn::TrainedAgain(_)) => {
                report.trained_again = Some(format!(
                    "trained again up to {}, with its own settings, since it has seen the days after",
                    backtest_model.as_of
                ));
            }
            Some(StandIn::SameSettings(what)) => report.same_settings = Some(what),
            None => {}
        }
        Some(report)
    }

    /// What stands for a replaced model that has seen the held-out days. `None` if it has not seen
    /// them, if it knows more days than the new model, if the figures do not decide, or if a training
    /// with its settings fails: then the two cannot be compared.
    fn stand_in(
        &self,
        (header, replaced): &ReplacedModel,
        backtest_model: &Model,
    ) -> Option<StandIn> {
        let has_seen = backtest_model.as_of < replaced.as_of;
        let is_comparable = replaced.as_of <= self.summary.population.as_of;
        if !has_seen || !is_comparable || self.config.promote != PromotionPolicy::IfBetter {
            return None;
        }
        if (&replaced.rule, &replaced.parameters)
            == (&backtest_model.rule, &backtest_model.parameters)
        {
            // The same days, rule and parameters give the same model, whatever okuo trained the
            // replaced one.
            return Some(StandIn::SameSettings(same_settings(&header.okuo_version)));
        }
        if self.exceeds_budget(&replaced.parameters) {
            return None;
        }
        self.progress
            .stage("training the promoted model again, without the last 28 days");
        let again = self.backtest_of(replaced);
        let again = again.map_err(|error| {
            self.progress.warning(&format!(
                "the promoted model cannot be trained again without the days that it has seen: {error}"
            ));
        });
        again
            .ok()
            .flatten()
            .map(|model| StandIn::TrainedAgain(Box::new(model)))
    }

    /// The backtest model of a training with the rule and the parameters of a model. Its final model
    /// would be of no use, and is not fitted.
    fn backtest_of(&self, model: &Model) -> Result<Option<Model>> {
        let parameters = model.parameters.clone().check()?;
        let partitions = &*self.tickets.partitions;
        let as_of = self.summary.population.as_of;
        let population = PopulationSummary::new(partitions, as_of, &model.rule)?;
        models::train_backtest(partitions, &population, &self.summary.closed, &parameters)
    }

    /// Whether training the promoted model again would take longer than the budget, which is said
    /// then.
    fn exceeds_budget(&self, parameters: &Parameters) -> bool {
        let Some(budget) = &self.config.budget else {
            return false;
        };
        let expected = parameters.expected_seconds();
        let is_exceeded = expected > budget.seconds.max(budget.expected_seconds);
        if is_exceeded {
            self.progress.warning(&format!(
                "the promoted model has seen the last 28 days and is not trained again without them, which \
                 may take {expected:.0} s, more than the budget of {:.0} s; give a larger --budget to \
                 compare the two, or promote without that by --promote always",
                budget.seconds
            ));
        }
        is_exceeded
    }

    fn not_measured(&self, why: &dyn std::fmt::Display) {
        self.progress.warning(&format!(
            "the model cannot be measured on the last 28 days: {why}"
        ));
    }

    fn encode(
        &self,
        model: &Model,
        held_out: Option<&HoldoutReport>,
        learned_mix: Option<LearnedMix>,
    ) -> Result<Vec<u8>> {
        let origin = Origin::new(
            self.tickets.partitions.products(),
            &self.summary.provenance.bought_ever,
            &self.config.input.clock,
            (self.tickets.lines.before_history > 0).then_some(self.config.history_days),
        );
        let description = Description {
            as_of: model.as_of,
            data_fingerprint: self.summary.provenance.fingerprint.hex(),
            rule: model.rule,
            feature_names: artifact::feature_names(),
            parameters: serde_json::to_value(&model.parameters).unwrap_or_default(),
            figures: held_out.map_or(json!(null), figures),
            warnings: held_out.map_or(vec![], |report| report.evaluation.warnings.clone()),
            origin: Some(origin),
            corrections: model.basket.largest_corrections(CORRECTIONS_SAID),
            feed: Some(self.summary.last_days.feed.clone()),
            learned_mix,
            features: self.features(model)?,
        };
        artifact::encode(description, model)
    }

    /// How the features of the recurrent customers are spread on the training's night, as the model
    /// sees them.
    fn features(&self, model: &Model) -> Result<Option<TrainingFeatures>> {
        let partitions = &*self.tickets.partitions;
        let mut sample = CustomerSample::new(model.as_of, &model.rule);
        let look = &mut |history: &History<'_>| sample.add(history);
        let night = NightSummary::with_each(model, partitions, model.as_of, &model.rule, look)?;
        let night = night.prepare(model, partitions.products())?;
        Ok(TrainingFeatures::new(&sample.features(&night.scorer)))
    }

    /// The decision, unless the last days speak against it. `--promote always` overrules that too.
    fn look_at_last_days(&self, held_out: Option<&HoldoutReport>, decision: Decision) -> Decision {
        if !decision.promote || self.config.promote != PromotionPolicy::IfBetter {
            return decision;
        }
        match last_days::refusal(&self.summary.last_days.gaps, held_out) {
            Some(reason) => Decision {
                promote: false,
                reason,
                ..decision
            },
            None => decision,
        }
    }

    /// Moves the pointer if the new model should be promoted. The pointer may have moved since the
    /// standing model was read.
    async fn promote(
        &self,
        model_id: &str,
        held_out: Option<&HoldoutReport>,
        standing: &StandingModel,
    ) -> Result<Decision> {
        self.registry
            .promote_if(model_id, |pointer| {
                let now = pointer.map(|pointer| pointer.model_id.as_str());
                let standing = if now == standing.model_id() {
                    standing
                } else {
                    &StandingModel::Moved
                };
                let (as_of, policy) = (self.summary.population.as_of, self.config.promote);
                let decision =
                    self.look_at_last_days(held_out, decide(held_out, as_of, standing, policy));
                match now == Some(model_id) && policy == PromotionPolicy::IfBetter {
                    true => Decision {
                        promote: true,
                        reason: "it is the promoted model already".to_owned(),
                        ..decision
                    },
                    false => decision,
                }
            })
            .await
    }
}

/// The promoted model, which the new one may replace.
type ReplacedModel = (ModelHeader, Model);

/// What stands for a replaced model that has seen the held-out days.
enum StandIn {
    /// The backtest model of a training with its rule and its parameters.
    TrainedAgain(Box<Model>),
    /// Nothing, since that would be the new model's own backtest model: what the two have in common.
    SameSettings(String),
}

/// What a model with the new model's rule and parameters, by a version of okuo, has in common with it.
fn same_settings(okuo_version: &str) -> String {
    match okuo_version == env!("CARGO_PKG_VERSION") {
        true => "the same settings".to_owned(),
        false => format!(
            "the same settings, by okuo {okuo_version} (what this okuo does otherwise is not measured),"
        ),
    }
}

/// The figures that the model's file keeps, by contender. The replaced model is left out: the same
/// training must give the same file, whatever model is promoted when it is repeated.
fn figures(report: &HoldoutReport) -> serde_json::Value {
    report
        .evaluation
        .contenders
        .iter()
        .filter(|contender| contender.name != eval::REPLACED)
        .map(|contender| (contender.name.clone(), json!(contender.figures)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests;
