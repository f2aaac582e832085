//! Look at tickets, and write an okuo.toml that reads them.

mod facts;
mod paths;
mod refusal;

use std::collections::BTreeSet;

use serde::Serialize;

use super::Progress;
use crate::config::{Config, FILE_NAME, Layer, WrittenSetting, document};
use crate::domain::words::in_shell;
use crate::error::{Error, Kind, Result};
use crate::ingest::survey::{
    BY_NAME_AND_VALUES, Certainty, ColumnMeaning, GivenColumns, GivenSettings, RoleChoice,
    SampledTable, Survey, survey,
};
use crate::ingest::{self, ColumnRole, InputTables, ObjectSample, TableSample};
use crate::store::{self, PutMode};
pub use facts::TicketFacts;
use refusal::{nested, refusal, refuse_without_rows};

/// How many rows are looked at before all tickets are read.
const SAMPLED_ROWS: usize = 20_000;

/// What is asked of [`init()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitRequest {
    /// The file to write; `None` if it is only to be shown.
    pub file: Option<String>,
    /// Whether a file that is there already is replaced.
    pub force: bool,
}

/// What was found, and what was written.
#[derive(Debug, Serialize)]
pub struct InitSummary {
    /// The file that was written, if one was.
    pub file: Option<String>,
    /// Its text; empty if the tickets cannot be read yet.
    pub document: String,
    /// How many objects there are, and how many of them were looked at.
    pub objects: usize,
    /// Of these, how many were looked at.
    pub objects_looked_at: usize,
    /// What the first rows tell.
    pub survey: Survey,
    /// What all lines tell.
    pub tickets: Option<TicketFacts>,
    /// The commands that come next.
    pub commands: Vec<String>,
    /// Why no file was written.
    #[serde(skip)]
    pub refusal: Option<Error>,
}

/// Looks at the configured inputs and writes an okuo.toml with what was found and what was given.
/// If the tickets cannot be read yet, nothing is written, and the summary says why and what was
/// seen.
///
/// # Errors
/// If no input is configured or found, the file is there already, or it cannot be written.
pub async fn init(
    config: &Config,
    request: &InitRequest,
    progress: &dyn Progress,
) -> Result<InitSummary> {
    let uris = config.required_inputs()?;
    if let Some(file) = &request.file {
        check_target(file, request.force).await?;
    }
    progress.stage("looking at the tickets");
    let mut objects = ingest::sample(uris, &config.input, SAMPLED_ROWS).await?;
    let names: Vec<String> = objects.iter().map(|object| object.object.clone()).collect();
    let tables = given_tables(config, &names).await?;
    let mut given = given(config)?;
    given.tables = tables.iter().map(|table| table.object.clone()).collect();
    objects.extend(tables);
    refuse_without_rows(&objects)?;
    let nested = nested(&objects);
    let mut summary = InitSummary {
        file: None,
        document: String::new(),
        objects: objects.len(),
        objects_looked_at: objects
            .iter()
            .filter(|object| object.sample.is_some())
            .count(),
        survey: survey_of(objects, &given)?,
        tickets: None,
        commands: vec![],
        refusal: None,
    };
    summary.refusal = refusal(&summary.survey, nested.as_deref());
    if summary.refusal.is_some() {
        return Ok(summary);
    }
    let mut settings = settings(&summary.survey, config, &names)?;
    let text = document(&[], &settings);
    let proposed = Layer::parse(FILE_NAME, &text).and_then(Layer::check)?;
    match facts::read(&proposed, progress).await {
        Ok((facts, advice)) => {
            if facts.lines.dates.is_some() {
                // All values have settled what the first rows left open.
                let open = summary.survey.open_dates.take();
                summary
                    .survey
                    .check
                    .retain(|check| Some(check) != open.as_ref());
            }
            summary.survey.sure.extend(advice.sure);
            summary.survey.check.extend(advice.check);
            settings.extend(advice.settings);
            summary.tickets = Some(facts);
        }
        Err(error) if error.kind() == Kind::Input || error.kind() == Kind::Request => {
            summary.refusal = Some(error);
            return Ok(summary);
        }
        Err(error) => return Err(error),
    }
    summary.document = document(&head(&summary), &settings);
    // What is written must be readable, whatever stands in names and paths.
    Layer::parse(FILE_NAME, &summary.document).and_then(Layer::check)?;
    summary.commands = commands(&summary, request);
    if let Some(file) = &request.file {
        write(file, &summary.document, request.force).await?;
        summary.file = Some(file.clone());
    }
    Ok(summary)
}

