//! `okuo train`.

use serde_json::json;

use super::TrainArguments;
use super::input::{Input, PopulationSummary, Purpose, lines_and_funnel, read_night};
use super::output::Output;
use crate::artifact::{self, Description, Origin};
use crate::calendar::{AsOf, DateRange};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::eval::{self, HoldoutReport};
use crate::ingest;
use crate::models::Model;
use crate::models::{self, HELD_OUT_DAYS, Trained};
use crate::publish::promotion::{Decision, PromotionPolicy, decide};
use crate::publish::registry::Registry;
use crate::purchases::{Fingerprint, PartitionedHistory, Partitions};
use crate::store;

pub(super) async fn run(arguments: TrainArguments, output: &Output) -> Result<()> {
    let config = arguments.common.config().await?;
    config.required_inputs()?;
    let as_of = arguments.as_of;
    let registry = Registry::new(store::open(&config.registry).await?);
    // A registry that cannot be reached is told now, not after the training.
    registry.promoted().await?;
    let Input { ingested, .. } = read_night(&config, as_of, Purpose::Training, output).await?;
    let mut report = ingested.report;
    let (partitions, all) = tokio::task::block_in_place(|| {
        let partitions = ingested.purchases.partitions()?;
        let all = PopulationSummary::new(&*partitions, Some(as_of), &config.rule)?;
        Ok((partitions, all))
    })?;
    report.count_repeated(all.distinct_lines as u64);
    if let Some(stale) = ingest::staleness(all.span, &report, as_of)? {
        output.warn(&stale);
    }
    // A slip in the date: the model would be promoted, and refuse every night before it.
    if let Some(DateRange { last, .. }) = all
        .span
        .filter(|span| as_of.day() - span.last > HELD_OUT_DAYS)
    {
        return Err(Error::request(format!(
            "the data end on {last}, {} days before the as-of date {as_of}",
            as_of.day() - last
        ))
        .hint(format!(
            "train with --as-of {last}, or give the objects of later days with --input too"
        )));
    }
    output.text(&lines_and_funnel(&report, &all.funnel, &config.rule, as_of))?;
    let cut = (report.before_history > 0).then_some(config.history_days);
    let stored = train(&config, &*partitions, cut, as_of, &registry, output).await?;
    output.document(&json!({
        "model_id": stored.model_id,
        "registry": config.registry,
        "promoted": stored.decision.promote,
        "reason": stored.decision.reason,
        "held_out": stored.report,
        "products_with_a_tree": stored.trees,
        "lines": report,
        "funnel": all.funnel,
    }))
}

/// What became of a trained model.
pub(super) struct Stored {
    pub(super) model_id: String,
    pub(super) decision: Decision,
    pub(super) report: Option<HoldoutReport>,
    pub(super) trees: usize,
}