/// Refuses a file that is there already.
async fn check_target(file: &str, force: bool) -> Result<()> {
    store::check_file(file)?;
    let is_there = store::open(file).await?.head("").await?.is_some();
    if is_there && !force {
        return Err(exists(file));
    }
    Ok(())
}

fn exists(file: &str) -> Error {
    Error::request("the file is there already")
        .object(file)
        .hint("name another one with --config, or replace it with --force")
}

async fn write(file: &str, text: &str, force: bool) -> Result<()> {
    let mode = if force {
        PutMode::Overwrite
    } else {
        PutMode::IfAbsent
    };
    let location = store::open(file).await?;
    match location.put("", text.to_owned().into(), mode).await {
        Err(error) if error.kind() == Kind::Conflict => Err(exists(file)),
        result => result.map(|_| ()),
    }
}

/// What the samples tell. An object that cannot be looked at is named, if others can.
fn survey_of(objects: Vec<ObjectSample>, given: &GivenSettings) -> Result<Survey> {
    let mut samples: Vec<(String, TableSample)> = vec![];
    let mut failed: Vec<Error> = vec![];
    for ObjectSample { object, sample, .. } in objects {
        match sample {
            Some(Ok(sample)) => samples.push((object, sample)),
            Some(Err(error)) => failed.push(error),
            None => {}
        }
    }
    if samples.is_empty() && !failed.is_empty() {
        return Err(failed.remove(0));
    }
    let mut survey = survey(SampledTable::group(samples), given);
    survey.check.extend(
        failed
            .into_iter()
            .map(|error| format!("cannot be looked at: {error}")),
    );
    Ok(survey)
}

/// Samples of the tables that were named beside the tickets, without those of `names`.
async fn given_tables(config: &Config, names: &[String]) -> Result<Vec<ObjectSample>> {
    let InputTables {
        tickets,
        customers,
        products,
        // No ticket needs them.
        mailing: _,
        merged: _,
    } = &config.input.tables;
    let mut samples: Vec<ObjectSample> = vec![];
    for table in [tickets, customers, products].into_iter().flatten() {
        for sample in ingest::sample(&table.paths, &config.input, SAMPLED_ROWS).await? {
            let is_known = |known: &ObjectSample| known.object == sample.object;
            if !names.contains(&sample.object) && !samples.iter().any(is_known) {
                samples.push(sample);
            }
        }
    }
    Ok(samples)
}

/// What the owner has settled.
fn given(config: &Config) -> Result<GivenSettings> {
    let paths: BTreeSet<String> = WrittenSetting::given(&config.given)?
        .into_iter()
        .map(|setting| setting.path)
        .collect();
    let mut columns = GivenColumns::new();
    for meaning in ColumnMeaning::ROLES {
        let names = meaning
            .role()
            .and_then(|role: ColumnRole| config.input.columns.of(role));
        if let Some(names) = names
            && paths.contains(&format!("columns.{}", meaning.key()))
        {
            columns.insert(meaning, names.names().to_vec());
        }
    }
    add_header_columns(&mut columns, &paths, config);
    Ok(GivenSettings {
        columns,
        paths,
        tables: BTreeSet::new(),
    })
}

/// Adds the columns that were named of a table of ticket headers.
fn add_header_columns(columns: &mut GivenColumns, paths: &BTreeSet<String>, config: &Config) {
    let Some(tickets) = &config.input.tables.tickets else {
        return;
    };
    for (key, meaning) in [
        ("customer", ColumnMeaning::Customer),
        ("time", ColumnMeaning::Time),
        ("ticket", ColumnMeaning::Basket),
    ] {
        let names = meaning.role().and_then(|role| tickets.columns.of(role));
        if let Some(names) = names
            && paths.contains(&format!("input.tickets.{key}"))
        {
            let known = columns.entry(meaning).or_default();
            known.extend(names.names().to_vec());
        }
    }
}