/// Trains, measures, stores and perhaps promotes. `cut` is the history's length in days, where
/// lines before it were left out.
pub(super) async fn train(
    config: &Config,
    purchases: &dyn Partitions,
    cut: Option<u32>,
    as_of: AsOf,
    registry: &Registry,
    output: &Output,
) -> Result<Stored> {
    let progress = output.progress();
    let trained = tokio::task::block_in_place(|| {
        let stage = |stage: &str| progress.stage(&format!("training: {stage}"));
        models::train_with_backtest(purchases, as_of, &config.rule, &config.parameters, &stage)
    })?;
    trained
        .warnings
        .iter()
        .for_each(|warning| output.warn(warning));
    progress.stage("measuring on the last 28 days");
    let standing = registry.promoted().await?;
    let replaced_model = match &standing {
        None => None,
        Some(standing) => match registry.load(&standing.pointer.model_id).await {
            Ok((_, model)) => Some(model),
            Err(error) if matches!(error.kind(), Kind::Input | Kind::NotFound) => {
                output.warn(&format!(
                    "the promoted model {} cannot be compared: {error}",
                    standing.pointer.model_id
                ));
                None
            }
            Err(error) => return Err(error),
        },
    };
    let report = measure(&trained, replaced_model.as_ref(), purchases, config, output);
    drop(progress);
    let file = tokio::task::block_in_place(|| {
        encode(&trained.model, purchases, config, cut, report.as_ref())
    })?;
    let model_id = registry.save(file.into()).await?;
    let decision = match (&report, config.promote) {
        (Some(report), policy) => {
            let (new, replaced, baselines) = report.contenders();
            let decision = decide(&new, replaced.as_ref(), &baselines, policy);
            // Where the model that stands could not be measured on the same days, say so with the
            // decision.
            let unreadable = || standing.as_ref().filter(|_| replaced_model.is_none());
            let why = report.not_compared.clone().or_else(|| {
                unreadable().map(|standing| {
                    format!(
                        "the promoted model {} could not be read and was not compared",
                        standing.pointer.model_id
                    )
                })
            });
            let reason = match why {
                Some(why) if decision.promote && policy == PromotionPolicy::IfBetter => {
                    format!("it is no worse than the baselines; {why}")
                }
                _ => decision.reason,
            };
            Decision {
                promote: decision.promote,
                reason,
            }
        }
        (None, PromotionPolicy::Always) => Decision {
            promote: true,
            reason: "promotion was asked for, whatever the figures".into(),
        },
        (None, _) => Decision {
            promote: false,
            reason: "it could not be measured on the last 28 days".into(),
        },
    };
    let compared = standing
        .as_ref()
        .map(|standing| standing.pointer.model_id.clone());
    let decision = registry
        .promote_if(&model_id, async |pointer| {
            let stands = pointer.map(|pointer| pointer.model_id.clone());
            if stands == compared || config.promote == PromotionPolicy::Always {
                return Ok(decision.clone());
            }
            Ok(Decision {
                promote: false,
                reason: "another model was promoted in the meantime, and was not compared".into(),
            })
        })
        .await?;
    if let Some(report) = &report {
        output.text(&format!(
            "\nheld out: the 28 days up to {as_of}, with the same procedure stopped before them\n{}",
            eval::table(&report.evaluation)
        ))?;
        report
            .evaluation
            .warnings
            .iter()
            .for_each(|warning| output.warn(warning));
    }
    let (gate, trees) = (
        &trained.model.basket.gate,
        trained.model.basket.products().len(),
    );
    output.text(&format!(
        "{trees} of {} products with enough purchases have a tree of their own (held-out log loss {:.5} → {:.5})",
        gate.tried, gate.pooled_log_loss, gate.log_loss
    ))?;
    let stays = compared.as_ref() == Some(&model_id);
    let verb = match decision.promote {
        true => "promoted",
        false if stays => "it is the promoted model already, and stays so, though",
        false => "not promoted",
    };
    output.text(&format!(
        "model {model_id} is in {}; {verb}: {}",
        registry.name(),
        decision.reason
    ))?;
    if !decision.promote && !stays {
        output.note(&format!(
            "hint: `okuo models promote {model_id} --registry {}` promotes it all the same",
            config.registry
        ));
    }
    Ok(Stored {
        model_id,
        decision,
        report,
        trees,
    })
}

fn measure(
    trained: &Trained,
    replaced: Option<&Model>,
    purchases: &dyn Partitions,
    config: &Config,
    output: &Output,
) -> Option<HoldoutReport> {
    let Some(backtest_model) = &trained.backtest_model else {
        output.warn("the model cannot be measured on the last 28 days: the history is too short to train without them");
        return None;
    };
    let measured = || {
        eval::held_out(
            backtest_model,
            replaced,
            purchases,
            &config.rule,
            config.history_days,
            eval::HELD_OUT_CUSTOMERS,
        )
    };
    match tokio::task::block_in_place(measured) {
        Ok(report) => Some(report),
        Err(error) => {
            output.warn(&format!(
                "the model cannot be measured on the last 28 days: {error}"
            ));
            None
        }
    }
}

fn encode(
    model: &Model,
    purchases: &dyn Partitions,
    config: &Config,
    cut: Option<u32>,
    report: Option<&HoldoutReport>,
) -> Result<Vec<u8>> {
    let history = PartitionedHistory::new(purchases, model.as_of);
    let mut fingerprint = Fingerprint::default();
    history.each(|history| {
        fingerprint = fingerprint.merge(history);
        Ok(())
    })?;
    let description = Description {
        as_of: model.as_of,
        data_fingerprint: fingerprint.hex(),
        rule: model.rule,
        feature_names: artifact::feature_names(),
        parameters: serde_json::to_value(&model.parameters).unwrap_or_default(),
        figures: report.map_or(json!(null), |report| {
            report
                .evaluation
                .contenders
                .iter()
                // The same training repeated meets another promoted model; the file is the same all
                // the same.
                .filter(|contender| contender.name != eval::REPLACED)
                .map(|contender| (contender.name.clone(), json!(contender.figures)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }),
        origin: Some(Origin::new(history, &config.input.clock, cut)?),
    };
    artifact::encode(description, model)
}