/// The settings that are written: what was given, what was found.
fn settings(survey: &Survey, config: &Config, objects: &[String]) -> Result<Vec<WrittenSetting>> {
    let mut settings = WrittenSetting::given(&config.given)?;
    let is_given: BTreeSet<String> = settings
        .iter()
        .map(|setting| setting.path.clone())
        .collect();
    if let Some(paths) = paths::of_tickets(survey, objects) {
        settings.retain(|setting| setting.path != "input.paths");
        let reason = "only these have ticket lines";
        settings.extend(WrittenSetting::new(
            "input.paths",
            &paths.into(),
            true,
            reason,
        ));
    }
    let chosen = survey
        .roles
        .iter()
        .filter(|choice| choice.certainty != Certainty::Given);
    settings.extend(
        chosen
            .filter_map(written_column)
            .filter(|setting| !is_given.contains(&setting.path)),
    );
    for proposed in &survey.settings {
        if !is_given.contains(&proposed.path) || proposed.path == "input.paths" {
            settings.retain(|setting| setting.path != proposed.path);
            settings.extend(WrittenSetting::new(
                &proposed.path,
                &proposed.value,
                proposed.is_set,
                &proposed.reason,
            ));
        }
    }
    Ok(settings)
}

fn written_column(choice: &RoleChoice) -> Option<WrittenSetting> {
    // The headers' customer, time and ticket are proposed with their table.
    let path = match choice.role {
        ColumnMeaning::Store => "columns.store".to_owned(),
        ColumnMeaning::TimeOfDay if choice.is_in_headers => "input.tickets.time_of_day".to_owned(),
        _ if choice.is_in_headers => return None,
        role => format!("columns.{}", role.key()),
    };
    let value = match choice.alternatives.as_slice() {
        [] => choice.column.clone().into(),
        others => [std::slice::from_ref(&choice.column), others]
            .concat()
            .into(),
    };
    let reason = match choice.certainty {
        Certainty::Check => format!("CHECK: {}", choice.reason),
        // What holds for most columns need not be said of each.
        _ if choice.reason == BY_NAME_AND_VALUES => String::new(),
        Certainty::Given | Certainty::Sure => choice.reason.clone(),
    };
    WrittenSetting::new(&path, &value, true, &reason)
}

/// The comments at the beginning of the file.
fn head(summary: &InitSummary) -> Vec<String> {
    let mut head = vec![
        "Written by `okuo init`, which looked at the tickets. Change what is wrong: `okuo config` shows all settings."
            .to_owned(),
    ];
    let lists = [
        ("Sure:", &summary.survey.sure),
        ("To check:", &summary.survey.check),
    ];
    for (title, items) in lists {
        if !items.is_empty() {
            let items: Vec<String> = items
                .iter()
                .map(|item| format!("- {}", item.replace('\n', "\n- ")))
                .collect();
            head.push(format!("{title}\n{}", items.join("\n")));
        }
    }
    head
}

/// The commands that come next.
fn commands(summary: &InitSummary, request: &InitRequest) -> Vec<String> {
    let Some(facts) = &summary.tickets else {
        return vec![];
    };
    if facts.refusal.is_some() {
        return vec![];
    }
    let config = match &request.file {
        Some(file) if file != FILE_NAME => format!(" --config {}", in_shell(file)),
        _ => String::new(),
    };
    let night = facts.last_full_day;
    let periods = match (facts.is_short(), facts.fitting_periods()) {
        (true, None) => return vec![],
        (true, Some(periods)) => format!(" --periods {periods}"),
        (false, _) => String::new(),
    };
    vec![
        format!("okuo train{config}{periods} --as-of {night}"),
        format!("okuo score{config}{periods} --as-of {night} --output nightly/"),
    ]
}
